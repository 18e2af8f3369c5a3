"""Choosing: the first candidate that is one, and the newest items of a document."""

from collections.abc import Iterable
from typing import TypeVar

from fetcher.sources.base import Item

MOST_ITEMS = 500

T = TypeVar("T")


def first(candidates: Iterable[T | None]) -> T | None:
    """Return the first candidate that is not None or empty."""
    return next((candidate for candidate in candidates if candidate), None)


def distinct(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the texts without the empty ones and repetitions, in order."""
    return tuple(dict.fromkeys(text for text in texts if text))


def newest(items: Iterable[Item], limit: int = MOST_ITEMS) -> tuple[Item, ...]:
    """Return the newest `limit` items, in document order."""
    document = list(items)
    order = sorted(range(len(document)), key=lambda place: newness(document[place]))
    return tuple(document[place] for place in sorted(order[:limit]))


def newness(item: Item) -> float:
    """Return a key that sorts the newest item first and those without a date last."""
    return -item.published_at.timestamp() if item.published_at else float("inf")
