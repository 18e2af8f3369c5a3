"""Which aliases may be stored: each by itself, and all of them together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.errors import FieldError
from core.query.aliases import Aliases, alias_key
from core.query.errors import QueryError
from core.text import one_line, storable

MOST_ALIASES = 10_000
MOST_ALIKE = 20
"""How many names may mean each other: a query is asked for all of them."""
LONGEST = 100
_LONGEST_KEY = 500  # some characters are many once they are comparable, and the key must fit into an index


@dataclass(frozen=True)
class NewAlias:
    """A checked alias; names of one `key` are the same name."""

    key: str
    name: str
    meaning: str


def new_alias(name: str, meaning: str) -> NewAlias:
    """Return the alias by which `name` and `meaning` find each other; raises FieldError."""
    name, meaning = one_line(storable(name)), one_line(storable(meaning))
    key = _key("name", name)
    if key == _key("meaning", meaning):
        raise FieldError("meaning", "is the name itself")
    return NewAlias(key, name, meaning)


def refusals(known: Mapping[str, NewAlias], wanted: Sequence[NewAlias]) -> dict[int, FieldError]:
    """Return which of the wanted aliases, by their place, cannot join those known by their key, and why.

    A known one of the same key would be replaced.
    """
    refused: dict[int, FieldError] = {}
    places: dict[str, int] = {}
    room = MOST_ALIASES - len(known)
    for place, alias in enumerate(wanted):
        if alias.key in places:
            refused[place] = FieldError("name", "was given before")
        elif room <= 0 and alias.key not in known:
            refused[place] = FieldError("name", f"there may be at most {MOST_ALIASES:,} aliases")
        else:
            places[alias.key] = place
            room -= alias.key not in known
    return refused | _crowded(known, wanted, places)


def _crowded(
    known: Mapping[str, NewAlias], wanted: Sequence[NewAlias], places: dict[str, int]
) -> dict[int, FieldError]:
    """Refuse all that would share their meaning with too many; the known of a refused one stays."""
    refused: dict[int, FieldError] = {}
    while True:
        together = {**known, **{key: wanted[place] for key, place in places.items()}}
        table = Aliases({alias.name: alias.meaning for alias in together.values()})
        crowded = {key for key, place in places.items() if table.alike(wanted[place].name) > MOST_ALIKE}
        if not crowded:
            return refused
        for key in crowded:
            refused[places.pop(key)] = FieldError("meaning", f"at most {MOST_ALIKE} names may mean the same")


def _key(field: str, text: str) -> str:
    try:
        key = alias_key(text)
    except QueryError:
        raise FieldError(field, "needs a letter or a digit") from None
    if len(text) > LONGEST or len(key) > _LONGEST_KEY:
        raise FieldError(field, f"may have at most {LONGEST} characters")
    return key
