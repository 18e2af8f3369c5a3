"""`/v1/subscriptions`."""

from typing import Any

import pytest

from core.store import revisions
from tests.contract.api.answers import ok, problem
from tests.contract.api.conftest import Api, Client

HOOK = {"kind": "webhook", "url": "http://127.0.0.1:9/hook"}


def subscribe(client: Client, **fields: Any) -> dict[str, Any]:
    """Make a subscription to a webhook."""
    made: dict[str, Any] = ok(
        client.post("/v1/subscriptions", {"query": "python", "channel": HOOK} | fields), 201
    )
    return made


def test_a_subscription_with_its_channel(client: Client) -> None:
    made = subscribe(client, query=' python -"job ad" ')
    assert made["query"] == 'python -"job ad"'
    assert made["topic"] is None
    assert made["channel_id"] == made["channel"]["id"]
    assert made["channel"]["secret"].startswith("whsec_")
    shown = ok(client.get(f"/v1/subscriptions/{made['id']}"))
    assert shown == {key: value for key, value in made.items() if key != "channel"}
    assert ok(client.get("/v1/subscriptions"))["data"] == [shown]


def test_a_second_subscription_to_the_same_channel_shows_no_secret(client: Client) -> None:
    first, second = subscribe(client), subscribe(client, query="rust")
    assert first["channel_id"] == second["channel_id"]
    assert "secret" not in second["channel"]
    by_id = {"query": "go", "channel_id": first["channel_id"]}
    third = ok(client.post("/v1/subscriptions", by_id), 201)
    assert third["channel"]["id"] == first["channel_id"]
    assert len(ok(client.get(f"/v1/subscriptions?channel_id={first['channel_id']}"))["data"]) == 3


def test_the_same_target_with_other_fields_is_a_conflict(client: Client) -> None:
    subscribe(client)
    body = {"query": "rust", "channel": HOOK | {"retry_schedule": [1]}}
    problem(client.post("/v1/subscriptions", body), 409)


def test_a_topic_has_no_operators(client: Client) -> None:
    made = ok(client.post("/v1/subscriptions", {"topic": " C++  OR Rust ", "channel": HOOK}), 201)
    assert made["topic"] == made["query"] == "C++ OR Rust"


def test_filters_are_kept_in_the_form_in_which_they_are_compared(client: Client) -> None:
    made = subscribe(client, sources=[" The  Times "], languages=["en_US", "DE"], updates=True, schedule=None)
    assert made["sources"] == ["The Times"]
    assert made["languages"] == ["en-us", "de"]
    assert made["updates"] is True
    unfiltered = subscribe(client, sources=[], languages=[])
    assert (unfiltered["sources"], unfiltered["languages"]) == (None, None)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "query"),
        ({"query": "x"}, "channel"),
        ({"channel": HOOK}, "query"),
        ({"query": "x", "topic": "x", "channel": HOOK}, "query"),
        ({"query": "x", "channel": HOOK, "channel_id": "ch_1"}, "channel"),
        ({"query": "x", "channel_id": "ch_01ARZ3NDEKTSV4RRFFQ69G5FAV"}, "channel_id"),
        ({"query": "x", "channel_id": "../ch"}, "channel_id"),
        ({"query": "x", "channel_id": 5}, "channel_id"),
        ({"query": "(", "channel": HOOK}, "query"),
        ({"query": "", "channel": HOOK}, "query"),
        ({"query": "-x", "channel": HOOK}, "query"),
        ({"query": "x" * 20_000, "channel": HOOK}, "query"),
        ({"query": "x " * 900, "channel": HOOK}, "query"),
        ({"query": ["x"], "channel": HOOK}, "query"),
        ({"topic": "", "channel": HOOK}, "topic"),
        ({"topic": "!!!", "channel": HOOK}, "topic"),
        ({"topic": 5, "channel": HOOK}, "topic"),
        ({"query": "x", "channel": "ch_1"}, "channel"),
        ({"query": "x", "channel": {}}, "channel.kind"),
        ({"query": "x", "channel": {"kind": "pigeon"}}, "channel.kind"),
        ({"query": "x", "channel": HOOK | {"url": "nowhere"}}, "channel.url"),
        ({"query": "x", "channel": HOOK | {"colour": 1}}, "channel.colour"),
        ({"query": "x", "channel": HOOK | {"rate_limit": 0}}, "channel.rate_limit"),
        ({"query": "x", "channel": HOOK, "colour": 1}, "colour"),
        ({"query": "x", "channel": HOOK, "sources": "a"}, "sources"),
        ({"query": "x", "channel": HOOK, "sources": [1]}, "sources.0"),
        ({"query": "x", "channel": HOOK, "sources": [""]}, "sources.0"),
        ({"query": "x", "channel": HOOK, "sources": ["a"] * 101}, "sources"),
        ({"query": "x", "channel": HOOK, "languages": ["english please"]}, "languages.0"),
        ({"query": "x", "channel": HOOK, "languages": {"en": 1}}, "languages"),
        ({"query": "x", "channel": HOOK, "updates": "yes"}, "updates"),
        ({"query": "x", "channel": HOOK, "updates": 1}, "updates"),
        ({"query": "x", "channel": HOOK, "schedule": False}, "schedule"),
    ],
)
def test_bad_subscriptions_are_refused_naming_the_field(
    client: Client, body: dict[str, object], field: str
) -> None:
    problem(client.post("/v1/subscriptions", body), 422, field)
    assert ok(client.get("/v1/subscriptions"))["data"] == []
    assert ok(client.get("/v1/channels"))["data"] == []


def test_a_bad_query_is_refused_with_the_position(client: Client) -> None:
    body = problem(client.post("/v1/subscriptions", {"query": "a b)", "channel": HOOK}), 422, "query")
    assert body["errors"][0]["position"] == 3


def test_changing(api: Api, client: Client) -> None:
    made = subscribe(client, sources=["a"], languages=["en"])
    path = f"/v1/subscriptions/{made['id']}"
    with api.store.read() as session:
        before = revisions.changes_since(session, None).position
    changed = ok(client.patch(path, {"query": "rust", "sources": None, "updates": True}))
    assert (changed["query"], changed["sources"], changed["languages"]) == ("rust", None, ["en"])
    assert changed["updates"] is True
    topic = ok(client.patch(path, {"topic": "machine learning"}))
    assert topic["topic"] == "machine learning"
    assert ok(client.patch(path, {"languages": ["de"]}))["topic"] == "machine learning"
    with api.store.read() as session:
        assert revisions.changes_since(session, before).numbers


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"query": "(("}, "query"),
        ({"query": "a", "topic": "b"}, "query"),
        ({"channel_id": "ch_1"}, "channel_id"),
        ({"updates": None}, "updates"),
        ({"schedule": {"every": "month"}}, "schedule.every"),
    ],
)
def test_bad_changes_are_refused(client: Client, body: dict[str, object], field: str) -> None:
    made = subscribe(client)
    path = f"/v1/subscriptions/{made['id']}"
    problem(client.patch(path, body), 422, field)
    assert ok(client.get(path))["query"] == "python"


def test_deleting(client: Client) -> None:
    path = f"/v1/subscriptions/{subscribe(client)['id']}"
    ok(client.delete(path), 204)
    problem(client.get(path), 404)
    problem(client.delete(path), 404)
    problem(client.patch(path, {"query": "x"}), 404)


def test_other_accounts_subscriptions_and_channels_do_not_exist(
    client: Client, other: Client, admin: Client
) -> None:
    made = subscribe(client)
    path = f"/v1/subscriptions/{made['id']}"
    for stranger in (other, admin):
        problem(stranger.get(path), 404)
        problem(stranger.patch(path, {"query": "x"}), 404)
        problem(stranger.delete(path), 404)
        assert ok(stranger.get("/v1/subscriptions"))["data"] == []
        assert ok(stranger.get(f"/v1/subscriptions?channel_id={made['channel_id']}"))["data"] == []
        theirs = {"query": "x", "channel_id": made["channel_id"]}
        unknown = {"query": "x", "channel_id": "ch_01ARZ3NDEKTSV4RRFFQ69G5FAV"}
        refused = problem(stranger.post("/v1/subscriptions", theirs), 422, "channel_id")
        assert refused == problem(stranger.post("/v1/subscriptions", unknown), 422, "channel_id")
