"""Reading feeds, without fetching them: whether all can be read, and what that costs beside feedparser."""

import time
from collections.abc import Callable, Sequence

import feedparser

from bench.feed_documents import documents
from core.clock import SystemClock
from fetcher.parsing.sandbox import Sandbox
from fetcher.sources.base import Document, SourceError
from fetcher.sources.feed import KIND

ROUNDS = 5


def read_in_sandbox(feeds: Sequence[bytes]) -> dict[str, int]:
    """Read each feed as the fetcher does; return how many there are, their items, and how many failed."""
    sandbox, items, failures = Sandbox(1), 0, 0
    try:
        for body in feeds:
            try:
                items += len(sandbox.parse(KIND, _document(body), SystemClock().now()).items)
            except SourceError:
                failures += 1
    finally:
        sandbox.close()
    return {"feeds": len(feeds), "items": items, "failures": failures}


def costs() -> dict[str, float]:
    """Return items per second of processor time, for the kind `feed` and for feedparser, and the ratio."""
    ours = _items_per_second(lambda body: len(KIND.parse(_document(body), SystemClock().now()).items))
    theirs = _items_per_second(lambda body: len(feedparser.parse(body).entries))
    return {"clarion": round(ours), "feedparser": round(theirs), "times": round(ours / theirs, 2)}


def _items_per_second(read: Callable[[bytes], int]) -> float:
    feeds = documents()
    read(feeds[0])
    started = time.process_time()
    items = sum(read(body) for _ in range(ROUNDS) for body in feeds)
    return items / (time.process_time() - started)


def _document(body: bytes) -> Document:
    return Document("https://site.example/feed", 200, {}, body)
