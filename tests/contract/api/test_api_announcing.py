"""Routers are told that subscriptions changed, after each commit and only then."""

import pytest

from tests.contract.api.answers import ok, problem
from tests.contract.api.conftest import Api, Client

HOOK = {"kind": "webhook", "url": "http://127.0.0.1:1/hook"}


def test_whatever_changes_subscriptions_is_announced(api: Api, client: Client) -> None:
    made = ok(client.post("/v1/subscriptions", {"query": "rust", "channel": HOOK}), 201)
    assert api.announcer.count == 1
    ok(client.patch(f"/v1/subscriptions/{made['id']}", {"query": "linux"}))
    assert api.announcer.count == 2
    ok(client.delete(f"/v1/subscriptions/{made['id']}"), 204)
    assert api.announcer.count == 3
    ok(client.delete(f"/v1/channels/{made['channel_id']}"), 204)
    assert api.announcer.count == 4
    ok(client.post("/subscribe", {"topic": "rust"}))
    assert api.announcer.count == 5
    ok(client.post("/unsubscribe", {"topic": "rust"}))
    assert api.announcer.count == 6


def test_changed_aliases_are_announced(api: Api, admin: Client) -> None:
    ok(admin.call("PUT", "/v1/aliases/k8s", {"meaning": "kubernetes"}), 201)
    ok(admin.post("/v1/aliases/import", {"aliases": [{"name": "ml", "meaning": "machine learning"}]}))
    ok(admin.delete("/v1/aliases/k8s"), 204)
    assert api.announcer.count == 3


@pytest.mark.parametrize("body", [{"query": "((", "channel": HOOK}, {"query": "rust", "channel_id": "ch_1"}])
def test_what_was_refused_is_not_announced(api: Api, client: Client, body: dict[str, object]) -> None:
    problem(client.post("/v1/subscriptions", body), 422)
    assert api.announcer.count == 0
