"""Signatures, secrets at rest and signed links."""

from core.signing.keys import derive_key
from core.signing.secretbox import SecretBox, UndecryptableSecret
from core.signing.tokens import ExpiredToken, InvalidToken, SignedTokens
from core.signing.webhooks import (
    ID_HEADER,
    SIGNATURE_HEADER,
    TIMESTAMP_HEADER,
    new_secret,
    parse_secret,
    sign,
)

__all__ = [
    "ID_HEADER",
    "SIGNATURE_HEADER",
    "TIMESTAMP_HEADER",
    "ExpiredToken",
    "InvalidToken",
    "SecretBox",
    "SignedTokens",
    "UndecryptableSecret",
    "derive_key",
    "new_secret",
    "parse_secret",
    "sign",
]
