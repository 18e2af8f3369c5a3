"""The forms of a mail server's address, and what each does."""

import smtplib
import ssl
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from notifiers import smtp
from notifiers.mailer import mail_transport
from tests.certificates import Certificate
from tests.mailbox import Mailbox
from tests.servers import free_port


class ImplicitTls(Mailbox):
    """A mail server that speaks TLS from the first byte."""

    def start(self) -> None:
        """Listen."""
        assert self.certificate is not None
        context = self.certificate.server_context()
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port, ssl_context=context)
        self._controller.start()


@pytest.fixture
def trusted(certificate: Certificate, monkeypatch: pytest.MonkeyPatch) -> Certificate:
    """The certificate of this machine's servers, trusted."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.certificate))
    return certificate


def send(url: str) -> None:
    transport = mail_transport(url)
    try:
        transport.send("news@example.com", "reader@example.org", b"Subject: hello\r\n\r\nhello\r\n")
    finally:
        transport.close()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtp://mail.example.com", ("smtp", "mail.example.com", 25)),
        ("smtp+starttls://mail.example.com", ("smtp+starttls", "mail.example.com", 587)),
        ("smtps://mail.example.com", ("smtps", "mail.example.com", 465)),
        ("smtp://mail.example.com:2525", ("smtp", "mail.example.com", 2525)),
        ("smtp://user:password@mail.example.com:2525", ("smtp", "mail.example.com", 2525)),
        ("smtp://[::1]:2525", ("smtp", "::1", 2525)),
        ("smtp://", ("smtp", "127.0.0.1", 25)),
    ],
)
def test_where_an_address_leads(
    monkeypatch: pytest.MonkeyPatch, url: str, expected: tuple[str, str, int]
) -> None:
    asked: list[tuple[str, str, int]] = []

    def note(*address: Any) -> smtplib.SMTP:
        asked.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(smtp, "_connection", note)
    with pytest.raises(ConnectionRefusedError):
        send(url)
    assert asked == [expected]


def test_without_tls_where_none_is_offered(mailbox: Mailbox) -> None:
    send(mailbox.url)
    (mail,) = mailbox.mails
    assert (mail.encrypted, mail.user) == (False, None)


@pytest.mark.parametrize("scheme", ["smtp", "smtp+starttls"])
def test_tls_and_login_where_they_are_offered(
    tls_mailbox: Mailbox, trusted: Certificate, scheme: str
) -> None:
    send(f"{scheme}://clarion:swordfish@127.0.0.1:{tls_mailbox.port}")
    (mail,) = tls_mailbox.mails
    assert (mail.encrypted, mail.user) == (True, "clarion")


def test_tls_from_the_first_byte(trusted: Certificate) -> None:
    with ImplicitTls(trusted) as mailbox:
        send(f"smtps://127.0.0.1:{mailbox.port}")
        assert len(mailbox.mails) == 1


def test_passwords_are_percent_encoded(certificate: Certificate, trusted: Certificate) -> None:
    with Mailbox(certificate, ("news@example.com", "p@ss:w/rd%")) as mailbox:
        send(f"smtp://news%40example.com:p%40ss%3Aw%2Frd%25@127.0.0.1:{mailbox.port}")
        assert mailbox.mails[0].user == "news@example.com"


def test_required_tls_that_is_not_offered_sends_nothing(mailbox: Mailbox) -> None:
    with pytest.raises(smtplib.SMTPNotSupportedError, match="offers no STARTTLS"):
        send(mailbox.url.replace("smtp:", "smtp+starttls:"))
    assert mailbox.mails == []


@pytest.mark.parametrize("scheme", ["smtp", "smtp+starttls"])
def test_a_certificate_that_nobody_vouches_for_sends_nothing(tls_mailbox: Mailbox, scheme: str) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        send(f"{scheme}://clarion:swordfish@127.0.0.1:{tls_mailbox.port}")
    assert tls_mailbox.mails == []


def test_a_wrong_password(tls_mailbox: Mailbox, trusted: Certificate) -> None:
    with pytest.raises(smtplib.SMTPAuthenticationError):
        send(f"smtp://clarion:wrong@127.0.0.1:{tls_mailbox.port}")


def test_a_server_that_is_not_there() -> None:
    with pytest.raises(ConnectionRefusedError):
        send(f"smtp://127.0.0.1:{free_port()}")
