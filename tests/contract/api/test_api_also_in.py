"""Where else an article is told, and subscriptions that want each story once."""

from typing import Any

import pytest

from core.clock import rfc3339
from core.store.also_in import MOST_LISTED
from tests.contract.api.answers import ok, problem
from tests.contract.api.conftest import Api, Client

URL = "https://paper.example/2026/pods"
HEADLINE = "Saudi state behind piracy TV operation, WTO rules"
SUBSCRIPTION = {"query": "piracy", "channel": {"kind": "webhook", "url": "http://127.0.0.1:9/hook"}}


def publish(client: Client, source: str, **fields: Any) -> dict[str, Any]:
    """Publish an article of a source."""
    article = {"id": f"{source}-1", "version": 1, "title": HEADLINE, "source": source}
    answer: dict[str, Any] = ok(client.post("/v1/articles", article | fields), 201)
    return answer


def show(client: Client, uid: str) -> dict[str, Any]:
    """Return an article as it is shown."""
    answer: dict[str, Any] = ok(client.get(f"/v1/articles/{uid}"))
    return answer


def test_other_sources_of_the_page_are_listed(api: Api, client: Client) -> None:
    first = publish(client, "first", url=URL)
    api.route()
    assert show(client, first["uid"])["also_in"] == []
    api.clock.advance(minutes=1)
    second = publish(client, "second", url=f"{URL}?utm_source=rss", title="The same, in other words")
    api.route()

    shown = show(client, first["uid"])

    assert shown["source"] == first["source"]
    assert shown["title"] == HEADLINE
    assert shown["also_in"] == [
        {
            "uid": None,
            "source": second["source"],
            "url": f"{URL}?utm_source=rss",
            "first_seen_at": rfc3339(api.clock.now()),
        }
    ]


def test_an_article_that_joined_another_is_shown_as_that_one(api: Api, client: Client, other: Client) -> None:
    first, second = publish(client, "first", url=URL), publish(client, "second", url=URL)
    assert show(client, second["uid"])["also_in"] == []
    api.route()
    assert show(client, second["uid"]) == show(client, first["uid"])
    assert show(client, second["uid"])["uid"] == first["uid"]
    problem(other.get(f"/v1/articles/{second['uid']}"), 404)


def test_a_source_has_the_articles_that_its_own_joined(api: Api, client: Client) -> None:
    first, second = publish(client, "first", url=URL), publish(client, "second", url=URL)
    publish(client, "third", url=f"{URL}/other")
    api.route()
    for source in ("first", "second", second["source"]["id"]):
        listed = ok(client.get("/v1/articles", query_string={"source": source}))["data"]
        assert [article["uid"] for article in listed] == [first["uid"]]


def test_queries_know_an_article_by_all_its_sources(api: Api, client: Client) -> None:
    wanted = {"query": "piracy", "sources": ["second"]}
    subscription = ok(client.post("/v1/subscriptions", SUBSCRIPTION | wanted), 201)
    first = publish(client, "first", url=URL)
    publish(client, "second", url=URL)
    publish(client, "third", url=f"{URL}/other")
    api.route()

    found = ok(client.get("/v1/articles", query_string={"q": "piracy source:second"}))["data"]
    preview = ok(client.post("/v1/subscriptions/preview", wanted))
    (row,) = ok(client.get("/v1/deliveries"))["data"]
    why = ok(client.get(f"/v1/deliveries/{row['id']}"))["why"]

    assert [article["uid"] for article in found] == [first["uid"]]
    assert preview["matched"] == 1
    assert row["article_id"] == first["uid"]
    assert why["subscriptions"] == [{"id": subscription["id"], "terms": ["piracy", "source:second"]}]


def test_other_articles_of_the_story_are_listed_with_each_of_them(
    api: Api, client: Client, admin: Client, other: Client
) -> None:
    first = publish(client, "first", url="https://first.example/1")
    second = publish(admin, "second", url="https://second.example/1", title=f"{HEADLINE} - The Second")
    hidden = publish(other, "third", url="https://third.example/1")
    publish(client, "first", id="a column", url="https://first.example/2")
    api.route()

    def uids(client: Client, uid: str) -> set[str | None]:
        return {place["uid"] for place in show(client, uid)["also_in"]}

    assert uids(client, first["uid"]) == {second["uid"]}
    assert uids(admin, second["uid"]) == set()
    assert uids(other, hidden["uid"]) == {second["uid"]}
    assert uids(other, second["uid"]) == {hidden["uid"]}


def test_pages_and_stories_are_listed_together_in_the_order_in_which_they_came(
    api: Api, client: Client
) -> None:
    first = publish(client, "first", url=URL)
    for name, url in (("story", "https://story.example/1"), ("page", URL), ("late", "https://late.example/")):
        api.route()
        api.clock.advance(hours=30 if name == "late" else 1)
        publish(client, name, url=url)
    api.route()

    places = show(client, first["uid"])["also_in"]

    assert [place["source"]["name"] for place in places] == ["story", "page", "late"]
    assert [place["uid"] is None for place in places] == [False, True, False]


def test_the_list_has_an_end(api: Api, client: Client) -> None:
    first = publish(client, "first", url=URL)
    for number in range(MOST_LISTED + 1):
        publish(client, f"source {number}", url=URL)
    api.route()
    assert len(show(client, first["uid"])["also_in"]) == MOST_LISTED


def test_once_per_story_is_a_choice(client: Client) -> None:
    made = ok(client.post("/v1/subscriptions", SUBSCRIPTION), 201)
    assert made["once_per_story"] is False
    path = f"/v1/subscriptions/{made['id']}"
    assert ok(client.patch(path, {"once_per_story": True}))["once_per_story"] is True
    assert ok(client.patch(path, {"updates": True}))["once_per_story"] is True
    assert ok(client.get(path))["once_per_story"] is True
    chosen = ok(client.post("/v1/subscriptions", SUBSCRIPTION | {"once_per_story": True}), 201)
    assert chosen["once_per_story"] is True


@pytest.mark.parametrize("value", ["yes", 1, None])
def test_what_is_no_choice_is_refused(client: Client, value: object) -> None:
    answer = client.post("/v1/subscriptions", SUBSCRIPTION | {"once_per_story": value})
    assert problem(answer, 422)["errors"][0]["field"] == "once_per_story"


def test_a_changed_choice_counts_from_then_on(api: Api, client: Client) -> None:
    made = ok(client.post("/v1/subscriptions", SUBSCRIPTION | {"once_per_story": True}), 201)
    for number, once in enumerate((True, True, False)):
        ok(client.patch(f"/v1/subscriptions/{made['id']}", {"once_per_story": once}))
        publish(client, f"source {number}", url=f"https://{number}.example/1")
        api.route()
        api.clock.advance(hours=1)
    rows = ok(client.get("/v1/deliveries"))["data"]
    assert len(rows) == 2
