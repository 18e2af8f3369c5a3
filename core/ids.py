"""Identifiers: a prefix that names the kind, then a ULID, so that they sort by time of creation."""

from itertools import product
from secrets import randbits

from ulid import ULID

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32, as in the ULID specification
_TRIPLES = ["".join(letters) for letters in product(_ALPHABET, repeat=3)]
_COUNTED_BITS = 30


def new_id(prefix: str) -> str:
    """Return a fresh id such as `sub_01JD…`: `prefix`, an underscore and a ULID (26 characters)."""
    return f"{prefix}_{ULID()}"


def new_ids(prefix: str, count: int) -> list[str]:
    """Return fresh ids in ascending order: ULIDs that share time and chance but for the last 30 bits.

    Making each by itself would cost more than writing it to the database; at most 2**29 at once.
    """
    shared = f"{prefix}_{str(ULID())[:-6]}"
    first = randbits(_COUNTED_BITS - 1)
    return [
        f"{shared}{_TRIPLES[number >> 15]}{_TRIPLES[number & 0x7FFF]}"
        for number in range(first, first + count)
    ]
