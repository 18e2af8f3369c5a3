"""How fast and in which order a channel is sent to: `rate_limit` and `ordering`."""

from datetime import timedelta
from typing import Any

import pytest

from core.store.models import Channel
from core.store.states import DeliveryState
from tests.contract.api.answers import ok, problem
from tests.contract.api.conftest import Api, Client
from tests.contract.api.rows import HOOK, delivery, stored, webhook

EMAIL = {"kind": "email", "address": "reader@example.org"}


def next_slot(api: Api, channel_id: str) -> Any:
    with api.store.read() as session:
        return session.get_one(Channel, channel_id).next_slot_at


def test_by_default_there_is_neither_limit_nor_order(client: Client) -> None:
    made = ok(client.post("/v1/channels", HOOK), 201)
    assert (made["rate_limit"], made["ordering"], made["failing_since"]) == (None, "any", None)


@pytest.mark.parametrize("rate", [0.0001, 0.5, 5, 1_000])
@pytest.mark.parametrize("kind", [HOOK, EMAIL])
def test_every_kind_may_have_a_rate_limit(client: Client, kind: dict[str, str], rate: float) -> None:
    made = ok(client.post("/v1/channels", kind | {"rate_limit": rate}), 201)
    assert made["rate_limit"] == rate
    assert ok(client.post("/v1/channels", kind | {"rate_limit": rate}))["id"] == made["id"]
    path = f"/v1/channels/{made['id']}"
    assert ok(client.patch(path, {"rate_limit": 7.25}))["rate_limit"] == 7.25
    assert ok(client.patch(path, {"retry_schedule": [1]}))["rate_limit"] == 7.25
    problem(client.patch(path, {"rate_limit": 0}), 422, "rate_limit")
    assert ok(client.patch(path, {"rate_limit": None}))["rate_limit"] is None


def test_a_channel_made_with_a_subscription_may_have_both(client: Client) -> None:
    body = {"query": "python", "channel": HOOK | {"rate_limit": 2, "ordering": "strict"}}
    made = ok(client.post("/v1/subscriptions", body), 201)["channel"]
    assert (made["rate_limit"], made["ordering"]) == (2, "strict")
    refused = {"query": "python", "channel": EMAIL | {"ordering": "strict"}}
    problem(client.post("/v1/subscriptions", refused), 422, "channel.ordering")


def test_only_webhooks_may_be_strict(client: Client) -> None:
    made = ok(client.post("/v1/channels", EMAIL | {"ordering": "any"}), 201)
    path = f"/v1/channels/{made['id']}"
    problem(client.patch(path, {"ordering": "strict"}), 422, "ordering")
    assert ok(client.get(path))["ordering"] == "any"


@pytest.mark.parametrize("limit", [5, None])
def test_another_rate_reserves_new_slots(api: Api, client: Client, limit: int | None) -> None:
    channel_id = webhook(client, rate_limit=0.1)
    now = api.clock.now()
    slot = now + timedelta(minutes=3)
    with api.store.write() as session:
        session.get_one(Channel, channel_id).next_slot_at = slot
    waiting = {"due_at": slot, "enqueue_after": slot}
    slotted = delivery(api, client, channel_id, DeliveryState.PENDING, slot_at=slot, **waiting)
    retried = delivery(api, client, channel_id, DeliveryState.PENDING, **waiting)
    sending = delivery(api, client, channel_id, DeliveryState.SENDING, slot_at=now, due_at=now)
    neighbour = delivery(api, client, webhook(client, "/2"), DeliveryState.PENDING, slot_at=slot, **waiting)

    ok(client.patch(f"/v1/channels/{channel_id}", {"rate_limit": 0.1}))  # the same: nothing changes
    assert (next_slot(api, channel_id), stored(api, slotted).slot_at) == (slot, slot)

    ok(client.patch(f"/v1/channels/{channel_id}", {"rate_limit": limit}))
    assert next_slot(api, channel_id) is None
    row = stored(api, slotted)
    assert (row.slot_at, row.due_at, row.enqueue_after) == (None, now, now)
    assert stored(api, retried).due_at == slot
    assert stored(api, sending).slot_at == now
    assert stored(api, neighbour).slot_at == slot


def test_without_order_nothing_waits_for_its_turn(api: Api, client: Client) -> None:
    channel_id = webhook(client, ordering="strict")
    now = api.clock.now()
    later = now + timedelta(hours=1)
    retried = delivery(
        api, client, channel_id, DeliveryState.PENDING, sequence=1, due_at=later, enqueue_after=later
    )
    behind = delivery(api, client, channel_id, DeliveryState.PENDING, sequence=2, due_at=now)
    held = delivery(api, client, channel_id, DeliveryState.HELD, sequence=3)
    ended = delivery(api, client, channel_id, DeliveryState.DELIVERED)

    ok(client.patch(f"/v1/channels/{channel_id}", {"ordering": "strict"}))  # the same: nothing changes
    assert stored(api, behind).enqueue_after is None

    assert ok(client.patch(f"/v1/channels/{channel_id}", {"ordering": "any"}))["ordering"] == "any"
    rows = [stored(api, id_) for id_ in (retried, behind, held, ended)]
    assert [row.sequence for row in rows] == [None] * 4
    assert [row.enqueue_after for row in rows] == [later, now, None, None]
    assert [row.due_at for row in rows] == [later, now, None, None]
    assert [row.state for row in rows] == ["pending", "pending", "held", "delivered"]


def test_becoming_strict_leaves_what_waits_out_of_line(api: Api, client: Client) -> None:
    channel_id = webhook(client)
    now = api.clock.now()
    id_ = delivery(api, client, channel_id, DeliveryState.PENDING, due_at=now, enqueue_after=now)
    assert ok(client.patch(f"/v1/channels/{channel_id}", {"ordering": "strict"}))["ordering"] == "strict"
    row = stored(api, id_)
    assert (row.sequence, row.enqueue_after) == (None, now)
