"""The signing keys in a webhook's configuration: the present one, and those that it replaced."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

from core.clock import rfc3339
from core.errors import FieldError
from core.signing import (
    AsymmetricKey,
    SigningKey,
    SymmetricKey,
    new_private_key,
    new_secret,
    parse_private_key,
    parse_secret,
)

Scheme = Literal["v1", "v1a"]
SYMMETRIC: Scheme = "v1"
ASYMMETRIC: Scheme = "v1a"
SIGNATURE = "signature"
SECRET = "secret"  # noqa: S105 (the field's name)
PRIVATE_KEY = "private_key"
PREVIOUS = "previous"
UNTIL = "until"
MOST_PREVIOUS = 3


def new_key(scheme: Scheme, secret: str | None) -> dict[str, str]:
    """Return what a configuration says of its scheme and a new key: the given secret's, or a fresh one.

    Secrets are spelled in one way, so that the same one is equal. Raises FieldError.
    """
    if scheme == ASYMMETRIC:
        if secret is not None:
            raise FieldError(SECRET, f"webhooks signed with {ASYMMETRIC} have a key pair that Clarion makes")
        return {SIGNATURE: scheme, PRIVATE_KEY: new_private_key()}
    if secret is None:
        return {SIGNATURE: scheme, SECRET: new_secret()}
    try:
        return {SIGNATURE: scheme, SECRET: parse_secret(secret).serialized()}
    except ValueError as error:
        raise FieldError(SECRET, str(error)) from None


def scheme_of(config: Mapping[str, Any]) -> Scheme:
    """Return how a webhook's messages are signed."""
    return ASYMMETRIC if PRIVATE_KEY in config else SYMMETRIC


def public_key(config: Mapping[str, Any]) -> str | None:
    """Return what receivers verify with, where that is no secret. Raises ValueError for a malformed key."""
    return parse_private_key(config[PRIVATE_KEY]).public_key if PRIVATE_KEY in config else None


def keys_of(config: Mapping[str, Any]) -> list[tuple[SigningKey, datetime | None]]:
    """Return the keys, the present one first, each replaced one with the time until which it signs.

    Raises ValueError for a configuration without a readable key.
    """
    previous = [(_read(entry), datetime.fromisoformat(entry[UNTIL])) for entry in config.get(PREVIOUS, ())]
    return [(_read(config), None), *previous]


def rotated(
    config: Mapping[str, Any], secret: str | None, now: datetime, overlap: timedelta
) -> dict[str, Any]:
    """Return a configuration with a new key (the given secret's, or a fresh one), the old one kept a while.

    The present secret again changes nothing, so a request may be repeated. Raises FieldError.
    """
    return replaced(config, {**config, **new_key(scheme_of(config), secret)}, now, overlap)


def replaced(
    stored: Mapping[str, Any], config: Mapping[str, Any], now: datetime, overlap: timedelta
) -> dict[str, Any]:
    """Return `config` with what `stored` knows of keys: its present one signs until `overlap` has passed."""
    old, new = _key_entry(stored), _key_entry(config)
    entries = [entry for entry in stored.get(PREVIOUS, ()) if datetime.fromisoformat(entry[UNTIL]) > now]
    if old != new and overlap:
        entries.insert(0, old | {UNTIL: rfc3339(now + overlap)})
    previous = [entry for entry in entries if _key_entry(entry) != new][:MOST_PREVIOUS]
    rest = {name: value for name, value in config.items() if name != PREVIOUS}
    return rest | ({PREVIOUS: previous} if previous else {})


def carried(
    stored: Mapping[str, Any], config: Mapping[str, Any], now: datetime, overlap: timedelta
) -> dict[str, Any]:
    """Return a changed `config` with the keys of the `stored` one, which a change of the scheme replaces."""
    if scheme_of(stored) == scheme_of(config):
        config = {**config, **_key_entry(stored)}
    return replaced(stored, config, now, overlap)


def _key_entry(config: Mapping[str, Any]) -> dict[str, str]:
    return {name: config[name] for name in (SECRET, PRIVATE_KEY) if name in config}


def _read(entry: Mapping[str, Any]) -> SymmetricKey | AsymmetricKey:
    if PRIVATE_KEY in entry:
        return parse_private_key(entry[PRIVATE_KEY])
    if SECRET in entry:
        return parse_secret(entry[SECRET])
    raise ValueError("a webhook has no key to sign with")
