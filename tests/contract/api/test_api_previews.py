"""`POST /v1/subscriptions/preview`."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from api.previews import LOOKED_AT
from core.clock import rfc3339
from core.ids import new_id
from core.store.models import Article, ArticleVersion
from tests.contract.api.answers import ok, problem
from tests.contract.api.conftest import Api, Client

PREVIEW = "/v1/subscriptions/preview"


def publish(api: Api, client: Client, title: str, **fields: Any) -> str:
    """Publish an article, have it routed and return its uid."""
    body = {"id": title, "version": 1, "title": title} | fields
    uid: str = ok(client.post("/v1/articles", body), 201)["uid"]
    api.route()
    return uid


def preview(client: Client, query: str, **fields: Any) -> dict[str, Any]:
    """Try a query."""
    found: dict[str, Any] = ok(client.post(PREVIEW, {"query": query} | fields))
    return found


def titles(found: dict[str, Any]) -> list[str]:
    """Return the titles of the articles that a preview shows."""
    return [row["title"] for row in found["data"]]


def stretches(*pairs: tuple[str, bool]) -> list[dict[str, Any]]:
    """Return a text in stretches, as it is shown."""
    return [{"text": text, "match": match} for text, match in pairs]


def test_what_matches_and_why(api: Api, client: Client) -> None:
    publish(api, client, "Java 30")
    uid = publish(
        api,
        client,
        "Rust in the kernel",
        content="A “second” driver in rust.",
        category="languages",
        source="blog",
    )
    found = preview(client, 'Rust ("second driver" OR category:games) source:blog -python')
    assert found["query"] == '("second driver" OR category:games) rust source:blog -python'
    assert (found["looked_at"], found["matched"]) == (2, 1)
    [row] = found["data"]
    assert row.pop("why") == {
        "terms": ['"second driver"', "rust", "source:blog"],
        "title": stretches(("Rust", True), (" in the kernel", False)),
        "summary": stretches(
            ("A “", False), ("second” driver", True), (" in ", False), ("rust", True), (".", False)
        ),
    }
    assert row == ok(client.get("/v1/articles"))["data"][0]
    assert row["uid"] == uid


def test_a_topic(api: Api, client: Client) -> None:
    publish(api, client, "A machine", category="Machine Learning")
    found = ok(client.post(PREVIEW, {"topic": "Machine learning"}))
    assert found["query"] == 'category:"machine learning" OR learning machine'
    [row] = found["data"]
    assert row["why"]["terms"] == ['category:"machine learning"']
    assert row["why"]["title"] == stretches(("A machine", False))
    assert row["why"]["summary"] == []


def test_sources_and_languages_narrow_it_as_they_would_a_subscription(api: Api, client: Client) -> None:
    for source, language in (("blog", "en-US"), ("blog", "de"), ("journal", "en")):
        publish(api, client, f"Rust {source} {language}", source=source, language=language)
    narrowed = {"sources": ["Blog"], "languages": ["EN"]}
    found = preview(client, "rust", **narrowed)
    assert (titles(found), found["looked_at"], found["query"]) == (["Rust blog en-US"], 3, "rust")
    assert found["data"][0]["why"]["terms"] == ["lang:en", "rust", "source:blog"]
    assert preview(client, "rust", sources=[], languages=None)["matched"] == 3


def test_only_the_newest_version_counts_and_is_shown(api: Api, client: Client) -> None:
    publish(api, client, "Rust", id="1")
    publish(api, client, "Zig", id="1", version=2)
    assert preview(client, "rust")["matched"] == 0
    found = preview(client, "zig")
    assert (found["looked_at"], found["data"][0]["version"]) == (1, 2)


def test_an_account_sees_its_own_articles_and_the_installations(
    api: Api, client: Client, other: Client, admin: Client
) -> None:
    publish(api, client, "Rust of mine")
    publish(api, admin, "Rust of everyone")
    assert set(titles(preview(client, "rust"))) == {"Rust of everyone", "Rust of mine"}
    found = preview(other, "rust")
    assert (titles(found), found["looked_at"]) == (["Rust of everyone"], 1)


def test_the_newest_are_shown_and_all_counted(api: Api, client: Client) -> None:
    for number in range(4):
        publish(api, client, f"Rust {number}")
        api.clock.advance(minutes=1)
    found = preview(client, "rust", limit=2)
    assert (titles(found), found["matched"]) == (["Rust 3", "Rust 2"], 4)


def test_nothing_to_look_at(client: Client) -> None:
    assert preview(client, "rust") == {
        "query": "rust",
        "looked_at": 0,
        "since": None,
        "matched": 0,
        "per_day": None,
        "data": [],
    }


def test_a_day_is_reckoned_from_the_time_looked_at(api: Api, client: Client) -> None:
    start = api.clock.now()
    publish(api, client, "Rust 0", published_at=rfc3339(start - timedelta(days=100)))
    publish(api, client, "Rust 1")
    publish(api, client, "Zig")
    api.clock.advance(minutes=59)
    assert preview(client, "rust")["per_day"] is None
    api.clock.advance(minutes=1, days=1)
    publish(api, client, "Rust 2", published_at=rfc3339(start + timedelta(hours=20)))
    api.clock.advance(hours=23)
    found = preview(client, "rust")
    assert (found["since"], found["matched"], found["per_day"]) == (rfc3339(start), 3, 1.0)
    assert preview(client, "python")["per_day"] == 0
    assert preview(client, '"rust 0"')["per_day"] is None


def test_the_latest_two_thousand_are_looked_at(api: Api, client: Client) -> None:
    now, ids = api.clock.now(), [new_id("art") for _ in range(LOOKED_AT + 2)]
    days_old = dict.fromkeys(sorted(ids)[:2], 30)
    with api.store.write() as session:
        for id_ in ids:
            session.add(_article(id_, now - timedelta(days=days_old.get(id_, 2))))
        session.flush()
        session.add_all(_version(id_, now) for id_ in ids)
    found = preview(client, "rust", limit=1)
    assert (found["looked_at"], found["matched"], len(found["data"])) == (2_000, 2_000, 1)
    assert (found["since"], found["per_day"]) == (rfc3339(now - timedelta(days=2)), 1_000)


def _article(article_id: str, routed_at: datetime) -> Article:
    return Article(
        id=article_id,
        source_key="external",
        producer_id=article_id,
        version=1,
        planned_version=1,
        article_day=routed_at.date(),
        first_routed_at=routed_at,
        updated_at=routed_at,
    )


def _version(article_id: str, now: datetime) -> ArticleVersion:
    return ArticleVersion(
        article_id=article_id,
        version=1,
        title="Rust",
        summary="",
        categories=[],
        authors=[],
        routed_at=now,
    )


def test_aliases_count_as_they_do_for_subscriptions(api: Api, client: Client, admin: Client) -> None:
    publish(api, client, "Kubernetes 2")
    assert preview(client, "k8s")["matched"] == 0
    ok(admin.put("/v1/aliases/k8s", {"meaning": "kubernetes"}), 201)
    [row] = preview(client, "k8s")["data"]
    assert row["why"]["terms"] == ["k8s"]
    assert row["why"]["title"] == stretches(("Kubernetes", True), (" 2", False))


@pytest.mark.parametrize(
    ("body", "field", "position"),
    [
        ({"query": 'foo "bar'}, "query", 4),
        ({"query": "-foo"}, "query", 0),
        ({"query": ""}, "query", 0),
        ({"query": "x" * 1_001}, "query", 1_000),
        ({"topic": "!"}, "topic", 0),
        ({}, "query", None),
        ({"query": "a", "topic": "a"}, "query", None),
        ({"query": 5}, "query", None),
        ({"query": "a", "sources": "bbc"}, "sources", None),
        ({"query": "a", "languages": ["english!"]}, "languages.0", None),
        ({"query": "a", "sources": ["x"] * 101}, "sources", None),
    ],
)
def test_what_cannot_be_subscribed_to_is_refused_in_the_same_words(
    client: Client, body: dict[str, Any], field: str, position: int | None
) -> None:
    refused = problem(client.post(PREVIEW, body), 422, field)
    channel = {"kind": "webhook", "url": "http://127.0.0.1:9/hook"}
    assert problem(client.post("/v1/subscriptions", body | {"channel": channel}), 422) == refused
    assert refused["errors"][0].get("position") == position


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 201}, "limit"),
        ({"limit": "5"}, "limit"),
        ({"channel_id": "ch_1"}, "channel_id"),
        ({"updates": True}, "updates"),
    ],
)
def test_bad_fields_are_refused_naming_them(client: Client, change: dict[str, Any], field: str) -> None:
    problem(client.post(PREVIEW, {"query": "a"} | change), 422, field)


def test_a_key_is_required(api: Api) -> None:
    problem(api.anonymous().post(PREVIEW, {"query": "a"}), 401)


def test_a_preview_makes_nothing(api: Api, client: Client) -> None:
    preview(client, "rust")
    assert ok(client.get("/v1/subscriptions"))["data"] == []
