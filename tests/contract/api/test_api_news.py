"""`/v1/news`, and the short forms `/subscribe`, `/unsubscribe` and `/news`."""

from typing import Any

import pytest
from sqlalchemy import func, select

from core.clock import rfc3339
from core.store.models import Delivery
from tests.contract.api.answers import ok, problem
from tests.contract.api.conftest import Api, Client

HOOK = {"kind": "webhook", "url": "http://127.0.0.1:9/hook"}


def publish(api: Api, client: Client, title: str, **fields: Any) -> str:
    """Publish an article and have it routed; return its uid."""
    body = {"id": fields.pop("id", title), "version": 1, "title": title} | fields
    uid: str = ok(client.post("/v1/articles", body), 201)["uid"]
    api.route()
    return uid


def titles(client: Client, path: str = "/v1/news", **query: Any) -> list[str]:
    """Return the titles of the news."""
    body = ok(client.get(path, query_string=query))
    return [row["title"] for row in body["data" if path == "/v1/news" else "articles"]]


def deliveries(api: Api) -> int:
    """Count the rows of the ledger."""
    with api.store.read() as session:
        return session.execute(select(func.count()).select_from(Delivery)).scalar_one()


def test_subscribing_shows_what_came_before_and_news_hold_it_and_what_comes(
    api: Api, client: Client, admin: Client
) -> None:
    for number in range(3):
        publish(api, admin, f"Python {number}")
    publish(api, admin, "Rust")
    answer = ok(client.post("/subscribe", {"topic": " python "}))
    assert (answer["status"], answer["topic"]) == ("subscribed", "python")
    assert [row["title"] for row in answer["articles"]] == ["Python 2", "Python 1", "Python 0"]
    publish(api, admin, "Python 3")
    assert titles(client)[0] == titles(client, "/news")[0] == "Python 3"
    assert sorted(titles(client)) == sorted(titles(client, "/news")) == [f"Python {n}" for n in range(4)]


def test_subscribing_again_changes_nothing(api: Api, client: Client, admin: Client) -> None:
    publish(api, admin, "Python 1")
    first = ok(client.post("/subscribe", {"topic": "Python"}))
    before = deliveries(api)
    assert ok(client.post("/subscribe", {"topic": "python"}))["articles"] == first["articles"]
    assert deliveries(api) == before
    assert len(ok(client.get("/v1/subscriptions"))["data"]) == 1


def test_unsubscribing_takes_the_news_away_and_subscribing_brings_them_back(
    api: Api, client: Client, admin: Client
) -> None:
    publish(api, admin, "Python 1")
    ok(client.post("/subscribe", {"topic": "python"}))
    publish(api, admin, "Python 2")
    assert ok(client.post("/unsubscribe", {"topic": "Python"})) == {
        "status": "unsubscribed",
        "topic": "Python",
    }
    assert titles(client) == []
    problem(client.post("/unsubscribe", {"topic": "python"}), 404)
    ok(client.post("/subscribe", {"topic": "python"}))
    assert sorted(titles(client)) == ["Python 1", "Python 2"]


def test_an_article_that_two_topics_match_is_news_of_both_once(
    api: Api, client: Client, admin: Client
) -> None:
    publish(api, admin, "Python and Rust")
    for topic in ("python", "rust"):
        ok(client.post("/subscribe", {"topic": topic}))
    assert titles(client) == titles(client, topic="rust") == titles(client, topic="Python")
    assert titles(client, topic="go") == []
    ok(client.post("/unsubscribe", {"topic": "python"}))
    assert titles(client) == ["Python and Rust"]
    assert titles(client, topic="python") == []


@pytest.mark.parametrize("path", ["/subscribe", "/unsubscribe"])
@pytest.mark.parametrize("body", [{}, {"topic": ""}, {"topic": "?!"}, {"topic": 1}, {"topic": None}])
def test_bad_topics_are_refused(client: Client, path: str, body: dict[str, object]) -> None:
    problem(client.post(path, body), 422, "topic")


def test_unknown_fields_and_parameters_are_refused(client: Client) -> None:
    problem(client.post("/subscribe", {"topic": "x", "email": "a@example.org"}), 422, "email")
    problem(client.get("/news?colour=red"), 422, "colour")
    problem(client.get("/news?limit=201"), 422, "limit")
    problem(client.get("/v1/news?cursor=1"), 422, "cursor")


def test_every_call_needs_a_key(api: Api) -> None:
    for path in ("/subscribe", "/unsubscribe"):
        problem(api.anonymous().post(path, {"topic": "x"}), 401)
    for path in ("/news", "/v1/news"):
        problem(api.anonymous().get(path), 401)


def test_an_article_in_several_channels_and_versions_is_news_once(
    api: Api, client: Client, admin: Client
) -> None:
    for number in (1, 2):
        channel = HOOK | {"url": f"{HOOK['url']}/{number}"}
        ok(client.post("/v1/subscriptions", {"query": "python", "channel": channel, "updates": True}), 201)
    publish(api, admin, "Python draft", id="1")
    publish(api, admin, "Rust", id="2")
    publish(api, admin, "Python final", id="1", version=2)
    assert deliveries(api) == 4
    assert titles(client) == ["Python final"]


def test_pages_hold_each_article_once(api: Api, client: Client, admin: Client) -> None:
    for number in (1, 2):
        channel = HOOK | {"url": f"{HOOK['url']}/{number}"}
        ok(client.post("/v1/subscriptions", {"query": "python", "channel": channel}), 201)
    for number in range(5):
        publish(api, admin, f"Python {number}")
    seen, cursor = [], None
    while True:
        given = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = ok(client.get("/v1/news", query_string=given))
        seen += [row["title"] for row in page["data"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == [f"Python {number}" for number in (4, 3, 2, 1, 0)]


def test_news_since_a_time(api: Api, client: Client, admin: Client) -> None:
    ok(client.post("/subscribe", {"topic": "python"}))
    publish(api, admin, "Python 1")
    api.clock.advance(minutes=5)
    publish(api, admin, "Python 2")
    assert titles(client, since=rfc3339(api.clock.now())) == ["Python 2"]


def test_news_of_a_query(api: Api, client: Client, admin: Client) -> None:
    ok(client.post("/v1/subscriptions", {"query": "python -snake", "channel": HOOK}), 201)
    publish(api, admin, "Python 1")
    assert titles(client, topic="python -snake") == ["Python 1"]
    assert titles(client, topic="python") == []


def test_news_are_the_accounts_own(api: Api, client: Client, other: Client, admin: Client) -> None:
    for one in (client, other):
        ok(one.post("/subscribe", {"topic": "python"}))
    publish(api, client, "My Python")
    publish(api, admin, "Our Python")
    assert titles(client) == ["Our Python", "My Python"]
    assert titles(other) == ["Our Python"]
    ok(other.post("/unsubscribe", {"topic": "python"}))
    assert len(titles(client)) == 2
    assert len(ok(other.post("/subscribe", {"topic": "python"}))["articles"]) == 1
