"""`/v1/deliveries`."""

from typing import Any

import pytest

from core.clock import rfc3339
from core.errors import Reason
from core.store.models import ArticleVersion, Attempt, Delivery
from core.store.states import DeliveryState
from tests.contract.api.answers import ok, problem
from tests.contract.api.conftest import Api, Client

HOOK = {"kind": "webhook", "url": "http://127.0.0.1:9/hook"}


def subscribe(client: Client, query: str, path: str = "") -> dict[str, Any]:
    """Subscribe a webhook of its own to a query."""
    channel = HOOK | {"url": HOOK["url"] + path}
    made: dict[str, Any] = ok(client.post("/v1/subscriptions", {"query": query, "channel": channel}), 201)
    return made


def publish(api: Api, admin: Client, title: str) -> str:
    """Publish an article and have it routed; return its uid."""
    body = {"id": title, "version": 1, "title": title}
    uid: str = ok(admin.post("/v1/articles", body), 201)["uid"]
    api.route()
    return uid


def fail_once(api: Api, delivery_id: str) -> None:
    """Have a delivery tried in vain."""
    now = api.clock.now()
    tried = Attempt(
        delivery_id=delivery_id,
        article_day=now.date(),
        number=1,
        started_at=now,
        duration_ms=12,
        status=404,
        reason=Reason.STATUS_4XX,
        excerpt="nothing here",
    )
    with api.store.write() as session:
        row = session.get_one(Delivery, (delivery_id, now.date()))
        row.state, row.reason, row.attempts = DeliveryState.FAILED, Reason.STATUS_4XX, 1
        row.due_at, row.enqueue_after, row.finished_at = None, None, now
        session.add(tried)


def test_a_delivery_and_its_attempts(api: Api, client: Client, admin: Client) -> None:
    subscription = subscribe(client, "python")
    uid = publish(api, admin, "Python 4")
    [row] = ok(client.get("/v1/deliveries"))["data"]
    assert row["id"].startswith("dlv_")
    assert (row["article_id"], row["article_title"], row["version"]) == (uid, "Python 4", 1)
    assert (row["event"], row["state"], row["attempts"]) == ("article.published", "pending", 0)
    assert row["channel_id"] == subscription["channel_id"]
    assert row["subscriptions"] == [{"id": subscription["id"], "query": "python"}]
    assert row["due_at"] == row["next_try_at"] == row["created_at"] == rfc3339(api.clock.now())
    fail_once(api, row["id"])
    shown = ok(client.get(f"/v1/deliveries/{row['id']}"))
    assert (shown["state"], shown["reason"]) == ("failed", "status_4xx")
    [attempt] = shown["attempts"]
    assert (attempt["number"], attempt["status"], attempt["excerpt"]) == (1, 404, "nothing here")
    assert ok(client.get("/v1/deliveries"))["data"][0]["attempts"] == 1


def test_filters(api: Api, client: Client, admin: Client) -> None:
    python, rust = subscribe(client, "python", "/p"), subscribe(client, "rust", "/r")
    both = publish(api, admin, "Python and Rust")
    api.clock.advance(minutes=1)
    publish(api, admin, "Rust alone")

    def found(**query: Any) -> list[str]:
        rows = ok(client.get("/v1/deliveries", query_string=query))["data"]
        return sorted(f"{row['subscriptions'][0]['query']}: {row['article_title']}" for row in rows)

    assert len(found()) == 3
    assert found(channel_id=python["channel_id"]) == ["python: Python and Rust"]
    assert found(subscription_id=rust["id"]) == ["rust: Python and Rust", "rust: Rust alone"]
    assert found(article_id=both) == ["python: Python and Rust", "rust: Python and Rust"]
    assert found(since=rfc3339(api.clock.now())) == ["rust: Rust alone"]
    assert len(found(state="pending")) == 3
    assert found(state="delivered") == []
    assert found(channel_id="ch_unknown") == []


def test_pages(api: Api, client: Client, admin: Client) -> None:
    subscribe(client, "python")
    for number in range(3):
        publish(api, admin, f"Python {number}")
    first = ok(client.get("/v1/deliveries?limit=2"))
    rest = ok(client.get(f"/v1/deliveries?limit=2&cursor={first['next_cursor']}"))
    assert [len(first["data"]), len(rest["data"])] == [2, 1]
    assert rest["next_cursor"] is None
    assert len({row["id"] for row in first["data"] + rest["data"]}) == 3


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("state=lost", "state"),
        ("channel_id=a%20b", "channel_id"),
        ("subscription_id=%27%3B--", "subscription_id"),
        ("article_id=", "article_id"),
        ("since=1", "since"),
        ("limit=-1", "limit"),
        ("limit=1e3", "limit"),
        ("limit=99999999999999999999999", "limit"),
        ("cursor=x", "cursor"),
        ("colour=red", "colour"),
    ],
)
def test_bad_parameters_are_refused_naming_them(client: Client, query: str, field: str) -> None:
    problem(client.get(f"/v1/deliveries?{query}"), 422, field)


def test_other_accounts_deliveries_do_not_exist(
    api: Api, client: Client, other: Client, admin: Client
) -> None:
    subscription = subscribe(client, "python")
    publish(api, admin, "Python 4")
    [row] = ok(client.get("/v1/deliveries"))["data"]
    for stranger in (other, admin):
        problem(stranger.get(f"/v1/deliveries/{row['id']}"), 404)
        assert ok(stranger.get("/v1/deliveries"))["data"] == []
        assert ok(stranger.get(f"/v1/deliveries?subscription_id={subscription['id']}"))["data"] == []


def test_pausing_holds_what_is_pending(api: Api, client: Client, admin: Client) -> None:
    subscription = subscribe(client, "python")
    publish(api, admin, "Python 4")
    path = f"/v1/channels/{subscription['channel_id']}"
    ok(client.post(f"{path}/pause"))
    assert ok(client.get("/v1/deliveries"))["data"][0]["state"] == "held"
    ok(client.post(f"{path}/resume"))
    assert ok(client.get("/v1/deliveries"))["data"][0]["state"] == "pending"
    ok(client.delete(path), 204)
    [row] = ok(client.get("/v1/deliveries"))["data"]
    assert (row["state"], row["reason"]) == ("cancelled", "channel_deleted")


def why(client: Client) -> Any:
    """Return why the account's one delivery was made."""
    [row] = ok(client.get("/v1/deliveries"))["data"]
    assert "why" not in row
    return ok(client.get(f"/v1/deliveries/{row['id']}"))["why"]


def stretches(*pairs: tuple[str, bool]) -> list[dict[str, Any]]:
    """Return a text in stretches, as it is shown."""
    return [{"text": text, "match": match} for text, match in pairs]


def test_why_a_delivery_was_made(api: Api, client: Client, admin: Client) -> None:
    rust = subscribe(client, "rust -game")
    kernel = subscribe(client, "kernel (driver OR python) source:default")
    subscribe(client, "python")
    ok(
        admin.post("/v1/articles", {"id": "1", "version": 1, "title": "Rust kernel", "summary": "A driver"}),
        201,
    )
    api.route()
    shown = why(client)
    assert shown == {
        "title": stretches(("Rust", True), (" ", False), ("kernel", True)),
        "summary": stretches(("A ", False), ("driver", True)),
        "subscriptions": [
            {"id": rust["id"], "terms": ["rust"]},
            {"id": kernel["id"], "terms": ["driver", "kernel", "source:default"]},
        ],
    }


def test_why_is_about_the_version_delivered(api: Api, client: Client, admin: Client) -> None:
    subscribe(client, "rust")
    publish(api, admin, "Rust")
    ok(admin.post("/v1/articles", {"id": "Rust", "version": 2, "title": "Zig"}), 201)
    api.route()
    assert why(client)["title"] == stretches(("Rust", True))


def test_a_subscription_says_why_by_what_it_is_now(api: Api, client: Client, admin: Client) -> None:
    changed, narrowed, deleted = (subscribe(client, query) for query in ("rust", "kernel", "rust kernel"))
    publish(api, admin, "Rust kernel")
    ok(client.patch(f"/v1/subscriptions/{changed['id']}", {"query": "python"}))
    ok(client.patch(f"/v1/subscriptions/{narrowed['id']}", {"sources": ["DEFAULT"]}))
    ok(client.delete(f"/v1/subscriptions/{deleted['id']}"), 204)
    assert why(client) == {
        "title": stretches(("Rust ", False), ("kernel", True)),
        "summary": [],
        "subscriptions": [
            {"id": changed["id"], "terms": None},
            {"id": narrowed["id"], "terms": ["kernel", "source:default"]},
            {"id": deleted["id"], "terms": None},
        ],
    }


def test_of_a_version_that_is_gone_nobody_knows_why(api: Api, client: Client, admin: Client) -> None:
    subscribe(client, "rust")
    uid = publish(api, admin, "Rust")
    with api.store.write() as session:
        session.delete(session.get_one(ArticleVersion, (uid, 1)))
    assert why(client) is None


def test_an_alias_is_a_reason_too(api: Api, client: Client, admin: Client) -> None:
    subscription = subscribe(client, "kubernetes")
    publish(api, admin, "Kubernetes or K8s")
    ok(admin.put("/v1/aliases/k8s", {"meaning": "kubernetes"}), 201)
    shown = why(client)
    assert shown["title"] == stretches(("Kubernetes", True), (" or ", False), ("K8s", True))
    assert shown["subscriptions"] == [{"id": subscription["id"], "terms": ["kubernetes"]}]
