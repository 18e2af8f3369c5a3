"""`POST /v1/channels/{id}/recover`."""

from datetime import timedelta
from typing import Any

import pytest

from core.clock import rfc3339
from core.errors import Reason
from core.store import channels, recovery
from core.store.models import Channel
from core.store.states import ChannelState, DeliveryState
from tests.contract.api.answers import ok, problem
from tests.contract.api.conftest import Api, Client
from tests.contract.api.rows import delivery, stored, webhook


def changed(api: Api, channel_id: str, state: ChannelState, **columns: Any) -> None:
    """Have a channel in a state, with other columns as given."""
    with api.store.write() as session:
        channel = session.get_one(Channel, channel_id)
        channels.set_state(session, channel, state, "gone", api.clock.now())
        for name, value in columns.items():
            setattr(channel, name, value)


def recovered(api: Api, client: Client, channel_id: str, **ago: float) -> int:
    """Recover what has ended in a time up to now; return what the API says."""
    since = rfc3339(api.clock.now() - timedelta(**ago))
    count: int = ok(client.post(f"/v1/channels/{channel_id}/recover", {"since": since}))["recovered"]
    return count


def test_what_failed_or_was_gone_begins_again(api: Api, client: Client) -> None:
    channel_id = webhook(client)
    missed = [
        delivery(api, client, channel_id, state, reason=reason, attempts=10, step=9, sequence=1)
        for state, reason in (
            (DeliveryState.FAILED, Reason.STATUS_5XX),
            (DeliveryState.FAILED, Reason.REJECTED),
            (DeliveryState.CANCELLED, Reason.GONE),
        )
    ]
    assert recovered(api, client, channel_id, hours=0) == 3
    now = api.clock.now()
    for row in (stored(api, id_) for id_ in missed):
        assert (row.state, row.reason, row.finished_at) == ("pending", None, None)
        assert (row.attempts, row.step, row.sequence) == (10, 0, None)
        assert (row.due_at, row.enqueue_after) == (now, now)
    assert recovered(api, client, channel_id, hours=0) == 0


def test_everything_else_stays(api: Api, client: Client) -> None:
    channel_id, neighbour = webhook(client), webhook(client, "/2")
    now = api.clock.now()
    others = [
        delivery(api, client, channel_id, state, reason=reason)
        for state, reason in (
            (DeliveryState.CANCELLED, Reason.SUPERSEDED),
            (DeliveryState.CANCELLED, Reason.UNSUBSCRIBED),
            (DeliveryState.DELIVERED, None),
            (DeliveryState.SENDING, None),
            (DeliveryState.PENDING, Reason.TIMEOUT),
        )
    ]
    others.append(delivery(api, client, neighbour, DeliveryState.FAILED))
    before = now - timedelta(hours=1, seconds=1)
    others.append(delivery(api, client, channel_id, DeliveryState.FAILED, finished_at=before))
    states = [stored(api, id_).state for id_ in others]
    assert recovered(api, client, channel_id, hours=1) == 0
    assert [stored(api, id_).state for id_ in others] == states


@pytest.mark.parametrize("count", [1, 2, 5])
def test_many_are_revived_a_chunk_at_a_time(
    api: Api, client: Client, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setattr(recovery, "CHUNK", 2)
    channel_id = webhook(client)
    # Of two days, so that PostgreSQL has them in two partitions.
    days = [api.clock.now().date() + timedelta(days=number % 2) for number in range(count)]
    ids = [delivery(api, client, channel_id, DeliveryState.FAILED, article_day=day) for day in days]
    assert recovered(api, client, channel_id, hours=1) == count
    assert {stored(api, id_).state for id_ in ids} == {"pending"}


def test_a_disabled_channel_becomes_active(api: Api, client: Client) -> None:
    channel_id = webhook(client)
    held = delivery(api, client, channel_id, DeliveryState.HELD)
    gone = delivery(api, client, channel_id, DeliveryState.CANCELLED, reason=Reason.GONE)
    changed(api, channel_id, ChannelState.DISABLED, failing_since=api.clock.now())
    assert ok(client.get(f"/v1/channels/{channel_id}"))["failing_since"] is not None
    assert recovered(api, client, channel_id, hours=1) == 1
    shown = ok(client.get(f"/v1/channels/{channel_id}"))
    assert (shown["state"], shown["state_reason"], shown["failing_since"]) == ("active", None, None)
    assert [stored(api, id_).state for id_ in (held, gone)] == ["pending", "pending"]


def test_a_paused_channel_stays_paused(api: Api, client: Client) -> None:
    channel_id = webhook(client)
    failed = delivery(api, client, channel_id, DeliveryState.FAILED, reason=Reason.DNS)
    ok(client.post(f"/v1/channels/{channel_id}/pause"))
    changed(api, channel_id, ChannelState.PAUSED, failing_since=api.clock.now())
    assert recovered(api, client, channel_id, hours=1) == 1
    shown = ok(client.get(f"/v1/channels/{channel_id}"))
    assert (shown["state"], shown["failing_since"]) == ("paused", None)
    row = stored(api, failed)
    assert (row.state, row.reason, row.due_at, row.enqueue_after) == ("held", None, None, None)
    ok(client.post(f"/v1/channels/{channel_id}/resume"))
    assert stored(api, failed).state == "pending"


@pytest.mark.parametrize(
    ("state", "call"), [(ChannelState.PAUSED, "resume"), (ChannelState.DISABLED, "enable")]
)
def test_who_sends_again_forgets_since_when_it_failed(
    api: Api, client: Client, state: ChannelState, call: str
) -> None:
    channel_id = webhook(client)
    changed(api, channel_id, state, failing_since=api.clock.now())
    assert ok(client.post(f"/v1/channels/{channel_id}/{call}"))["failing_since"] is None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (None, "since"),
        ({}, "since"),
        ({"since": None}, "since"),
        ({"since": "yesterday"}, "since"),
        ({"since": "2026-01-31T08:00:00"}, "since"),
        ({"since": 1_700_000_000}, "since"),
        ({"since": "9999-12-31T23:59:59Z"}, "since"),
        ({"since": "2026-01-31T08:00:00Z", "until": "2026-02-01T08:00:00Z"}, "until"),
    ],
)
def test_bad_times_are_refused(api: Api, client: Client, body: dict[str, object] | None, field: str) -> None:
    channel_id = webhook(client)
    failed = delivery(api, client, channel_id, DeliveryState.FAILED)
    changed(api, channel_id, ChannelState.DISABLED)
    problem(client.post(f"/v1/channels/{channel_id}/recover", body), 422, field)
    assert stored(api, failed).state == "failed"
    assert ok(client.get(f"/v1/channels/{channel_id}"))["state"] == "disabled"


def test_all_of_the_past_may_be_recovered(api: Api, client: Client) -> None:
    channel_id = webhook(client)
    delivery(api, client, channel_id, DeliveryState.FAILED)
    body = {"since": "0001-01-01T00:00:00Z"}
    assert ok(client.post(f"/v1/channels/{channel_id}/recover", body)) == {"recovered": 1}


def test_other_accounts_channels_do_not_exist(api: Api, client: Client, other: Client, admin: Client) -> None:
    channel_id = webhook(client)
    failed = delivery(api, client, channel_id, DeliveryState.FAILED)
    body = {"since": rfc3339(api.clock.now())}
    for stranger in (other, admin):
        problem(stranger.post(f"/v1/channels/{channel_id}/recover", body), 404)
    assert stored(api, failed).state == "failed"


def test_the_inbox_has_nothing_to_recover(api: Api, client: Client) -> None:
    ok(client.post("/subscribe", {"topic": "python"}))
    [inbox] = ok(client.get("/v1/channels"))["data"]
    body = {"since": rfc3339(api.clock.now())}
    problem(client.post(f"/v1/channels/{inbox['id']}/recover", body), 409)
