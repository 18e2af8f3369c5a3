"""What a digest tells, in which order, and the event that webhooks get of it."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from core.store.claims import Claimed
from notifiers.article_mail import compose, of_notice
from notifiers.digest_event import digest_body
from notifiers.digesting import MOST_LISTED, arranged, digest_notice
from notifiers.notice import BODY_LIMIT, Notice
from tests.unit.notifiers.examples import NOON, notice
from tests.unit.notifiers.test_email_channel import part, transports

DAY = NOON.date()


def item(number: int, *topics: str, article: int | None = None, version: int = 1) -> Claimed:
    """Return a row that waits for a digest."""
    matched = [[f"sub_{topic}", topic] for topic in topics or ("a",)]
    return Claimed(
        id=f"dlv_{number:05}",
        article_day=DAY,
        account_id="acc",
        channel_id="ch",
        article_id=f"art_{number if article is None else article}",
        version=version,
        event="article.published",
        matched=matched,
        matched_total=len(matched),
        attempts=0,
        step=0,
        slot_at=None,
        sequence=None,
        created_at=NOON,
    )


def numbers(items: list[Claimed]) -> list[int]:
    return [int(one.id.removeprefix("dlv_")) for one in items]


def digest(*shown: Notice, more: int = 0, link: str | None = None) -> Notice:
    """Return a digest of some articles."""
    known = {id_: query for one in shown for id_, query in one.subscriptions}
    row = replace(item(99_999), event="digest", digest_at=datetime(2026, 3, 1, 8, 0, tzinfo=UTC))
    row.matched, row.matched_total = [[id_, query] for id_, query in known.items()][:20], len(known)
    return digest_notice(row, shown, len(shown) + more, link)


def event(told: Notice) -> dict[str, Any]:
    """Return the event of a digest, which must be within the limit."""
    body = digest_body(told)
    assert len(body) < BODY_LIMIT
    assert body == digest_body(told)
    read: dict[str, Any] = json.loads(body)
    return read


def test_topics_stand_together_in_the_order_of_their_best() -> None:
    told = [item(1, "a"), item(2, "b"), item(3, "a"), item(4, "c", "a"), item(5, "b")]
    assert numbers(arranged(told)) == [4, 5, 2, 3, 1]


def test_an_article_is_told_once_in_its_newest_version() -> None:
    told = [item(1, article=7, version=2), item(2, article=7), item(3)]
    assert numbers(arranged(told)) == [3, 1]


def test_the_best_fifty_come_first() -> None:
    told = [item(number, "a" if number % 2 else "b") for number in range(60)]
    best = numbers(arranged(told))[:MOST_LISTED]
    assert set(best) == set(range(10, 60))
    assert best[0] == 59
    assert best[:25] == sorted(best[:25], reverse=True)


@given(
    st.lists(
        st.builds(
            item,
            st.integers(0, 500),
            st.sampled_from("abcde"),
            article=st.integers(0, 80),
            version=st.integers(1, 3),
        ),
        max_size=150,
    )
)
def test_nothing_is_lost_and_nothing_told_twice(told: list[Claimed]) -> None:
    found = [one.article_id for one in arranged(told)]
    assert sorted(found) == sorted({one.article_id for one in told})


def test_the_event_has_all_that_fits() -> None:
    first = replace(notice("One", queries=("rust", "kernel")), id="dlv_1")
    second = replace(notice("Two", queries=("rust",)), id="dlv_2")
    read = event(digest(first, second, more=3))
    assert (read["type"], read["timestamp"]) == ("digest", "2026-03-01T08:00:00Z")
    data = read["data"]
    assert [one["title"] for one in data["articles"]] == ["One", "Two"]
    assert [one["subscriptions"] for one in data["articles"]] == [["sub_0", "sub_1"], ["sub_0"]]
    assert data["articles"][0]["url"] == "https://example.com/a?b=1&c=2"
    assert data["articles_total"] == 5
    assert data["subscriptions"] == [{"id": "sub_0", "query": "rust"}, {"id": "sub_1", "query": "kernel"}]
    assert data["subscriptions_total"] == 2


def test_summaries_become_shorter_before_articles_are_only_counted() -> None:
    long = [notice(f"Number {number}", summary="word " * 700) for number in range(30)]
    articles = event(digest(*long))["data"]["articles"]
    assert len(articles) == 30
    assert all(0 < len(article["summary"]) <= 300 for article in articles)


def test_what_does_not_fit_is_counted() -> None:
    huge = [notice("é" * 900, summary="s" * 4_000, queries=("q" * 900,)) for _ in range(MOST_LISTED)]
    data = event(digest(*huge, more=10))["data"]
    assert 1 <= len(data["articles"]) < MOST_LISTED
    assert data["articles_total"] == MOST_LISTED + 10


@given(
    st.integers(1, MOST_LISTED),
    st.sampled_from(["a", "é", "😀", '"', "\\"]),
    st.integers(1, 1_000),
    st.integers(0, 4_000),
    st.integers(1, 20),
)
def test_every_event_is_within_the_limit(
    count: int, letter: str, title: int, summary: int, queries: int
) -> None:
    told = notice(
        letter * title,
        summary=letter * summary,
        authors=[letter * 100] * 10,
        queries=tuple(f"{letter * 500}{number}" for number in range(queries)),
    )
    data = event(digest(*[told] * count))["data"]
    assert 1 <= len(data["articles"]) <= data["articles_total"] == count


def mail(told: Notice) -> EmailMessage:
    return compose(of_notice(told, "reader@example.org"), transports()).message


def test_a_mail_has_the_topics_and_what_is_only_counted() -> None:
    first = notice("One <b>", queries=("rust",))
    second = notice("Two", queries=("rust", "kernel"), event="article.updated", url=None)
    third = notice("Three", queries=("kernel",))
    message = mail(digest(first, second, third, more=22, link="https://news.example.com"))
    assert message["Subject"] == "25 articles: One <b>"
    assert message["Message-ID"].startswith("<dlv_99999@")
    text, html = part(message, "plain"), part(message, "html")
    places = [text.index(words) for words in ("RUST", "One <b>", "Two", "KERNEL", "Three")]
    assert places == sorted(places)
    assert text.count("RUST") == 1
    assert "and 22 more: https://news.example.com" in text
    assert "One &lt;b&gt;" in html
    assert html.count(">rust</p>") == html.count(">kernel</p>") == 1
    assert 'href="https://news.example.com"' in html


def test_a_mail_of_one_article_has_no_topic() -> None:
    message = mail(digest(notice("One", queries=("rust",))))
    assert message["Subject"] == "One"
    assert "RUST" not in part(message, "plain")
