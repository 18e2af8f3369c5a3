"""`POST /v1/deliveries/{id}/retry`."""

from datetime import timedelta
from typing import Any

import pytest

from core.errors import Reason
from core.store import channels
from core.store.models import Attempt, Channel, Delivery
from core.store.states import ChannelState, DeliveryState
from tests.contract.api.answers import ok, problem
from tests.contract.api.conftest import Api, Client
from tests.contract.api.rows import delivery, stored, webhook


def moved(api: Api, channel_id: str, state: ChannelState) -> None:
    """Have a channel in a state."""
    with api.store.write() as session:
        channels.set_state(session, session.get_one(Channel, channel_id), state, None, api.clock.now())


def deadlines(row: Delivery) -> tuple[Any, Any, Any]:
    return row.due_at, row.enqueue_after, row.slot_at


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (DeliveryState.FAILED, Reason.STATUS_5XX),
        (DeliveryState.CANCELLED, Reason.GONE),
        (DeliveryState.CANCELLED, Reason.SUPERSEDED),
        (DeliveryState.DELIVERED, None),
    ],
)
def test_what_has_ended_begins_again_under_the_same_id(
    api: Api, client: Client, state: DeliveryState, reason: Reason | None
) -> None:
    channel_id = webhook(client)
    id_ = delivery(
        api, client, channel_id, state, reason=reason, attempts=10, step=9, sequence=4, claim_id="clm_1"
    )
    api.clock.advance(hours=1)
    now = api.clock.now()
    answer = ok(client.post(f"/v1/deliveries/{id_}/retry"))
    assert (answer["id"], answer["state"], answer["reason"]) == (id_, "pending", None)
    assert (answer["attempts"], answer["finished_at"]) == (10, None)
    assert answer["due_at"] == answer["next_try_at"]
    row = stored(api, id_)
    assert deadlines(row) == (now, now, None)
    assert (row.step, row.sequence, row.claim_id) == (0, None, None)
    assert answer == ok(client.get("/v1/deliveries"))["data"][0]


def test_a_second_retry_changes_nothing(api: Api, client: Client) -> None:
    id_ = delivery(api, client, webhook(client), DeliveryState.FAILED, reason=Reason.DNS)
    first = ok(client.post(f"/v1/deliveries/{id_}/retry", {}))
    assert ok(client.post(f"/v1/deliveries/{id_}/retry")) == first


def test_what_waits_for_its_retry_is_brought_forward(api: Api, client: Client) -> None:
    now, later = api.clock.now(), api.clock.now() + timedelta(hours=10)
    id_ = delivery(
        api,
        client,
        webhook(client, ordering="strict"),
        DeliveryState.PENDING,
        reason=Reason.TIMEOUT,
        attempts=6,
        step=6,
        sequence=3,
        due_at=later,
        enqueue_after=later,
    )
    answer = ok(client.post(f"/v1/deliveries/{id_}/retry"))
    assert (answer["state"], answer["reason"], answer["attempts"]) == ("pending", "timeout", 6)
    row = stored(api, id_)
    assert deadlines(row) == (now, now, None)
    assert (row.step, row.sequence) == (6, 3)


def test_what_is_on_its_way_or_waits_for_its_turn_is_left_alone(api: Api, client: Client) -> None:
    now = api.clock.now()
    id_ = delivery(api, client, webhook(client), DeliveryState.PENDING, due_at=now, sequence=2)
    assert ok(client.post(f"/v1/deliveries/{id_}/retry"))["state"] == "pending"
    row = stored(api, id_)
    assert (row.sequence, *deadlines(row)) == (2, now, None, None)


def test_a_reserved_slot_is_kept(api: Api, client: Client) -> None:
    slot = api.clock.now() + timedelta(seconds=90)
    id_ = delivery(
        api,
        client,
        webhook(client, rate_limit=1),
        DeliveryState.PENDING,
        due_at=slot,
        enqueue_after=slot,
        slot_at=slot,
    )
    ok(client.post(f"/v1/deliveries/{id_}/retry"))
    assert deadlines(stored(api, id_)) == (slot, slot, slot)


def test_a_retry_that_once_had_a_slot_is_brought_forward(api: Api, client: Client) -> None:
    now = api.clock.now()
    id_ = delivery(
        api,
        client,
        webhook(client, rate_limit=1),
        DeliveryState.PENDING,
        due_at=now + timedelta(hours=1),
        enqueue_after=now + timedelta(hours=1),
        slot_at=now - timedelta(hours=1),
    )
    ok(client.post(f"/v1/deliveries/{id_}/retry"))
    assert deadlines(stored(api, id_)) == (now, now, None)


@pytest.mark.parametrize("channel_state", [ChannelState.PAUSED, ChannelState.DISABLED])
@pytest.mark.parametrize("state", [DeliveryState.FAILED, DeliveryState.DELIVERED, DeliveryState.HELD])
def test_it_is_held_while_its_channel_is_not_sent_to(
    api: Api, client: Client, channel_state: ChannelState, state: DeliveryState
) -> None:
    channel_id = webhook(client)
    moved(api, channel_id, channel_state)
    id_ = delivery(api, client, channel_id, state)
    answer = ok(client.post(f"/v1/deliveries/{id_}/retry"))
    assert (answer["state"], answer["due_at"], answer["next_try_at"]) == ("held", None, None)
    assert deadlines(stored(api, id_)) == (None, None, None)
    ok(client.post(f"/v1/channels/{channel_id}/{'resume' if channel_state == 'paused' else 'enable'}"))
    assert stored(api, id_).state == DeliveryState.PENDING


def test_what_is_being_sent_is_not_sent_once_more(api: Api, client: Client) -> None:
    id_ = delivery(api, client, webhook(client), DeliveryState.SENDING, claim_id="clm_1")
    problem(client.post(f"/v1/deliveries/{id_}/retry"), 409)
    assert stored(api, id_).claim_id == "clm_1"


def test_a_deleted_channel_gets_nothing(api: Api, client: Client) -> None:
    channel_id = webhook(client)
    id_ = delivery(api, client, channel_id, DeliveryState.FAILED, reason=Reason.DNS)
    ok(client.delete(f"/v1/channels/{channel_id}"), 204)
    assert "deleted" in problem(client.post(f"/v1/deliveries/{id_}/retry"), 409)["detail"]
    assert stored(api, id_).state == DeliveryState.FAILED


def test_the_inbox_is_not_sent_to(api: Api, client: Client) -> None:
    ok(client.post("/subscribe", {"topic": "python"}))
    [inbox] = ok(client.get("/v1/channels"))["data"]
    id_ = delivery(api, client, inbox["id"], DeliveryState.DELIVERED)
    problem(client.post(f"/v1/deliveries/{id_}/retry"), 409)


def test_other_accounts_deliveries_do_not_exist(
    api: Api, client: Client, other: Client, admin: Client
) -> None:
    id_ = delivery(api, client, webhook(client), DeliveryState.FAILED)
    for stranger in (other, admin):
        problem(stranger.post(f"/v1/deliveries/{id_}/retry"), 404)
    problem(client.post("/v1/deliveries/dlv_none/retry"), 404)
    assert stored(api, id_).state == DeliveryState.FAILED


def test_it_takes_no_fields(api: Api, client: Client) -> None:
    id_ = delivery(api, client, webhook(client), DeliveryState.FAILED)
    problem(client.post(f"/v1/deliveries/{id_}/retry", {"now": True}), 422, "now")
    assert stored(api, id_).state == DeliveryState.FAILED


def test_attempts_say_when_the_next_one_was_due(api: Api, client: Client) -> None:
    now = api.clock.now()
    id_ = delivery(api, client, webhook(client), DeliveryState.FAILED, attempts=2)
    tries = [
        Attempt(
            delivery_id=id_,
            article_day=now.date(),
            number=number,
            started_at=now,
            duration_ms=3,
            next_try_at=next_try_at,
        )
        for number, next_try_at in ((1, now + timedelta(seconds=5)), (2, None))
    ]
    with api.store.write() as session:
        session.add_all(tries)
    shown = ok(client.get(f"/v1/deliveries/{id_}"))
    assert shown["next_try_at"] is None
    first, second = [attempt["next_try_at"] for attempt in shown["attempts"]]
    assert (first > shown["created_at"], second) == (True, None)
