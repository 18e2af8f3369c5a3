"""`POST /v1/channels/{id}/test`."""

import pytest

from core.errors import Reason
from core.store import channels
from core.store.models import Channel, Delivery
from core.store.states import ChannelState
from notifiers.testing import Trial
from tests.contract.api.answers import ok, problem
from tests.contract.api.conftest import Api, Client
from tests.contract.api.rows import HOOK, webhook


def test_it_answers_with_what_came_back(api: Api, client: Client) -> None:
    path = f"/v1/channels/{webhook(client)}/test"
    assert ok(client.post(path)) == {
        "delivered": True,
        "status": 204,
        "reason": None,
        "detail": None,
        "duration_ms": 7,
        "excerpt": None,
    }
    api.tester.result = Trial(Reason.STATUS_5XX, 500, "It answered 500.", "oops", 12)
    assert ok(client.post(path, {})) == {
        "delivered": False,
        "status": 500,
        "reason": "status_5xx",
        "detail": "It answered 500.",
        "duration_ms": 12,
        "excerpt": "oops",
    }
    assert api.tester.tested == [("webhook", HOOK["url"])] * 2


@pytest.mark.parametrize("state", [ChannelState.ACTIVE, ChannelState.PAUSED, ChannelState.DISABLED])
def test_it_changes_nothing(api: Api, client: Client, state: ChannelState) -> None:
    channel_id = webhook(client)
    with api.store.write() as session:
        channels.set_state(session, session.get_one(Channel, channel_id), state, None, api.clock.now())
    before = ok(client.get(f"/v1/channels/{channel_id}"))
    api.tester.result = Trial(Reason.GONE, 410)
    assert ok(client.post(f"/v1/channels/{channel_id}/test"))["reason"] == "gone"
    assert ok(client.get(f"/v1/channels/{channel_id}")) == before
    with api.store.read() as session:
        assert session.query(Delivery).count() == 0


def test_an_address_that_is_not_verified_gets_no_samples(api: Api, admin: Client) -> None:
    made = ok(admin.post("/v1/channels", {"kind": "email", "address": "reader@example.org"}), 201)
    problem(admin.post(f"/v1/channels/{made['id']}/test"), 409)
    assert api.tester.tested == []


def test_the_inbox_is_not_sent_to(client: Client) -> None:
    ok(client.post("/subscribe", {"topic": "python"}))
    [inbox] = ok(client.get("/v1/channels"))["data"]
    problem(client.post(f"/v1/channels/{inbox['id']}/test"), 409)


def test_only_a_few_are_under_way_at_a_time(api: Api, client: Client) -> None:
    path = f"/v1/channels/{webhook(client)}/test"
    slots, taken = api.app.extensions["clarion"].test_slots, 0
    while slots.acquire(blocking=False):
        taken += 1
    answer = client.post(path)
    problem(answer, 429)
    assert int(answer.headers["Retry-After"]) > 0
    assert (taken, api.tester.tested) == (3, [])
    slots.release()
    for _ in range(2):  # each gives back what it took
        ok(client.post(path))


def test_a_slot_is_given_back_whatever_happens(
    api: Api, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"/v1/channels/{webhook(client)}/test"
    with monkeypatch.context() as broken:
        broken.setattr(api.tester, "test", None)  # which cannot be called
        for _ in range(5):
            problem(client.post(path), 500)
    ok(client.post(path))


def test_other_accounts_channels_do_not_exist(api: Api, client: Client, other: Client, admin: Client) -> None:
    path = f"/v1/channels/{webhook(client)}/test"
    for stranger in (other, admin):
        problem(stranger.post(path), 404)
    problem(client.post("/v1/channels/ch_none/test"), 404)
    assert api.tester.tested == []


def test_it_takes_no_fields(api: Api, client: Client) -> None:
    problem(client.post(f"/v1/channels/{webhook(client)}/test", {"times": 2}), 422, "times")
    assert api.tester.tested == []
