"""The tree that a query is: immutable, in one form for equal queries, and able to judge a document.

Trees are built by `conjunction`, `disjunction` and `negation`, which keep them in that form. `str(node)` is
the canonical query.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise

from core.query.document import Document
from core.query.tokens import is_glued

QUOTES = '"\u201c\u201d\u201e\u201f\u00ab\u00bb\uff02'
_BARE = re.compile(rf"[^\s(){QUOTES}]+")
_ESCAPED = re.compile(r'(["\\])')


class FieldName(StrEnum):
    """What a query can ask of an article besides its words."""

    SOURCE = "source"
    LANGUAGE = "lang"
    CATEGORY = "category"


@dataclass(frozen=True, slots=True)
class Phrase:
    """Adjacent tokens, often a single one; the last may be a `prefix`, and the title the only place."""

    tokens: tuple[str, ...]
    is_prefix: bool = False
    in_title: bool = False
    needle: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        needle = f" {' '.join(self.tokens)}{'' if self.is_prefix else ' '}"
        object.__setattr__(self, "needle", needle)

    def matches(self, document: Document) -> bool:
        """Tell whether the document holds the phrase."""
        if len(self.tokens) == 1 and not self.is_prefix:
            return self.tokens[0] in (document.title_words if self.in_title else document.words)
        return self.needle in (document.title_text if self.in_title else document.text)

    def __str__(self) -> str:
        separator = "-" if self.is_prefix else " "
        written = self.tokens[0] + "".join(
            right if is_glued(left, right) else separator + right for left, right in pairwise(self.tokens)
        )
        quoted = f'"{written}"' if separator in written and not self.is_prefix else written
        return f"{'title:' if self.in_title else ''}{quoted}{'*' if self.is_prefix else ''}"


@dataclass(frozen=True, slots=True)
class Field:
    """One of the names of the article's source, language or categories."""

    name: FieldName
    value: str

    def matches(self, document: Document) -> bool:
        """Tell whether the document has that name."""
        match self.name:
            case FieldName.SOURCE:
                return self.value in document.sources
            case FieldName.LANGUAGE:
                return self.value in document.languages
            case FieldName.CATEGORY:
                return self.value in document.categories

    def __str__(self) -> str:
        if _BARE.fullmatch(self.value):
            return f"{self.name}:{self.value}"
        escaped = _ESCAPED.sub(r"\\\1", self.value)
        return f'{self.name}:"{escaped}"'


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite of its operand."""

    operand: "Node"

    def matches(self, document: Document) -> bool:
        """Tell whether the operand does not match."""
        return not self.operand.matches(document)

    def __str__(self) -> str:
        return f"-({self.operand})" if isinstance(self.operand, And | Or) else f"-{self.operand}"


@dataclass(frozen=True, slots=True)
class And:
    """All of its operands."""

    operands: tuple["Node", ...]

    def matches(self, document: Document) -> bool:
        """Tell whether every operand matches."""
        return all(operand.matches(document) for operand in self.operands)

    def __str__(self) -> str:
        return " ".join(f"({node})" if isinstance(node, Or) else str(node) for node in self.operands)


@dataclass(frozen=True, slots=True)
class Or:
    """Any of its operands."""

    operands: tuple["Node", ...]

    def matches(self, document: Document) -> bool:
        """Tell whether an operand matches."""
        return any(operand.matches(document) for operand in self.operands)

    def __str__(self) -> str:
        return " OR ".join(map(str, self.operands))


Node = Phrase | Field | Not | And | Or


def conjunction(operands: Iterable["Node"]) -> "Node":
    """Return the tree for all of the operands, of which there is at least one."""
    flat: Iterator[Node] = (
        part for node in operands for part in (node.operands if isinstance(node, And) else (node,))
    )
    ordered = _ordered(flat)
    return ordered[0] if len(ordered) == 1 else And(ordered)


def disjunction(operands: Iterable["Node"]) -> "Node":
    """Return the tree for any of the operands, of which there is at least one."""
    flat: Iterator[Node] = (
        part for node in operands for part in (node.operands if isinstance(node, Or) else (node,))
    )
    ordered = _ordered(flat)
    return ordered[0] if len(ordered) == 1 else Or(ordered)


def negation(operand: "Node") -> "Node":
    """Return the tree for the opposite."""
    return operand.operand if isinstance(operand, Not) else Not(operand)


def excludes_only(node: "Node") -> bool:
    """Tell whether the tree names nothing to look for, only what to leave out."""
    if isinstance(node, And):
        return all(map(excludes_only, node.operands))
    return isinstance(node, Not)


def phrases(node: "Node") -> Iterator[Phrase]:
    """Yield every phrase of the tree, excluded ones included."""
    match node:
        case Phrase():
            yield node
        case Not():
            yield from phrases(node.operand)
        case And() | Or():
            for operand in node.operands:
                yield from phrases(operand)


def with_phrases(node: "Node", replace: Callable[[Phrase], "Node"]) -> "Node":
    """Return the tree with each phrase replaced by what `replace` makes of it."""
    match node:
        case Phrase():
            return replace(node)
        case Not():
            return negation(with_phrases(node.operand, replace))
        case And():
            return conjunction(with_phrases(operand, replace) for operand in node.operands)
        case Or():
            return disjunction(with_phrases(operand, replace) for operand in node.operands)
        case Field():
            return node


def _ordered(nodes: Iterable["Node"]) -> tuple["Node", ...]:
    """Sort and drop repeats; what is excluded comes last, as people write it."""
    return tuple(sorted(dict.fromkeys(nodes), key=lambda node: (isinstance(node, Not), str(node))))
