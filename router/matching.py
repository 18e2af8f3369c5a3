"""Which subscriptions an article matches, out of very many, without asking each."""

import operator
import secrets
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol, overload

from core.query import Aliases, Document, QueryError, compiled, limited, parse
from router.plain_index import PlainIndex

try:
    from router._index_core import Index as _CompiledCore
except ImportError:  # built without a C compiler
    _CompiledCore = None  # type: ignore[assignment,misc]

__all__ = ["Matcher", "Matches", "QueryError", "is_compiled", "new_index"]


class Index(Protocol):
    """Compiled queries and the ids of who asked them: what is loaded or discarded counts from the next match.

    An id asks one query at a time. Ids are whole numbers of 64 bits, packed in the machine's order.
    """

    def __len__(self) -> int: ...

    @property
    def queries(self) -> int:
        """How many distinct queries there are."""

    def load(self, code: bytes, ids: "array[int]") -> None:
        """Add ids to a query, or move them there from another; raises ValueError for bytes that are none."""

    def discard(self, subscription_id: int) -> None:
        """Remove an id, if it is there."""

    def match(self, document: Document) -> bytes:
        """Return the ids of the queries that match, packed."""


class CompiledIndex:
    """The index in C, which judges articles among a million queries in microseconds."""

    def __init__(self) -> None:
        self._core = _CompiledCore(secrets.randbits(64))
        self.load = self._core.load
        self.discard = self._core.discard

    def __len__(self) -> int:
        return len(self._core)

    def __sizeof__(self) -> int:
        return self._core.__sizeof__()

    @property
    def queries(self) -> int:
        """How many distinct queries there are."""
        return self._core.queries

    def match(self, document: Document) -> bytes:
        """Return the ids of the queries that match, packed."""
        return self._core.match(
            document.title_tokens,
            document.summary_tokens,
            document.sources,
            document.languages,
            document.categories,
        )


def is_compiled() -> bool:
    """Tell whether the compiled core of the index was built."""
    return _CompiledCore is not None


def new_index() -> Index:
    """Return an empty index: the compiled one, or the one in plain Python where that was not built."""
    return CompiledIndex() if is_compiled() else PlainIndex()


class Matches(Sequence[int]):
    """Ids as they came out of the index: packed, and made into numbers only when they are looked at."""

    __slots__ = ("_ids",)

    def __init__(self, packed: bytes = b"") -> None:
        self._ids = memoryview(packed).cast("q")

    def __len__(self) -> int:
        return len(self._ids)

    def __iter__(self) -> Iterator[int]:
        return iter(self._ids)

    @overload
    def __getitem__(self, index: int) -> int: ...

    @overload
    def __getitem__(self, index: slice) -> list[int]: ...

    def __getitem__(self, index: int | slice) -> int | list[int]:
        return self._ids[index].tolist() if isinstance(index, slice) else self._ids[index]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(map(operator.eq, self, other))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Matches({self._ids.tolist()})"


class Matcher:
    """The index of subscriptions; what is added or discarded counts from the next `match` on.

    `aliases` maps names to their meanings (`{"k8s": "kubernetes"}`): each then finds the other. To be used by
    one thread at a time.
    """

    def __init__(self, aliases: Mapping[str, str] | None = None, *, index: Index | None = None) -> None:
        self._aliases = Aliases(aliases or {})
        self._index = new_index() if index is None else index

    def __len__(self) -> int:
        return len(self._index)

    @property
    def queries(self) -> int:
        """How many distinct queries the subscriptions have."""
        return self._index.queries

    def add(
        self,
        subscription_id: int,
        query: str,
        *,
        sources: str | Iterable[str] | None = None,
        languages: str | Iterable[str] | None = None,
    ) -> None:
        """Add a subscription, or replace the one of that id.

        `sources` (ids or names) and `languages` limit it to articles of one of them; none given, or an empty
        collection, is no limit. Raises QueryError for a bad query, OverflowError for an id of more than 64
        bits, and then changes nothing.
        """
        asked = limited(parse(query), sources, languages)
        self._index.load(compiled(self._aliases.expand(asked)), array("q", (subscription_id,)))

    def load(self, code: bytes, subscription_ids: Iterable[int]) -> None:
        """Add, or replace, many subscriptions to one query, given as `core.query.compiled` makes it.

        An `array` of type `q` is taken as it is. Raises ValueError for bytes that are no query.
        """
        ids = subscription_ids if isinstance(subscription_ids, array) else array("q", subscription_ids)
        self._index.load(self._aliases.expand_compiled(code), ids)

    def discard(self, subscription_id: int) -> None:
        """Remove a subscription, if it is there."""
        self._index.discard(subscription_id)

    def match(
        self,
        title: str,
        summary: str = "",
        *,
        source: str | Iterable[str] | None = None,
        language: str | None = None,
        categories: str | Iterable[str] = (),
    ) -> Matches:
        """Return the ids of the subscriptions that an article matches, each once, in no certain order.

        `source` is what the source is called: its id, or its id and its name.
        """
        return Matches(self._index.match(Document(title, summary, source, language, categories)))
