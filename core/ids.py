"""Identifiers: a prefix that names the kind, then a ULID, so that they sort by time of creation."""

from ulid import ULID


def new_id(prefix: str) -> str:
    """Return a fresh id such as `sub_01JD…`: `prefix`, an underscore and a ULID (26 characters)."""
    return f"{prefix}_{ULID()}"
