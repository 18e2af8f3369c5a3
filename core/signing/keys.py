"""Keys for each purpose, derived from `CLARION_SECRET_KEY`."""

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from core.errors import ConfigurationError

KEY_BYTES = 32
SECRET_KEY_LENGTH = 32
SECRET_KEY_VARIABLE = "CLARION_SECRET_KEY"  # noqa: S105 (the setting's name)
_SALT = b"clarion"


def derive_key(secret_key: str, purpose: str) -> bytes:
    """Return the 32 bytes for `purpose` (HKDF-SHA256, RFC 5869): knowing one tells nothing of another."""
    return HKDF(SHA256(), KEY_BYTES, salt=_SALT, info=purpose.encode()).derive(secret_key.encode())


def split_secret_keys(setting: str) -> tuple[str, ...]:
    """Return the keys of the setting, the one to use for what is new first.

    Raises ConfigurationError naming the variable when one is missing or shorter than 32 characters.
    """
    keys = tuple(key.strip() for key in setting.split(","))
    if any(len(key) < SECRET_KEY_LENGTH for key in keys):
        raise ConfigurationError(
            f"{SECRET_KEY_VARIABLE}: every key in it needs at least {SECRET_KEY_LENGTH} characters"
        )
    return keys
