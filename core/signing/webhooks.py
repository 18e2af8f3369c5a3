"""Signatures of webhook messages (Standard Webhooks 1.0), and their symmetric scheme v1."""

import base64
import binascii
import hmac
import secrets as randomness
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

ID_HEADER = "webhook-id"
TIMESTAMP_HEADER = "webhook-timestamp"
SIGNATURE_HEADER = "webhook-signature"
SECRET_PREFIX = "whsec_"  # noqa: S105 (a prefix that everyone knows)
_NEW_SECRET_BYTES = 32
_SECRET_BYTES = range(24, 65)


class SigningKey(Protocol):
    """A key of either scheme, read once and used for every message."""

    def signature(self, content: bytes) -> str:
        """Return the signature of what is signed, with the scheme's identifier before it."""


@dataclass(frozen=True, slots=True)
class SymmetricKey:
    """A shared secret (HMAC-SHA256, scheme v1)."""

    secret: bytes = field(repr=False)

    def signature(self, content: bytes) -> str:
        """Return `v1,` and the base64 of the HMAC."""
        digest = hmac.digest(self.secret, content, "sha256")
        return "v1," + binascii.b2a_base64(digest, newline=False).decode("ascii")

    def serialized(self) -> str:
        """Return the form that receivers are given: `whsec_` and base64 with its padding."""
        return SECRET_PREFIX + base64.b64encode(self.secret).decode("ascii")


def new_secret() -> str:
    """Return a fresh secret in the form that receivers are given: `whsec_` and 32 random bytes in base64."""
    return SECRET_PREFIX + base64.b64encode(randomness.token_bytes(_NEW_SECRET_BYTES)).decode()


def parse_secret(text: str) -> SymmetricKey:
    """Return the key that a secret stands for, with or without its prefix and base64 padding.

    Raises ValueError in people's words for anything but 24 to 64 bytes in base64.
    """
    encoded = text.strip().removeprefix(SECRET_PREFIX).rstrip("=")
    try:
        secret = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"a secret is {SECRET_PREFIX} followed by base64") from None
    size = len(secret)
    if size not in _SECRET_BYTES:
        raise ValueError(
            f"a secret must hold {_SECRET_BYTES[0]} to {_SECRET_BYTES[-1]} bytes, this one holds {size}"
        )
    return SymmetricKey(secret)


def sign(message_id: str, timestamp: int, body: bytes, keys: Iterable[SigningKey]) -> str:
    """Return the value of the signature header: one signature for each key, separated by spaces.

    `timestamp` is in seconds since the epoch, as in the timestamp header.
    """
    content = b"%b.%d.%b" % (message_id.encode(), timestamp, body)
    return " ".join([key.signature(content) for key in keys])
