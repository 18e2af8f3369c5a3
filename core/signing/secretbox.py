"""Keeping channel secrets unreadable in the database."""

import base64
from collections.abc import Sequence
from typing import Self

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from core.errors import ClarionError
from core.signing.keys import SECRET_KEY_VARIABLE, derive_key, split_secret_keys

_PURPOSE = "secrets at rest"


class UndecryptableSecret(ClarionError):
    """A stored secret was encrypted with a key that this process does not have."""


class SecretBox:
    """Encrypts with the first of the given secret keys, and decrypts with whichever fits (Fernet)."""

    def __init__(self, secret_keys: Sequence[str]) -> None:
        self._box = MultiFernet([_fernet(key) for key in secret_keys])

    @classmethod
    def from_setting(cls, text: str) -> Self:
        """Read `CLARION_SECRET_KEY`. Raises ConfigurationError."""
        return cls(split_secret_keys(text))

    def encrypt(self, secret: str) -> str:
        """Return what may be stored: ASCII, different at each call."""
        return self._box.encrypt(secret.encode()).decode("ascii")

    def decrypt(self, stored: str) -> str:
        """Return the secret. Raises UndecryptableSecret."""
        try:
            return self._box.decrypt(stored).decode()
        except (InvalidToken, ValueError):
            raise UndecryptableSecret(
                f"a stored secret cannot be decrypted with {SECRET_KEY_VARIABLE}: "
                "append the key that it was stored with, after a comma"
            ) from None


def _fernet(secret_key: str) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(derive_key(secret_key, _PURPOSE)))
