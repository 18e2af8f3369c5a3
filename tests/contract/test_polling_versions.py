"""What polls after one another make of one article, on both databases, over real sockets."""

from dataclasses import dataclass
from xml.sax.saxutils import escape

import pytest

from fetcher.identity import MOST_VERSIONS
from tests.contract.desk import Desk
from tests.receiver import Receiver, Respond


@dataclass(frozen=True)
class Post:
    """An item of a feed."""

    title: str
    guid: str | None = None
    link: str | None = "https://a.example/1"
    summary: str = "A text."


def serve(receiver: Receiver, *posts: Post) -> str:
    items = "".join(
        f"<item><title>{escape(post.title)}</title><description>{escape(post.summary)}</description>"
        + (f"<guid isPermaLink='false'>{escape(post.guid)}</guid>" if post.guid else "")
        + (f"<link>{escape(post.link)}</link>" if post.link else "")
        + "</item>"
        for post in posts
    )
    feed = f"<?xml version='1.0'?><rss version='2.0'><channel><title>T</title>{items}</channel></rss>"
    return receiver.script("/feed", Respond(200, feed.encode(), (("Content-Type", "application/rss+xml"),)))


def told(desk: Desk, receiver: Receiver, source: str, *posts: Post) -> list[tuple[str, int]]:
    """Poll a feed that shows these now; return title and version of what was told."""
    serve(receiver, *posts)
    desk.poll(source)
    found = [(message.title, message.version) for message in desk.publisher.confirmed]
    desk.publisher.confirmed.clear()
    return found


@pytest.fixture
def source(desk: Desk, receiver: Receiver) -> str:
    """A source that has been polled once."""
    made = desk.add(serve(receiver))
    desk.poll(made)
    return made


def test_cosmetic_changes_tell_nothing(desk: Desk, receiver: Receiver, source: str) -> None:
    assert told(desk, receiver, source, Post('It\'s "here" at last', "1")) == [('It\'s "here" at last', 1)]
    for title in ("It’s “here” at last", "ITS HERE, AT LAST…", "It&#39;s here at last - The Daily Example"):
        assert told(desk, receiver, source, Post(title, "1", summary="A  text")) == []
    assert told(desk, receiver, source, Post("It was here", "1")) == [("It was here", 2)]


def test_what_was_said_before_is_no_news(desk: Desk, receiver: Receiver, source: str) -> None:
    a, b = Post("Storm comes", "1"), Post("Storm goes", "1")
    assert told(desk, receiver, source, a) == [("Storm comes", 1)]
    assert told(desk, receiver, source, b) == [("Storm goes", 2)]
    for post in (a, b, a):
        assert told(desk, receiver, source, post) == []


def test_an_article_has_so_many_versions_and_no_more(desk: Desk, receiver: Receiver, source: str) -> None:
    versions = [
        told(desk, receiver, source, Post(f"Count {number}", "1")) for number in range(MOST_VERSIONS + 3)
    ]
    assert versions == [[(f"Count {number}", number + 1)] for number in range(MOST_VERSIONS)] + [[], [], []]


def test_an_article_that_leaves_and_returns_after_a_month_is_not_new(
    desk: Desk, receiver: Receiver, source: str
) -> None:
    post, other = Post("Evergreen", "1"), Post("Other", "2", "https://a.example/2")
    assert told(desk, receiver, source, post) == [("Evergreen", 1)]
    assert told(desk, receiver, source, other) == [("Other", 1)]
    desk.clock.advance(days=31)
    assert told(desk, receiver, source, other) == []
    assert told(desk, receiver, source, post, other) == []


@pytest.mark.parametrize("guid", [None, "http://a.example/1"])
def test_another_scheme_or_way_to_write_the_address_is_not_new(
    desk: Desk, receiver: Receiver, source: str, guid: str | None
) -> None:
    post = Post("A", guid, "http://a.example/1?utm_source=rss&amp;b=2")
    assert told(desk, receiver, source, post) == [("A", 1)]
    secure = guid and guid.replace("http:", "https:")
    assert told(desk, receiver, source, Post("A", secure, "https://A.example:443/1?b=2#top")) == []


def test_a_guid_on_another_link_is_another_article(desk: Desk, receiver: Receiver, source: str) -> None:
    a, b = (Post(f"Story {name}", "1", f"https://a.example/{name}") for name in "ab")
    assert told(desk, receiver, source, a) == [("Story a", 1)]
    assert told(desk, receiver, source, b) == [("Story b", 1)]
    assert told(desk, receiver, source, a, b) == []
    assert told(desk, receiver, source, Post("Story b, longer", "1", b.link)) == [("Story b, longer", 2)]


def test_an_article_that_moves_is_the_same(desk: Desk, receiver: Receiver, source: str) -> None:
    assert told(desk, receiver, source, Post("Here", "1", "https://a.example/old")) == [("Here", 1)]
    assert told(desk, receiver, source, Post("Here", "1", "https://b.example/new")) == []
    assert told(desk, receiver, source, Post("There", "1", "https://b.example/new")) == [("There", 2)]
