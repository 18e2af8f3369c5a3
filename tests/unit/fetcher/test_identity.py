"""Which article an item is, and whether what it says is news."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.message import decode
from fetcher.identity import (
    ID_LIMIT,
    MOST_VERSIONS,
    TOUCH_AFTER,
    Identified,
    KnownEntry,
    New,
    Unchanged,
    Updated,
    candidate_ids,
    content_hash,
    decide,
    identify,
    identity,
    link_of,
    published_at,
    select_backfill,
    to_message,
)
from fetcher.sources.base import Item

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)

_WORDS = st.text(max_size=30)
_ITEMS = st.builds(
    Item,
    title=st.sampled_from(["A", "B", "C"]),
    guid=st.sampled_from([None, "g", "h"]),
    url=st.sampled_from([None, "https://a.example/1", "https://a.example/2", "https://a.example/1#x"]),
)


def apply(known: KnownEntry | None, item: Item, now: datetime = NOW) -> KnownEntry:
    """Store what the decision says."""
    decision = decide(known, item, now)
    if isinstance(decision, New | Updated):
        return KnownEntry(decision.version, decision.seen_hashes, now, link_of(item))
    assert known is not None
    return replace(known, last_seen_at=now, link=link_of(item)) if decision.touch else known


def ids(items: list[Item], known: Mapping[str, KnownEntry] | None = None) -> list[str]:
    return [one.entry_id for one in identify(items, known or {})]


# --- identity


def test_the_guid_comes_first_then_the_url_then_the_words() -> None:
    full = Item("T", "S", guid="tag:1", url="http://a.example/1?utm_source=x")
    assert identity(full) == "tag:1"
    assert identity(replace(full, guid=None)) == "https://a.example/1"
    bare = replace(full, guid=None, url=None)
    assert identity(bare).startswith("content:")
    assert identity(bare) != identity(replace(bare, title="Other"))


def test_a_change_of_scheme_is_no_new_article() -> None:
    assert identity(Item("T", guid="http://a.example/?p=1")) == identity(
        Item("T", guid="https://a.example/?p=1")
    )
    assert identity(Item("T", url="http://a.example/1")) == identity(Item("T", url="https://a.example/1"))


def test_fragments_in_a_guid_are_kept() -> None:
    assert identity(Item("T", guid="https://a.example/log#v1")) != identity(
        Item("T", guid="https://a.example/log#v2")
    )


def test_a_number_behind_the_items_own_address_is_no_other_guid() -> None:
    story = "https://a.example/story"
    counted = [Item("T", guid=f"{story}#{number}", url=f"{story}?utm_source=rss") for number in (0, 1, 12)]
    assert {identity(item) for item in counted} == {story}
    others = [
        Item("T", guid=f"{story}#1", url=f"{story}#1"),
        Item("T", guid=f"{story}#2", url="https://a.example/"),
        Item("T", guid=f"{story}#3"),
        Item("T", guid=f"{story}#part", url=story),
    ]
    assert len({identity(item) for item in others}) == len(others)


def test_a_long_guid_is_hashed() -> None:
    short, long, other = (Item("T", guid=guid) for guid in ("g" * ID_LIMIT, "g" * 600, "g" * 601))
    assert identity(short) == "g" * ID_LIMIT
    assert len(identity(long)) <= ID_LIMIT
    assert identity(long) != identity(other)


# --- identity within a document


def test_one_guid_on_different_links_is_different_articles() -> None:
    a, b = (Item(title, guid="same", url=f"https://a.example/{title}") for title in "AB")
    first = identify([a, b], {})
    assert len({one.entry_id for one in first}) == 2
    assert ids([b, a]) == [one.entry_id for one in reversed(first)]


def test_one_guid_on_different_links_stays_told_apart_when_one_is_left() -> None:
    a, b = (Item(title, guid="same", url=f"https://a.example/{title}") for title in "AB")
    known = {one.entry_id: apply(None, one.item) for one in identify([a, b], {})}
    assert ids([b], known) == [ids([a, b], known)[1]]


def test_an_article_known_by_its_guid_keeps_it_when_another_takes_the_guid_too() -> None:
    a, b = (Item(title, guid="same", url=f"https://a.example/{title}") for title in "AB")
    known = {"same": apply(None, a)}
    assert ids([a, b], known)[0] == "same"
    assert ids([a, b], known)[1] != "same"


def test_one_guid_on_another_link_later_is_another_article() -> None:
    a, b = (Item(title, guid="1", url=f"https://a.example/{title}") for title in "AB")
    known = {"1": apply(None, a)}
    (other,) = ids([b], known)
    assert other != "1"
    known[other] = apply(None, b)
    assert ids([b, a], known) == [other, "1"]
    assert ids([replace(b, title="B, changed")], known) == [other]


def test_an_article_that_moves_is_the_same() -> None:
    before = Item("A", "Text", guid="1", url="https://a.example/1")
    known = {"1": apply(None, before)}
    after = replace(before, url="https://b.example/1", summary="Other text")
    assert ids([after], known) == ["1"]
    known["1"] = apply(known["1"], after)
    assert ids([replace(after, title="Changed later")], known) == ["1"]


def test_http_or_https_and_the_variants_of_a_link_make_no_other_article() -> None:
    before = Item("A", guid="http://a.example/1", url="http://a.example/1?utm_source=rss")
    known = {identity(before): apply(None, before)}
    after = Item("A changed", guid="https://a.example/1", url="https://a.example:443/1")
    assert ids([after], known) == [identity(before)]


def test_an_article_without_link_keeps_its_guid() -> None:
    known = {"1": apply(None, Item("A", guid="1", url="https://a.example/1"))}
    assert ids([Item("B", guid="1")], known) == ["1"]


def test_repetitions_of_an_article_count_once() -> None:
    item = Item("A", guid="g", url="https://a.example/1")
    repeated = replace(item, url="http://a.example/1?utm_source=feed")
    assert ids([item, repeated]) == ["g"]


@pytest.mark.parametrize(
    "titles", [("Storm", "Flood"), ("All is not well - Big Mail", "All is not well - Big Docs")]
)
def test_articles_without_guid_on_one_link_are_told_apart_by_their_words(titles: tuple[str, str]) -> None:
    one, other = (Item(title, url="https://weather.example/") for title in titles)
    assert len(ids([one, other, one])) == 2


@given(st.lists(_ITEMS, max_size=8), st.lists(_ITEMS, max_size=8))
def test_whatever_was_identified_once_keeps_its_id(first: list[Item], later: list[Item]) -> None:
    known = {one.entry_id: apply(None, one.item) for one in identify(first, {})}
    again = identify(first, known)
    assert again == identify(first, {})
    assert {one.entry_id for one in identify(first + later, known)} >= set(known)


@given(st.lists(_ITEMS, max_size=8))
def test_every_id_was_a_candidate(items: list[Item]) -> None:
    given_ids = ids(items)
    assert set(given_ids) <= candidate_ids(items)
    assert len(given_ids) == len(set(given_ids))


# --- content hash


PLAIN = Item(
    "Ministers can't agree on AT&T: 'no deal' for 1,000 firms", "Talks go on.", publisher="The Daily Wire"
)


@pytest.mark.parametrize(
    "title",
    [
        "Ministers can’t agree on AT&T – ‘no deal’ for 1,000 firms",
        'Ministers can\'t agree on AT&amp;T -- "no deal" for 1000 firms',
        "  Ministers  can't agree on AT&T\u00a0— no deal, for 1,000 firms…",
        "MINISTERS CAN'T AGREE ON AT&T - 'NO-DEAL' FOR 1,000 FIRMS.",
        "Ministers can't ag\u00adree on AT and T: 'no deal' for 1,000 firms!",
        "🔴 Ministers can't agree on AT&T: 'no deal' for 1,000 firms - The Daily Wire",
        "Ministers can't agree on AT&T: 'no deal' for 1,000 firms | Daily Wire",
        "Ministers can't agree on AT&T: 'no deal' for 1,000 firms - Gold Coast Bulletin",
        "Ministers can't agree on AT&T: 'no deal' for 1,000 firms | Wire - Wire",
        "Ministers can't agree on AT&T: 'no deal' for 1,000 firms - wire - Worcester, MA - Daily Wire",
    ],
)
def test_cosmetic_changes_are_no_version(title: str) -> None:
    known = apply(None, PLAIN)
    assert isinstance(decide(known, replace(PLAIN, title=title), NOW), Unchanged)
    back = apply(None, replace(PLAIN, title=title))
    assert isinstance(decide(back, PLAIN, NOW), Unchanged)


@pytest.mark.parametrize(
    "title", ["A drug works in autumn: GAVI", "A drug works in autumn", "A drug works in autumn - MSN Money"]
)
def test_a_name_in_turn_with_others_and_set_apart_in_other_ways_is_no_version(title: str) -> None:
    known = apply(None, Item("A drug works in autumn - GAVI", "More."))
    assert isinstance(decide(known, Item(title, "More."), NOW), Unchanged)


@pytest.mark.parametrize(
    "title",
    [
        "Ministers can't agree on AT&T: 'no deal' for 1,001 firms",
        "Ministers can't agree on AT&T: 'no deal' for 1,000 firms?",
        "Ministers agree on AT&T: 'no deal' for 1,000 firms",
        "Ministers can't agree on AT&T: 'no deal' for 1,000 firms - talks go on",
        "Ministers can't agree on AT&T: 'no deal' for 1,000 firms - Updated",
    ],
)
def test_changes_of_meaning_are_versions(title: str) -> None:
    assert isinstance(decide(apply(None, PLAIN), replace(PLAIN, title=title), NOW), Updated)


def test_title_and_summary_are_not_mixed_up() -> None:
    assert content_hash("a b", "c") != content_hash("a", "b c")


def test_what_a_message_cuts_off_does_not_count() -> None:
    assert content_hash("T", "x" * 4_000 + "y") == content_hash("T", "x" * 4_000 + "z")


@given(_WORDS, _WORDS)
def test_any_text_has_a_short_hash_that_ignores_white_space(title: str, summary: str) -> None:
    assert len(content_hash(title, summary)) == 32
    assert content_hash(f" {title}\n", f"\t{summary} ") == content_hash(title, summary)


# --- versions


def test_an_article_is_new_then_unchanged_then_updated() -> None:
    item = Item("Vote today", "Polls open")
    first = decide(None, item, NOW)
    assert isinstance(first, New)
    known = KnownEntry(first.version, first.seen_hashes, NOW)
    assert decide(known, item, NOW) == Unchanged(touch=False)
    update = decide(known, replace(item, title="Vote counted"), NOW)
    assert isinstance(update, Updated)
    assert update.version == 2
    assert set(update.seen_hashes) > set(first.seen_hashes)


def test_going_back_to_what_was_said_before_is_no_news() -> None:
    a, b = Item("A"), Item("B")
    known = apply(apply(None, a), b)
    assert known.version == 2
    assert decide(known, a, NOW) == decide(known, b, NOW) == Unchanged(touch=False)


def test_a_summary_that_goes_missing_is_no_news_but_one_that_appears_is() -> None:
    bare, full = Item("A"), Item("A", "More")
    assert isinstance(decide(apply(None, full), bare, NOW), Unchanged)
    assert isinstance(decide(apply(None, bare), full, NOW), Updated)


def test_versions_end_at_the_limit() -> None:
    known = None
    for number in range(MOST_VERSIONS + 5):
        known = apply(known, Item(f"Title {number}"))
    assert known is not None
    assert known.version == MOST_VERSIONS
    assert len(known.seen_hashes) <= 2 * MOST_VERSIONS


def test_being_seen_again_is_stored_now_and_then() -> None:
    known = apply(None, Item("A"))
    assert decide(known, Item("A"), NOW + TOUCH_AFTER - timedelta(seconds=1)) == Unchanged(touch=False)
    assert decide(known, Item("A"), NOW + TOUCH_AFTER) == Unchanged(touch=True)


@given(st.lists(st.sampled_from("ABCDE"), max_size=30))
def test_versions_count_the_distinct_contents(titles: list[str]) -> None:
    known = None
    for title in titles:
        known = apply(known, Item(title))
    assert (known.version if known else 0) == len(set(titles))


# --- backfill


def identified(*days: int | None) -> list[Identified]:
    return [
        Identified(str(place), Item("T", published_at=None if day is None else NOW - timedelta(days=day)))
        for place, day in enumerate(days)
    ]


def test_the_newest_are_told_and_the_others_recorded() -> None:
    backfill = select_backfill(identified(3, None, 1, 2, 1, None), limit=4)
    assert [one.entry_id for one in backfill.told] == ["2", "4", "3", "0"]
    assert [one.entry_id for one in backfill.recorded] == ["1", "5"]


def test_without_dates_the_document_order_decides() -> None:
    assert [one.entry_id for one in select_backfill(identified(None, None, None), limit=2).told] == ["0", "1"]


def test_nothing_is_told_with_a_limit_of_none() -> None:
    backfill = select_backfill(identified(1, 2), limit=0)
    assert backfill.told == ()
    assert len(backfill.recorded) == 2


@given(st.lists(st.none() | st.integers(0, 5), max_size=30), st.integers(0, 12))
def test_backfill_loses_nothing(days: list[int | None], limit: int) -> None:
    items = identified(*days)
    backfill = select_backfill(items, limit)
    assert len(backfill.told) == min(limit, len(items))
    assert {one.entry_id for one in backfill.told + backfill.recorded} == {one.entry_id for one in items}


# --- messages


def test_a_message_carries_everything_an_item_says() -> None:
    item = Item(
        "Title",
        "Summary",
        url="https://a.example/1",
        published_at=NOW,
        language="en",
        categories=("World",),
        authors=("Ann",),
        image="https://a.example/i.png",
        publisher="The Wire",
    )
    message = to_message(item, "src_1", "All wires", "guid", 3, NOW)
    assert message.as_json() == {
        "schema": 1,
        "id": "guid",
        "version": 3,
        "title": "Title",
        "summary": "Summary",
        "url": "https://a.example/1",
        "source": {"id": "src_1", "name": "The Wire"},
        "published_at": "2026-03-01T12:00:00Z",
        "language": "en",
        "categories": ["World"],
        "authors": ["Ann"],
        "image": "https://a.example/i.png",
    }
    assert decode(message.encode()) == message


def test_a_message_names_the_source_where_there_is_no_other_publisher() -> None:
    source = to_message(Item("T"), "src_1", "The Source", "guid", 1, NOW).source
    assert source is not None
    assert source.name == "The Source"


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (Item("T", published_at=NOW - timedelta(days=1)), NOW - timedelta(days=1)),
        (Item("T", published_at=NOW + timedelta(days=1)), NOW),
        (Item("T"), NOW),
        (Item("T", has_bad_date=True), None),
    ],
)
def test_an_article_was_published_no_later_than_it_was_first_seen(
    item: Item, expected: datetime | None
) -> None:
    assert published_at(item, NOW) == expected
