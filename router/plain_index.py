"""The matching index in plain Python, for where the compiled core could not be built.

Every query that matches an article must hold at least one of a few things: its anchors. A conjunction needs
only the anchors of its rarest part, a disjunction those of every part. The index finds the queries of which
an anchor is in the article; only those are judged.
"""

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple, TypeVar

from core.query import And, Document, Field, FieldName, Node, Not, Or, Phrase, decompiled, phrases

_K = TypeVar("_K")


class _Kind(IntEnum):
    """What an anchor is, the most selective kind first."""

    WORD = 0
    CATEGORY = 1
    SOURCE = 2
    PREFIX = 3
    LANGUAGE = 4


class _Anchor(NamedTuple):
    kind: _Kind
    value: str


class _Choice(NamedTuple):
    """Anchors of a part of a query, ordered by what they cost: the kind, how common they are, how short."""

    kind: _Kind
    uses: int
    shortness: int
    anchors: tuple[_Anchor, ...]


_FIELD_KINDS = {
    FieldName.SOURCE: _Kind.SOURCE,
    FieldName.LANGUAGE: _Kind.LANGUAGE,
    FieldName.CATEGORY: _Kind.CATEGORY,
}


@dataclass(slots=True, eq=False)
class _Entry:
    """The subscriptions to one query."""

    code: bytes
    query: Node
    anchors: tuple[_Anchor, ...]
    subscriptions: set[int] = field(default_factory=set)


class PlainIndex:
    """Queries and the ids of who asked them; see `router.matching.Index`."""

    def __init__(self) -> None:
        self._subscriptions: dict[int, _Entry] = {}
        self._entries: dict[bytes, _Entry] = {}
        self._index: dict[_Kind, dict[str, set[_Entry]]] = {kind: {} for kind in _Kind}
        self._prefix_lengths: Counter[int] = Counter()
        self._uses: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._subscriptions)

    @property
    def queries(self) -> int:
        """How many distinct queries there are."""
        return len(self._entries)

    def load(self, code: bytes, ids: "array[int]") -> None:
        """Add ids to a query, or move them there from another; raises ValueError for bytes that are none."""
        query = decompiled(code)
        choice = self._choose(query)
        if choice is None:
            raise ValueError("not a compiled query: it looks for nothing")
        for subscription_id in ids:
            self._put(subscription_id, code, query, choice)

    def _put(self, subscription_id: int, code: bytes, query: Node, choice: _Choice) -> None:
        present = self._subscriptions.get(subscription_id)
        if present is not None:
            if present.code == code:
                return
            self.discard(subscription_id)
        entry = self._entries.get(code) or self._insert(code, query, choice)
        entry.subscriptions.add(subscription_id)
        self._subscriptions[subscription_id] = entry

    def discard(self, subscription_id: int) -> None:
        """Remove an id, if it is there."""
        entry = self._subscriptions.pop(subscription_id, None)
        if entry is not None:
            entry.subscriptions.remove(subscription_id)
            if not entry.subscriptions:
                self._remove(entry)

    def match(self, document: Document) -> bytes:
        """Return the ids of the queries that match, packed."""
        candidates: set[_Entry] = set().union(*self._buckets(document))
        found = array("q")
        for entry in candidates:
            if entry.query.matches(document):
                found.extend(entry.subscriptions)
        return found.tobytes()

    def _buckets(self, document: Document) -> Iterator[set[_Entry]]:
        found = (
            (_Kind.WORD, document.words),
            (_Kind.CATEGORY, document.categories),
            (_Kind.SOURCE, document.sources),
            (_Kind.LANGUAGE, document.languages),
            (_Kind.PREFIX, self._prefixes(document.words)),
        )
        for kind, values in found:
            buckets = self._index[kind]
            yield from (buckets[value] for value in values if value in buckets)

    def _prefixes(self, words: Iterable[str]) -> Iterator[str]:
        for word in words:
            yield from (word[:length] for length in self._prefix_lengths if length <= len(word))

    def _insert(self, code: bytes, query: Node, choice: _Choice) -> _Entry:
        self._uses.update(_words(query))
        entry = self._entries[code] = _Entry(code, query, tuple(dict.fromkeys(choice.anchors)))
        for kind, value in entry.anchors:
            self._index[kind].setdefault(value, set()).add(entry)
            if kind is _Kind.PREFIX:
                self._prefix_lengths[len(value)] += 1
        return entry

    def _remove(self, entry: _Entry) -> None:
        del self._entries[entry.code]
        for kind, value in entry.anchors:
            bucket = self._index[kind][value]
            bucket.remove(entry)
            if not bucket:
                del self._index[kind][value]
            if kind is _Kind.PREFIX:
                _decrease(self._prefix_lengths, len(value))
        for word in _words(entry.query):
            _decrease(self._uses, word)

    def _choose(self, node: Node) -> _Choice | None:
        """Return the cheapest anchors without which the node cannot match; None if it only excludes."""
        match node:
            case Phrase():
                return min(self._choices(node))
            case Field(name, value):
                kind = _FIELD_KINDS[name]
                return _Choice(kind, 0, -len(value), (_Anchor(kind, value),))
            case Not():
                return None
            case And(operands):
                return min(filter(None, map(self._choose, operands)), default=None)
            case Or(operands):
                return _united(list(map(self._choose, operands)))

    def _choices(self, phrase: Phrase) -> Iterator[_Choice]:
        whole = phrase.tokens[:-1] if phrase.is_prefix else phrase.tokens
        for word in whole:
            yield _Choice(_Kind.WORD, self._uses[word], -len(word), (_Anchor(_Kind.WORD, word),))
        if phrase.is_prefix:
            start = phrase.tokens[-1]
            yield _Choice(_Kind.PREFIX, 0, -len(start), (_Anchor(_Kind.PREFIX, start),))


def _united(choices: list[_Choice | None]) -> _Choice | None:
    """Return the anchors of all parts of a disjunction, which cost what they cost together."""
    parts = [choice for choice in choices if choice is not None]
    if len(parts) < len(choices):
        return None
    kinds, uses, shortness, anchors = zip(*parts, strict=True)
    return _Choice(
        max(kinds), sum(uses), max(shortness), tuple(anchor for part in anchors for anchor in part)
    )


def _words(query: Node) -> Iterator[str]:
    for phrase in phrases(query):
        yield from phrase.tokens


def _decrease(counts: Counter[_K], key: _K) -> None:
    counts[key] -= 1
    if not counts[key]:
        del counts[key]
