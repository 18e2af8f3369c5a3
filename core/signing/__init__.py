"""Signatures and secrets at rest."""

from core.signing.asymmetric import AsymmetricKey, new_private_key, parse_private_key
from core.signing.keys import derive_key
from core.signing.mail_tokens import Addressee, MailPurpose, MailTokens
from core.signing.secretbox import SecretBox, UndecryptableSecret
from core.signing.webhooks import (
    ID_HEADER,
    SIGNATURE_HEADER,
    TIMESTAMP_HEADER,
    SigningKey,
    SymmetricKey,
    new_secret,
    parse_secret,
    sign,
)

__all__ = [
    "ID_HEADER",
    "SIGNATURE_HEADER",
    "TIMESTAMP_HEADER",
    "Addressee",
    "AsymmetricKey",
    "MailPurpose",
    "MailTokens",
    "SecretBox",
    "SigningKey",
    "SymmetricKey",
    "UndecryptableSecret",
    "derive_key",
    "new_private_key",
    "new_secret",
    "parse_private_key",
    "parse_secret",
    "sign",
]
