"""Signatures and secrets at rest."""

from core.signing.keys import derive_key
from core.signing.secretbox import SecretBox, UndecryptableSecret
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
    "SecretBox",
    "UndecryptableSecret",
    "derive_key",
    "new_secret",
    "parse_secret",
    "sign",
]
