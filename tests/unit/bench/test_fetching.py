"""Feeds that are served to be fetched, and who fetches them."""

from collections.abc import Iterator

import pytest

from bench import feed_documents
from bench.feed_loop import read_all
from bench.feed_server_process import FeedServerProcess
from bench.fetcher_rounds import fetching
from core.clock import SystemClock
from fetcher.sources.base import Document
from fetcher.sources.feed import KIND

HOSTS = SOURCES = 7


@pytest.fixture
def server() -> Iterator[FeedServerProcess]:
    with FeedServerProcess(HOSTS) as started:
        yield started


def items_of(body: bytes) -> int:
    """Return how many items a document has."""
    document = Document("https://site.example/feed", 200, {}, body)
    return len(KIND.parse(document, SystemClock().now()).items)


def test_where_none_are_recorded_feeds_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_documents, "recorded", list)
    made = feed_documents.documents()
    assert len(made) == feed_documents.GENERATED
    assert {items_of(body) for body in made} == {feed_documents.ITEMS}


def test_the_loop_reads_every_feed_and_asks_once_more_whether_it_changed(server: FeedServerProcess) -> None:
    figures = read_all(server.urls("loop", SOURCES))
    assert figures["entries"] > 0
    assert server.counts() == {"documents": SOURCES, "not_modified": SOURCES}


@pytest.mark.postgresql
@pytest.mark.rabbitmq
def test_the_fetcher_stores_what_is_new_once(
    server: FeedServerProcess, postgresql_url: str, fresh_broker_url: str
) -> None:
    with fetching(postgresql_url, fresh_broker_url, server) as made:
        before = server.counts()
        # Each ends the process when a source fails, or an entry is not published.
        first, unchanged = made.begin(server.urls("sources", SOURCES)), made.again()
        server.change()
        known = made.again()
    sent = {name: count - before[name] for name, count in server.counts().items()}
    assert sent == {"documents": 2 * SOURCES, "not_modified": SOURCES}
    assert first.new > 0
    assert (unchanged.new, known.new) == (0, 0)
    assert [one.polls for one in (first, unchanged, known)] == [SOURCES] * 3
