"""Channels of chats, as the API makes, shows and changes them."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from core.store.models import Channel
from core.store.states import DeliveryState
from tests.contract.api.answers import ok, problem
from tests.contract.api.conftest import Api, Client
from tests.contract.api.rows import HOOK, delivery, stored

SERVICES = Path(__file__).parent.parent / "chats"
KINDS = sorted(path.stem for path in SERVICES.glob("*.json"))
SLACK = {"kind": "slack", "url": "http://127.0.0.1:9/services/T00000001/B00000001/abcdefghijklmnop12345678"}
TELEGRAM = {"kind": "telegram", "token": "123456789:abcdefghijklmnopqrstuvwxyzABCDEFGHI", "chat_id": -100}
TELEGRAM |= {"server": "http://127.0.0.1:9"}
each_kind = pytest.mark.parametrize("kind", KINDS)


def described(kind: str) -> tuple[dict[str, Any], list[str]]:
    """Return a channel as an account describes it, and what of it is secret."""
    known = json.loads((SERVICES / f"{kind}.json").read_text().replace("{server}", "http://127.0.0.1:9"))
    return {"kind": kind, **known["fields"]}, known["secrets"]


@each_kind
def test_a_chat_is_active_paced_and_shows_no_secret(api: Api, client: Client, kind: str) -> None:
    body, secrets = described(kind)
    made = ok(client.post("/v1/channels", body), 201)
    assert (made["kind"], made["state"], made["ordering"], made["collapse_seconds"]) == (
        kind,
        "active",
        "strict",
        10,
    )
    assert 0 < made["rate_limit"] <= 1
    with api.store.read() as session:
        channel = session.get_one(Channel, made["id"])
    shown = [made, ok(client.get(f"/v1/channels/{made['id']}")), ok(client.get("/v1/channels"))]
    longest = max(secrets, key=len)
    assert longest not in json.dumps(shown)
    assert [secret for secret in secrets if secret in channel.sealed + channel.target_hash] == []
    assert channel.queue == "chat"


@each_kind
def test_the_same_chat_again_is_the_one_there_is(client: Client, kind: str) -> None:
    body, _secrets = described(kind)
    made = ok(client.post("/v1/channels", body), 201)
    assert ok(client.post("/v1/channels", body))["id"] == made["id"]
    subscribed = ok(client.post("/v1/subscriptions", {"query": "python", "channel": body}), 201)
    assert subscribed["channel_id"] == made["id"]
    problem(client.post("/v1/channels", body | {"collapse_seconds": 60}), 409)


@each_kind
def test_a_chat_inside_is_refused(client: Client, kind: str) -> None:
    body, secrets = described(kind)
    inside = json.loads(json.dumps(body).replace("http://127.0.0.1:9", "http://10.0.0.1"))
    field = "server" if kind == "telegram" else "url"
    refused = problem(client.post("/v1/channels", inside), 422, field)
    assert "10.0.0.1 is a private address" in refused["detail"]
    assert [secret for secret in secrets if secret in json.dumps(refused)] == []


@each_kind
def test_a_chat_can_be_tried_out(api: Api, client: Client, kind: str) -> None:
    made = ok(client.post("/v1/channels", described(kind)[0]), 201)
    assert ok(client.post(f"/v1/channels/{made['id']}/test"))["delivered"] is True
    assert [tested for tested, _config in api.tester.tested] == [kind]


@pytest.mark.parametrize(
    ("body", "field", "words"),
    [
        ({"kind": "slack"}, "url", "required"),
        ({"kind": "slack", "url": "hooks.slack.com/services"}, "url", "must start with http"),
        (SLACK | {"secret": "x"}, "secret", ""),
        (SLACK | {"collapse_seconds": 0.5}, "collapse_seconds", "1"),
        (SLACK | {"collapse_seconds": 7_200}, "collapse_seconds", "3600"),
        (HOOK | {"collapse_seconds": 10}, "collapse_seconds", "each article by itself"),
        (TELEGRAM | {"token": "abc"}, "token", "@BotFather"),
        (TELEGRAM | {"chat_id": "my chat"}, "chat_id", "a number"),
        (TELEGRAM | {"chat_id": True}, "chat_id", ""),
        (TELEGRAM | {"thread_id": 0}, "thread_id", ""),
        ({"kind": "ntfy", "url": "http://127.0.0.1:9/"}, "url", "looks like https://ntfy.sh/"),
        ({"kind": "ntfy", "url": "http://127.0.0.1:9/t?x=1"}, "url", "looks like https://ntfy.sh/"),
        ({"kind": "ntfy", "url": "http://127.0.0.1:9/t", "token": "a b"}, "token", ""),
        ({"kind": "apprise", "url": "json://10.0.0.1/"}, "url", "must begin with one of"),
    ],
)
def test_what_is_wrong_is_said(client: Client, body: dict[str, Any], field: str, words: str) -> None:
    refused = problem(client.post("/v1/channels", body), 422, field)
    assert words in refused["detail"]
    assert body.get("token", "none at all") not in json.dumps(refused)


def test_apprise_without_its_extra_is_refused(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    body = {"kind": "apprise", "url": "pover://aaaaaaaaaabbbbbbbbbbcccccccccc@ddddddddddeeeeeeeeeeffffffffff"}
    refused = problem(client.post("/v1/channels", body), 422, "kind")
    assert "pip install 'clarion[apprise]'" in refused["detail"]


def test_a_renewed_token_is_the_same_chat(client: Client) -> None:
    made = ok(client.post("/v1/channels", TELEGRAM), 201)
    assert (made["token"], made["chat_id"], made["thread_id"]) == ("123456789:…", "-100", None)
    renewed = {"token": "123456789:" + "Z" * 35}
    problem(client.post("/v1/channels", TELEGRAM | renewed), 409)
    assert ok(client.patch(f"/v1/channels/{made['id']}", renewed))["token"] == "123456789:…"
    assert ok(client.post("/v1/channels", TELEGRAM | renewed))["id"] == made["id"]


def test_another_url_keeps_the_pace(client: Client) -> None:
    made = ok(client.post("/v1/channels", SLACK | {"collapse_seconds": 60, "rate_limit": None}), 201)
    assert (made["collapse_seconds"], made["rate_limit"], made["ordering"]) == (60, None, "strict")
    path = f"/v1/channels/{made['id']}"
    changed = ok(client.patch(path, {"url": SLACK["url"].replace("B00000001", "B00000002")}))
    assert "B00000002" in changed["url"]
    assert (changed["collapse_seconds"], changed["rate_limit"]) == (60, None)
    assert ok(client.patch(path, {"collapse_seconds": None}))["collapse_seconds"] is None


def test_a_delivery_says_which_message_told_it(api: Api, client: Client) -> None:
    channel_id = ok(client.post("/v1/channels", SLACK), 201)["id"]
    id_ = delivery(api, client, channel_id, DeliveryState.DELIVERED, message_id="msg_1")
    assert ok(client.get(f"/v1/deliveries/{id_}"))["message_id"] == "msg_1"
    assert stored(api, id_).message_id == "msg_1"


def test_what_waited_to_be_told_together_goes_alone_once_order_counts_no_more(
    api: Api, client: Client
) -> None:
    channel_id = ok(client.post("/v1/channels", SLACK), 201)["id"]
    now = api.clock.now()
    ids = [
        delivery(api, client, channel_id, DeliveryState.PENDING, sequence=1, message_id="msg_1", due_at=now),
        delivery(api, client, channel_id, DeliveryState.PENDING, sequence=2, message_id="msg_1", due_at=None),
    ]
    ok(client.patch(f"/v1/channels/{channel_id}", {"ordering": "any"}))
    rows = [stored(api, id_) for id_ in ids]
    assert [(row.message_id, row.sequence, row.enqueue_after) for row in rows] == [(None, None, now)] * 2
