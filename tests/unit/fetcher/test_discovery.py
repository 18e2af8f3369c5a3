"""Finding the feeds of pages, over real sockets."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from ipaddress import ip_network
from typing import TypeVar

import pytest

from core.clock import ManualClock
from core.egress import EgressPolicy, GuardedSession, guarded_session
from fetcher.discovery import MOST_REQUESTS, WELL_KNOWN, FeedFinder, FoundFeed
from fetcher.hosts import HostGate
from fetcher.sources.base import Document, ParsedDocument, SourceError
from fetcher.sources.feed import KIND, FeedKind
from tests.receiver import Receiver, Respond, redirect
from tests.servers import free_port

T = TypeVar("T")

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
OPEN = EgressPolicy((ip_network("127.0.0.0/8"),))
MISSING = Respond(404, b"nothing here")
RSS = Respond(
    200,
    b"<rss version='2.0'><channel><title>The Wire</title>"
    b"<item><title>Old</title><pubDate>Sat, 28 Feb 2026 08:00:00 GMT</pubDate></item>"
    b"<item><title>New</title><pubDate>Sun, 01 Mar 2026 08:00:00 GMT</pubDate></item></channel></rss>",
)
EMPTY = Respond(200, b"<rss version='2.0'><channel><title>Empty</title></channel></rss>")
COMMENTS = Respond(
    200,
    b"<rss version='2.0'><channel><title>Comments on: X</title><item><title>C</title></item></channel></rss>",
)
ATOM = Respond(
    200,
    b"<?xml version='1.0'?><feed xmlns='http://www.w3.org/2005/Atom'><title>Atoms</title>"
    b"<entry><title>A</title><id>1</id><updated>2026-02-01T08:00:00Z</updated></entry></feed>",
)
JSON = Respond(
    200,
    b'{"version": "https://jsonfeed.org/version/1.1", "title": "J", "items": [{"id": "1", "title": "T"}]}',
)


@dataclass
class Passing:
    """A monotonic clock that moves when somebody waits."""

    seconds: float = 1_000.0
    pauses: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.seconds

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.seconds += seconds


@pytest.fixture
def session() -> Iterator[GuardedSession]:
    with guarded_session(OPEN, user_agent="Clarion test") as made:
        yield made


@pytest.fixture
def passing() -> Passing:
    return Passing()


def called(function: Callable[..., T], *arguments: object) -> T:
    """Call without a process for it."""
    return function(*arguments)


def finder(session: GuardedSession, passing: Passing, spacing: float = 0.0) -> FeedFinder:
    clock = ManualClock(NOW)
    return FeedFinder(
        session, KIND, clock, HostGate(spacing), run=called, monotonic=passing, pause=passing.pause
    )


@pytest.fixture
def find(session: GuardedSession, passing: Passing) -> FeedFinder:
    return finder(session, passing)


def page(html: str) -> Respond:
    return Respond(200, f"<!doctype html><html>{html}".encode(), (("Content-Type", "text/html"),))


def link(href: str, kind: str = "application/rss+xml", title: str = "") -> str:
    return f"<link rel=alternate type={kind} href={href} title='{title}'>"


def serve(receiver: Receiver, pages: dict[str, Respond]) -> str:
    """Serve these, and 404 at the usual places; return the base URL."""
    for name in WELL_KNOWN:
        receiver.script(f"/{name}", MISSING)
    for path, answer in pages.items():
        receiver.script(path, answer)
    return receiver.url


def paths(receiver: Receiver) -> list[str]:
    return [request.path for request in receiver.requests]


def test_a_feed_itself_is_found_with_one_request(find: FeedFinder, receiver: Receiver) -> None:
    url = receiver.script("/f", RSS)
    assert find.find(url) == [
        FoundFeed(url, "The Wire", "feed", "rss", 2, datetime(2026, 3, 1, 8, tzinfo=UTC), "address")
    ]
    assert paths(receiver) == ["/f"]


def test_declared_feeds_are_read_and_the_best_comes_first(find: FeedFinder, receiver: Receiver) -> None:
    base = serve(
        receiver,
        {
            "/": page(
                link("/comments")
                + link("/empty")
                + link("/gone")
                + link("/page")
                + link("/f.json")
                + link("/atom")
            ),
            "/comments": COMMENTS,
            "/empty": EMPTY,
            "/gone": MISSING,
            "/page": page("no feed"),
            "/f.json": JSON,
            "/atom": ATOM,
        },
    )
    found = find.find(f"{base}/")
    assert [(feed.url.removeprefix(base), feed.format, feed.items) for feed in found] == [
        ("/f.json", "json", 1),
        ("/atom", "atom", 1),
        ("/empty", "rss", 0),
        ("/comments", "rss", 1),
    ]
    assert {feed.found_by for feed in found} == {"link"}


def test_links_for_people_are_tried_where_nothing_is_declared(find: FeedFinder, receiver: Receiver) -> None:
    base = serve(receiver, {"/": page("<a href=/about>x</a><a href=/all.xml>RSS</a>"), "/all.xml": RSS})
    (feed,) = find.find(f"{base}/")
    assert (feed.url, feed.found_by) == (f"{base}/all.xml", "anchor")
    assert paths(receiver) == ["/", "/all.xml"]


def test_links_for_people_are_left_alone_where_a_feed_is_declared(
    find: FeedFinder, receiver: Receiver
) -> None:
    serve(receiver, {"/": page(link("/f") + "<a href=/all.xml>RSS</a>"), "/f": RSS, "/all.xml": RSS})
    assert len(find.find(f"{receiver.url}/")) == 1
    assert paths(receiver) == ["/", "/f"]


def test_the_usual_addresses_come_last_and_the_first_feed_is_enough(
    find: FeedFinder, receiver: Receiver
) -> None:
    base = serve(receiver, {"/": page("nothing"), "/atom.xml": ATOM, "/index.xml": RSS})
    (feed,) = find.find(f"{base}/")
    assert (feed.url, feed.found_by, feed.title) == (f"{base}/atom.xml", "path", "Atoms")
    assert paths(receiver) == ["/", "/feed", "/rss.xml", "/atom.xml"]


def test_the_usual_addresses_are_tried_beside_the_page_too(find: FeedFinder, receiver: Receiver) -> None:
    base = serve(receiver, {"/blog/post": page("nothing"), "/blog/feed": RSS})
    (feed,) = find.find(f"{base}/blog/post")
    assert feed.url == f"{base}/blog/feed"


def test_a_page_without_feeds_costs_so_many_requests_and_no_more(
    find: FeedFinder, receiver: Receiver
) -> None:
    declared = "".join(link(f"/no{number}") for number in range(50))
    shown = "".join(f"<a href=/rss/{number}>RSS</a>" for number in range(50))
    base = serve(receiver, {"/blog/": page(declared + shown)})
    assert find.find(f"{base}/blog/") == []
    assert len(receiver.requests) == MOST_REQUESTS
    assert len(set(paths(receiver))) == MOST_REQUESTS


def test_an_address_that_leads_to_another_page_is_followed(find: FeedFinder, receiver: Receiver) -> None:
    base = serve(
        receiver,
        {
            "/old": redirect("/new/"),
            "/new/": page(link("f") + link("f?")),
            "/new/f": redirect("f/"),
            "/new/f/": RSS,
        },
    )
    (feed,) = find.find(f"{base}/old")
    assert feed.url == f"{base}/new/f/"


@pytest.mark.parametrize(
    ("answer", "words"),
    [(MISSING, "status 404"), (Respond(500), "status 500"), (redirect("/"), "without end")],
)
def test_a_page_that_cannot_be_had_is_an_error_in_words(
    find: FeedFinder, receiver: Receiver, answer: Respond, words: str
) -> None:
    url = receiver.script("/", answer) + ""
    with pytest.raises(SourceError, match=words):
        find.find(url)


def test_a_server_that_is_not_there_is_an_error_in_words(find: FeedFinder) -> None:
    with pytest.raises(SourceError, match="refuses connections"):
        find.find(f"http://127.0.0.1:{free_port()}/")


def test_nothing_inside_is_asked_whatever_a_page_names(passing: Passing, receiver: Receiver) -> None:
    policy = EgressPolicy((ip_network("127.0.0.1/32"),))
    with guarded_session(policy, user_agent="Clarion test") as session, Receiver() as inside:
        inside.script("/feed", RSS)
        closed = f"http://127.0.0.2:{inside.port}/feed"
        serve(receiver, {"/": page(link(closed) + link("/away")), "/away": redirect(closed)})
        assert finder(session, passing).find(f"{receiver.url}/") == []
        assert inside.requests == []


def test_requests_to_one_host_are_spaced(
    session: GuardedSession, passing: Passing, receiver: Receiver
) -> None:
    base = serve(receiver, {"/": page("nothing"), "/atom.xml": ATOM})
    assert len(finder(session, passing, 1.0).find(f"{base}/")) == 1
    assert passing.pauses == [1.0, 1.0, 1.0]


def test_when_the_time_is_up_what_was_found_is_answered(
    session: GuardedSession, passing: Passing, receiver: Receiver
) -> None:
    declared = "".join(link(f"/f{number}") for number in range(6))
    base = serve(receiver, {"/": page(declared)} | {f"/f{number}": RSS for number in range(6)})
    found = finder(session, passing, 9.0).find(f"{base}/")
    assert [feed.url.removeprefix(base) for feed in found] == ["/f0", "/f1"]
    assert paths(receiver) == ["/", "/f0", "/f1"]


def test_a_document_that_breaks_the_reader_is_no_feed(
    session: GuardedSession, passing: Passing, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(kind: FeedKind, document: Document, now: datetime) -> ParsedDocument:
        if document.url.endswith("/bad"):
            raise RuntimeError("a fault")
        return KIND.parse(document, now)

    base = serve(receiver, {"/": page(link("/bad") + link("/good")), "/bad": RSS, "/good": RSS})
    faulty = FeedKind()
    monkeypatch.setattr(faulty, "parse", partial(read, faulty))
    made = FeedFinder(session, faulty, ManualClock(NOW), HostGate(0), run=called, monotonic=passing)
    assert [feed.url for feed in made.find(f"{base}/")] == [f"{base}/good"]
