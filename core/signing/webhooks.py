"""Signatures of webhook messages (Standard Webhooks 1.0, symmetric scheme v1)."""

import base64
import binascii
import hmac
import secrets as randomness
from collections.abc import Sequence

ID_HEADER = "webhook-id"
TIMESTAMP_HEADER = "webhook-timestamp"
SIGNATURE_HEADER = "webhook-signature"
SECRET_PREFIX = "whsec_"  # noqa: S105 (a prefix that everyone knows)
_NEW_SECRET_BYTES = 32
_SECRET_BYTES = range(24, 65)


def new_secret() -> str:
    """Return a fresh secret in the form that receivers are given: `whsec_` and 32 random bytes in base64."""
    return SECRET_PREFIX + base64.b64encode(randomness.token_bytes(_NEW_SECRET_BYTES)).decode()


def parse_secret(text: str) -> bytes:
    """Return the key that a secret stands for, with or without its prefix and base64 padding.

    Raises ValueError in people's words for anything but 24 to 64 bytes in base64.
    """
    encoded = text.strip().removeprefix(SECRET_PREFIX).rstrip("=")
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"a secret is {SECRET_PREFIX} followed by base64") from None
    if len(key) not in _SECRET_BYTES:
        raise ValueError(
            f"a secret must hold {_SECRET_BYTES[0]} to {_SECRET_BYTES[-1]} bytes, this one holds {len(key)}"
        )
    return key


def sign(message_id: str, timestamp: int, body: bytes, secrets: Sequence[bytes]) -> str:
    """Return the value of the signature header: one signature for each key, separated by spaces.

    `timestamp` is in seconds since the epoch, as in the timestamp header.
    """
    content = b"%b.%d.%b" % (message_id.encode(), timestamp, body)
    return " ".join([_signature(secret, content) for secret in secrets])


def _signature(secret: bytes, content: bytes) -> str:
    return "v1," + binascii.b2a_base64(hmac.digest(secret, content, "sha256"), newline=False).decode("ascii")
