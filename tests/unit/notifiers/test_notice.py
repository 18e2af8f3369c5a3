"""The JSON that webhooks get."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from core.message import ArticleMessage
from core.store.claims import Claimed
from core.text import SUMMARY_LIMIT, TITLE_LIMIT
from notifiers.notice import BODY_LIMIT, Notice, article_bytes, json_ready, notice_of, webhook_body
from tests.unit.notifiers.examples import NOON, article_of, notice

WIDE = "\U0001f600"  # four bytes
ESCAPED = "\x01"  # six bytes in JSON


def test_the_event_has_the_contracts_fields() -> None:
    event = json.loads(webhook_body(notice(queries=("kubernetes", "pods"))))
    assert event == {
        "type": "article.published",
        "timestamp": "2026-03-01T12:00:00Z",
        "data": {
            "article": {
                "id": "a1",
                "uid": "art_01JD0000000000000000000000",
                "version": 1,
                "title": "Kubernetes news",
                "summary": "About pods.",
                "url": "https://example.com/a?b=1&c=2",
                "source": {"id": "src_1", "name": "The Times of Testing"},
                "published_at": "2026-03-01T12:00:00Z",
                "language": "en",
                "categories": [],
                "authors": [],
                "image": None,
                "first_seen_at": "2026-03-01T12:00:00Z",
            },
            "subscriptions": [{"id": "sub_0", "query": "kubernetes"}, {"id": "sub_1", "query": "pods"}],
            "subscriptions_total": 2,
        },
    }


def test_other_alphabets_are_sent_as_they_are() -> None:
    assert "Новости".encode() in webhook_body(notice("Новости"))


def test_a_notice_is_the_ledgers_row_with_its_article() -> None:
    claimed = Claimed(
        id="dlv_1",
        article_day=NOON.date(),
        account_id="acc_1",
        channel_id="ch_1",
        article_id="art_1",
        version=2,
        event="article.updated",
        matched=[["sub_1", "q"]],
        matched_total=30,
        attempts=3,
        step=3,
        slot_at=None,
        sequence=None,
        created_at=NOON,
    )
    article = json_ready({"title": "t", "published_at": NOON + timedelta(milliseconds=5), "url": None})
    made = notice_of(claimed, article)
    assert made == Notice(
        account_id="acc_1",
        channel_id="ch_1",
        id="dlv_1",
        event="article.updated",
        created_at=NOON,
        article={"title": "t", "published_at": "2026-03-01T12:00:00.005Z", "url": None},
        subscriptions=[["sub_1", "q"]],
        subscriptions_total=30,
    )


# --- what is too long


def body_of(**fields: Any) -> Any:
    body = webhook_body(notice(**fields))
    assert len(body) < BODY_LIMIT
    return json.loads(body)["data"]


def test_an_article_of_usual_length_is_sent_whole() -> None:
    data = body_of(summary="word " * 800, queries=("kubernetes",) * 20)
    assert len(data["article"]["summary"]) == SUMMARY_LIMIT - 1


def test_the_summary_is_the_first_to_be_shortened() -> None:
    data = body_of(summary=WIDE * 4_000, queries=("q" * 200,) * 20, categories=["one", "two"])
    assert len(data["article"]["summary"]) == 1_000
    assert {len(one["query"]) for one in data["subscriptions"]} == {200}
    assert data["article"]["categories"] == ["one", "two"]


def test_long_queries_are_shortened_and_all_subscriptions_stay() -> None:
    data = body_of(queries=(WIDE * 5_000,) * 20)
    assert [one["id"] for one in data["subscriptions"]] == [f"sub_{number}" for number in range(20)]
    assert all(one["query"].endswith("\u2026") for one in data["subscriptions"])


def test_lists_that_are_too_long_are_left_out() -> None:
    data = body_of(authors=[f"{number}{WIDE * 190}" for number in range(50)])
    assert data["article"]["authors"] == []
    assert data["article"]["url"] == "https://example.com/a?b=1&c=2"


@pytest.mark.parametrize("filler", [WIDE, ESCAPED, '"', "\\", "\u2028"])
def test_everything_at_its_longest_still_fits(filler: str) -> None:
    data = body_of(
        id="i" + filler * 511,
        title="t" + filler * 5_000,
        summary=filler * 50_000,
        url="https://example.com/" + WIDE * 3_900,
        image="https://example.com/" + WIDE * 3_900,
        source={"id": "s" + filler * 127, "name": filler * 1_000},
        language="l" + filler * 30,
        categories=[f"{number}{filler * 300}" for number in range(99)],
        authors=[f"{number}{filler * 300}" for number in range(99)],
        queries=("q" + filler * 5_000,) * 20,
    )
    assert data["article"]["id"] == "i" + filler * 511
    assert len(data["article"]["title"]) <= TITLE_LIMIT
    assert len(data["subscriptions"]) == 20


text = st.text(st.characters(exclude_categories=()), max_size=60)
stretched = st.builds(lambda piece, times: piece * times, text, st.integers(1, 200))
articles = st.fixed_dictionaries(
    {
        "id": stretched,
        "version": st.integers(1, 2**63 - 1),
        "title": stretched,
        "summary": stretched,
        "url": st.none() | stretched.map(lambda path: f"https://example.com/{path}"),
        "image": st.none() | stretched.map(lambda path: f"https://example.com/{path}"),
        "source": st.none() | st.fixed_dictionaries({"id": text, "name": stretched}),
        "published_at": st.none() | st.datetimes(),
        "language": st.none() | text,
        "categories": st.lists(stretched, max_size=60),
        "authors": st.lists(stretched, max_size=60),
    }
)


@given(
    fields=articles,
    queries=st.lists(stretched, max_size=20),
    total=st.integers(0, 10**6),
    event=st.sampled_from(["article.published", "article.updated"]),
)
def test_whatever_comes_the_body_is_json_under_20_kb_and_always_the_same(
    fields: dict[str, Any], queries: list[str], total: int, event: str
) -> None:
    try:
        message = ArticleMessage.model_validate(fields)
    except ValidationError:
        return
    matched = [
        [f"sub_{number}", query.encode("utf-8", "replace").decode()] for number, query in enumerate(queries)
    ]
    made = Notice("dlv_1", event, NOON, json_ready(article_of(message)), matched, total)

    body = webhook_body(made)

    assert len(body) < 20_000
    assert webhook_body(made) == body
    assert webhook_body(replace(made, serialised=article_bytes(made.article))) == body
    parsed = json.loads(body)
    assert (parsed["type"], parsed["data"]["subscriptions_total"]) == (event, total)
    assert parsed["data"]["article"]["title"] == message.title
    assert parsed["data"]["article"]["id"] == message.id
    assert [one["id"] for one in parsed["data"]["subscriptions"]] == [id_ for id_, _ in matched]
