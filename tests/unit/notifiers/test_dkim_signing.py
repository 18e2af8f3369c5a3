"""DKIM signatures, verified as a receiver does."""

import base64

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from core.errors import ConfigurationError
from notifiers.dkim_signing import dkim_signer

KEY = rsa.generate_private_key(65_537, 1_024)
PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()
PUBLIC = base64.b64encode(KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
MAIL = (
    b"From: news@example.com\r\nTo: reader@example.org\r\nSubject: hello\r\n"
    b"List-Unsubscribe: <https://news.example.com/u>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
    b"\r\nhello\r\n"
)


def dns(name: bytes, timeout: int = 5) -> bytes:
    assert name == b"s1._domainkey.example.com."
    return b"v=DKIM1; k=rsa; p=" + PUBLIC


def test_a_signed_mail_is_verified() -> None:
    signed = dkim_signer("example.com", "s1", PEM)(MAIL)
    assert signed.endswith(MAIL)
    assert dkim.verify(signed, dnsfunc=dns)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"Subject: hello", b"Subject: bye"),
        (b"com/u>", b"com/v>"),
        (b"One-Click", b"Two"),
        (b"\r\n\r\nhello", b"\r\n\r\nbye"),
    ],
)
def test_an_altered_one_is_not(before: bytes, after: bytes) -> None:
    signed = dkim_signer("example.com", "s1", PEM)(MAIL)
    altered = signed.replace(MAIL, MAIL.replace(before, after))
    assert altered != signed
    assert not dkim.verify(altered, dnsfunc=dns)


def test_a_key_that_cannot_sign_is_refused_at_start() -> None:
    with pytest.raises(ConfigurationError, match="CLARION_DKIM_KEY"):
        dkim_signer("example.com", "s1", "no key")
