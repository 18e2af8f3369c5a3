"""The asymmetric scheme of Standard Webhooks 1.0: v1a, Ed25519 (RFC 8032)."""

import base64
import binascii
from dataclasses import dataclass, field
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

PRIVATE_KEY_PREFIX = "whsk_"
PUBLIC_KEY_PREFIX = "whpk_"
_SEED_BYTES = 32
_PAIR_BYTES = 64


@dataclass(frozen=True, slots=True)
class AsymmetricKey:
    """A key pair; equal to another of the same public key."""

    public: bytes
    _private: Ed25519PrivateKey = field(repr=False, compare=False)

    @classmethod
    def of(cls, private: Ed25519PrivateKey) -> Self:
        """Make the pair of a private key."""
        return cls(private.public_key().public_bytes_raw(), private)

    @property
    def public_key(self) -> str:
        """The form that receivers are given: `whpk_` and the 32 bytes of the public key in base64."""
        return PUBLIC_KEY_PREFIX + _base64(self.public)

    def signature(self, content: bytes) -> str:
        """Return `v1a,` and the base64 of the signature."""
        return "v1a," + _base64(self._private.sign(content))

    def serialized(self) -> str:
        """Return the private form: `whsk_` and the base64 of seed and public key, 64 bytes."""
        return PRIVATE_KEY_PREFIX + _base64(self._private.private_bytes_raw() + self.public)


def new_private_key() -> str:
    """Return a fresh key pair as it is kept: `whsk_` and the base64 of seed and public key."""
    return AsymmetricKey.of(Ed25519PrivateKey.generate()).serialized()


def parse_private_key(text: str) -> AsymmetricKey:
    """Return the key pair that `whsk_…` stands for: the seed of RFC 8032, then the public key.

    The specification leaves open which bytes the private key holds; these are the ones that its
    reference server takes and its example was signed with. Raises ValueError in people's words,
    also where the public key is not the seed's.
    """
    try:
        pair = base64.b64decode(text.removeprefix(PRIVATE_KEY_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        pair = b""
    if not text.startswith(PRIVATE_KEY_PREFIX) or len(pair) != _PAIR_BYTES:
        raise ValueError(f"a private key is {PRIVATE_KEY_PREFIX} followed by {_PAIR_BYTES} bytes in base64")
    key = AsymmetricKey.of(Ed25519PrivateKey.from_private_bytes(pair[:_SEED_BYTES]))
    if key.public != pair[_SEED_BYTES:]:
        raise ValueError("the second half of a private key is its public key, which this one's is not")
    return key


def _base64(content: bytes) -> str:
    return binascii.b2a_base64(content, newline=False).decode("ascii")
