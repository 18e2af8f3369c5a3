"""The kind `hackernews`: lists of ids, and stories as the public API gives them."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fetcher.sources
from core.errors import Reason
from core.registry import discover
from fetcher.identity import KnownEntry, Unchanged, decide
from fetcher.sources.base import Document, Item, ParsedDocument, SourceError, SourceKind
from fetcher.sources.hackernews import KIND, MOST_STORIES

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LIST = "http://127.0.0.1:8099/v0/topstories.json"
STORY: dict[str, object] = {
    "id": 8863,
    "type": "story",
    "by": "dhouston",
    "title": "My YC app: Dropbox &amp; more",
    "url": "http://www.getdropbox.com/u/2/screencast.html",
    "time": 1_175_714_200,
    "score": 111,
    "descendants": 71,
    "kids": [8952, 9224],
}


def parse(answer: object, url: str, status: int = 200, **headers: str) -> ParsedDocument:
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    return KIND.parse(Document(url, status, {"content-type": "application/json", **headers}, body), NOW)


def listed(answer: object, status: int = 200, **headers: str) -> ParsedDocument:
    return parse(answer, LIST, status, **headers)


def story(answer: object, status: int = 200, **headers: str) -> tuple[Item, ...]:
    return parse(answer, "http://127.0.0.1:8099/v0/item/8863.json", status, **headers).items


def only(**change: object) -> Item:
    (item,) = story(STORY | change)
    return item


def test_the_kind_is_found_by_its_name() -> None:
    kinds: dict[str, SourceKind] = discover(fetcher.sources, "KIND")
    assert kinds["hackernews"] is KIND


@pytest.mark.parametrize(
    "name", ["topstories", "newstories", "beststories", "askstories", "showstories", "jobstories"]
)
def test_every_list_may_be_a_source_wherever_it_stands(name: str) -> None:
    KIND.check(f"https://hacker-news.firebaseio.com/v0/{name}.json?print=pretty")
    KIND.check(f"http://127.0.0.1:9/stand-in/{name}.json")


@pytest.mark.parametrize(
    "url",
    [
        "https://news.ycombinator.com/",
        "https://a.example/v0/item/1.json",
        "https://a.example/topstories",
        "topstories.json",
    ],
)
def test_other_addresses_are_refused_in_words(url: str) -> None:
    with pytest.raises(ValueError, match="http"):
        KIND.check(url)


def test_a_list_asks_for_each_story_once_at_the_same_server() -> None:
    parsed = listed([8863, 2921983, 8863, "9", None, -1, True, 1.5])
    assert parsed.items == ()
    assert [request.url for request in parsed.more] == [
        "http://127.0.0.1:8099/v0/item/8863.json",
        "http://127.0.0.1:8099/v0/item/2921983.json",
    ]
    assert [request.guid for request in parsed.more] == [only().guid, only(id=2921983).guid]


def test_only_the_first_stories_of_a_long_list_are_asked_for() -> None:
    assert len(listed(list(range(1, 501))).more) == MOST_STORIES


@pytest.mark.parametrize("answer", [None, {}, {"error": "x"}, b"<html>", b"", "text", b"[" * 100_000])
def test_what_is_no_list_is_an_error(answer: object) -> None:
    with pytest.raises(SourceError) as raised:
        listed(answer)
    assert raised.value.reason is Reason.PROTOCOL


def test_a_list_that_is_refused_for_a_while_carries_the_pause() -> None:
    with pytest.raises(SourceError) as raised:
        listed([], 429, **{"retry-after": "120"})
    assert raised.value.pause_seconds == 120


def test_a_story_becomes_an_item() -> None:
    assert only() == Item(
        title="My YC app: Dropbox & more",
        guid="https://news.ycombinator.com/item?id=8863",
        url="http://www.getdropbox.com/u/2/screencast.html",
        published_at=datetime(2007, 4, 4, 19, 16, 40, tzinfo=UTC),
        language="en",
        authors=("dhouston",),
    )


def test_a_story_without_a_link_leads_to_its_discussion() -> None:
    asked = only(url=None, text="<p>What &#x27;is&#x27; it?<p>Really <script>x()</script>")
    assert asked.url == asked.guid
    assert asked.summary == "What 'is' it? Really"
    assert only(url="javascript:alert(1)").url == asked.guid


@pytest.mark.parametrize(
    "answer",
    [
        None,
        {},
        [],
        b"",
        b"<html>",
        STORY | {"dead": True},
        STORY | {"deleted": True},
        STORY | {"title": ""},
        STORY | {"title": None},
        STORY | {"type": "comment"},
        STORY | {"type": ["story"]},
        STORY | {"id": "8863"},
    ],
)
def test_dead_deleted_and_missing_stories_are_skipped(answer: object) -> None:
    assert story(answer) == ()


@pytest.mark.parametrize("status", [401, 404, 410, 500])
def test_one_story_that_cannot_be_had_spoils_no_other(status: int) -> None:
    assert story(STORY, status) == ()


def test_a_story_that_is_refused_for_a_while_ends_the_poll_with_the_pause() -> None:
    with pytest.raises(SourceError) as raised:
        story(STORY, 429, **{"retry-after": "90"})
    assert raised.value.pause_seconds == 90


@pytest.mark.parametrize("time", [None, "1175714200", True, 1e300, -1e300, 10**40, 0])
def test_an_impossible_time_is_none(time: object) -> None:
    assert only(time=time).published_at is None


def test_a_time_in_the_future_is_now() -> None:
    assert only(time=4_000_000_000).published_at == NOW


def test_points_and_comments_are_no_news() -> None:
    first = decide(None, only(), NOW)
    assert not isinstance(first, Unchanged)
    known = KnownEntry(first.version, first.seen_hashes, NOW)
    later = only(score=999, descendants=500, kids=[1], time=1_175_714_999)
    assert isinstance(decide(known, later, NOW), Unchanged)
    assert not isinstance(decide(known, replace(later, title="Other"), NOW), Unchanged)


_VALUES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.lists(st.integers())
)


@given(st.dictionaries(st.sampled_from(sorted(STORY)), _VALUES), st.lists(_VALUES))
def test_no_answer_breaks_the_parser(change: dict[str, object], ids: list[object]) -> None:
    story(STORY | change)
    listed(ids)
