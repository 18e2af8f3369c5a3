"""The first pass over a query: its lexemes, each with its place."""

import re
from collections.abc import Iterator
from enum import Enum, auto
from typing import NamedTuple

from core.query.errors import QueryError
from core.query.nodes import QUOTES

_CURLY = QUOTES[1:]


class Kind(Enum):
    """What a lexeme is."""

    OPEN = auto()
    CLOSE = auto()
    AND = auto()
    OR = auto()
    NOT = auto()
    WORD = auto()
    PHRASE = auto()
    TITLE = auto()
    FIELD = auto()
    END = auto()


class Lexeme(NamedTuple):
    """A piece of a query; `text` is the inside of a phrase, and the value of a field called `name`."""

    kind: Kind
    text: str
    position: int
    name: str = ""


# A straight quote ends at a straight one, a typographic one at any typographic one, since languages differ in
# which of them open and close.
_QUOTED = rf'"(?P<straight>(?:[^"\\]|\\.)*+)"|[{_CURLY}](?P<curly>[^{_CURLY}]*+)[{_CURLY}]'
_BARE = rf"[^\s(){QUOTES}]+"
_LEXEME = re.compile(
    rf"""
      (?P<space>   \s+ )
    | (?P<OPEN>    \( )
    | (?P<CLOSE>   \) )
    | (?P<dash>    -+ (?= [\s)] | \Z ) )
    | (?P<NOT>     - )
    | (?P<field>   (?ai: (?P<name> title|source|lang|category ) ) : )
    | (?P<PHRASE>  {_QUOTED} )
    | (?P<unended> [{QUOTES}] )
    | (?P<WORD>    {_BARE} )
    """,
    re.VERBOSE | re.DOTALL,
)
_VALUE = re.compile(rf"{_QUOTED}|(?P<unended>[{QUOTES}])|(?P<bare>{_BARE})", re.DOTALL)
_ESCAPE = re.compile(r'\\(["\\])')
_KEYWORDS = {"AND": Kind.AND, "OR": Kind.OR, "NOT": Kind.NOT}


def lexemes(query: str) -> Iterator[Lexeme]:
    """Yield the lexemes of a query, the last of kind END.

    Raises QueryError for a phrase without end and a field without value.
    """
    position = 0
    while position < len(query):
        found = _LEXEME.match(query, position)
        if found is None:  # every character is a space, a parenthesis, a quote or part of a word
            raise AssertionError(query[position])
        if found["name"] and found["name"].lower() != "title":
            value, position = _value(query, found.end())
            yield Lexeme(Kind.FIELD, value, found.start(), found["name"].lower())
            continue
        position = found.end()
        if found.lastgroup not in {"space", "dash"}:
            yield _lexeme(found)
    yield Lexeme(Kind.END, "", len(query))


def _lexeme(found: re.Match[str]) -> Lexeme:
    match found.lastgroup:
        case "field":
            return Lexeme(Kind.TITLE, found[0], found.start())
        case "PHRASE":
            return Lexeme(Kind.PHRASE, _inside(found), found.start())
        case "unended":
            raise _unended(found.start())
        case "WORD":
            return Lexeme(_KEYWORDS.get(found[0], Kind.WORD), found[0], found.start())
        case operator:
            return Lexeme(Kind[str(operator)], found[0], found.start())


def _value(query: str, position: int) -> tuple[str, int]:
    """Return a field's value without its quotes, and where it ends."""
    found = _VALUE.match(query, position)
    if found is None:
        raise QueryError("a value right after the colon", position)
    if found["unended"]:
        raise _unended(position)
    return found["bare"] or _inside(found), found.end()


def _inside(quoted: re.Match[str]) -> str:
    straight: str | None = quoted["straight"]
    return quoted["curly"] if straight is None else _ESCAPE.sub(r"\1", straight)


def _unended(position: int) -> QueryError:
    return QueryError("a closing quote for the phrase that starts", position)
