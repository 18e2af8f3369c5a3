"""`/v1/channels`."""

import pytest
from sqlalchemy import select

from core.store import accounts
from core.store import channels as stored
from core.store.models import Channel
from core.store.states import ChannelState
from tests.contract.api.answers import ok, problem
from tests.contract.api.conftest import Api, Client

HOOK = {"kind": "webhook", "url": "http://127.0.0.1:9/hook"}


def test_a_webhook_is_active_and_shows_its_secret_only_once(client: Client) -> None:
    made = ok(client.post("/v1/channels", HOOK | {"headers": {"X-Token": "hidden"}}), 201)
    assert made["id"].startswith("ch_")
    assert made["state"] == "active"
    assert made["secret"].startswith("whsec_")
    shown = ok(client.get(f"/v1/channels/{made['id']}"))
    assert "secret" not in shown
    assert shown["url"] == HOOK["url"]
    assert "hidden" not in str(shown)
    assert ok(client.get("/v1/channels"))["data"] == [shown]


def test_the_location_of_a_new_channel_leads_to_it(client: Client) -> None:
    answer = client.post("/v1/channels", HOOK)
    assert ok(client.get(answer.headers["Location"]))["id"] == answer.get_json()["id"]


def test_the_same_channel_again_is_the_one_there_is(client: Client) -> None:
    made = ok(client.post("/v1/channels", HOOK | {"retry_schedule": [2]}), 201)
    again = ok(client.post("/v1/channels", HOOK | {"retry_schedule": [2]}), 200)
    assert again["id"] == made["id"]
    assert "secret" not in again
    assert ok(client.post("/v1/channels", HOOK), 200)["id"] == made["id"]


@pytest.mark.parametrize(
    "difference",
    [
        {"retry_schedule": [1]},
        {"rate_limit": 2},
        {"ordering": "strict"},
        {"headers": {"X-Token": "other"}},
        {"secret": "whsec_" + "QUFB" * 10},
    ],
)
def test_the_same_target_with_other_fields_is_a_conflict(
    client: Client, difference: dict[str, object]
) -> None:
    ok(client.post("/v1/channels", HOOK | {"retry_schedule": [2]}), 201)
    body = problem(client.post("/v1/channels", HOOK | difference), 409)
    assert next(iter(difference)) in body["detail"]


def test_two_accounts_may_have_the_same_target(client: Client, other: Client) -> None:
    mine = ok(client.post("/v1/channels", HOOK), 201)
    assert ok(other.post("/v1/channels", HOOK), 201)["id"] != mine["id"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "kind"),
        ({"kind": "pigeon"}, "kind"),
        ({"kind": 1}, "kind"),
        ({"kind": None}, "kind"),
        ({"kind": "webhook"}, "url"),
        (HOOK | {"url": 5}, "url"),
        (HOOK | {"url": "ftp://127.0.0.1/"}, "url"),
        (HOOK | {"url": "http://10.0.0.1/"}, "url"),
        (HOOK | {"url": "http://169.254.169.254/latest"}, "url"),
        (HOOK | {"url": "http://[::1"}, "url"),
        (HOOK | {"url": "http://x\ny/"}, "url"),
        (HOOK | {"url": "h" * 3_000}, "url"),
        (HOOK | {"colour": "red"}, "colour"),
        (HOOK | {"headers": {"Host": "x"}}, "headers"),
        (HOOK | {"headers": ["x"]}, "headers"),
        (HOOK | {"secret": "whsec_short"}, "secret"),
        (HOOK | {"rate_limit": 0}, "rate_limit"),
        (HOOK | {"rate_limit": -1}, "rate_limit"),
        (HOOK | {"rate_limit": 1_001}, "rate_limit"),
        (HOOK | {"rate_limit": True}, "rate_limit"),
        (HOOK | {"rate_limit": "5"}, "rate_limit"),
        (HOOK | {"rate_limit": 10**400}, "rate_limit"),
        (HOOK | {"rate_limit": 1e-300}, "rate_limit"),
        (HOOK | {"ordering": "none"}, "ordering"),
        (HOOK | {"ordering": None}, "ordering"),
        ({"kind": "email", "address": "a@example.org", "ordering": "strict"}, "ordering"),
        (HOOK | {"retry_schedule": [0]}, "retry_schedule.0"),
        (HOOK | {"retry_schedule": [1.5]}, "retry_schedule.0"),
        (HOOK | {"retry_schedule": [True]}, "retry_schedule.0"),
        (HOOK | {"retry_schedule": [10**30]}, "retry_schedule.0"),
        (HOOK | {"retry_schedule": [1] * 31}, "retry_schedule"),
        (HOOK | {"retry_schedule": "1,2"}, "retry_schedule"),
        ({"kind": "email", "address": "nobody"}, "address"),
        ({"kind": "email", "address": "a@b.org", "url": "http://x/"}, "url"),
        (HOOK | {"id": "ch_1"}, "id"),
        (HOOK | {"state": "active"}, "state"),
    ],
)
def test_bad_channels_are_refused_naming_the_field(
    client: Client, body: dict[str, object], field: str
) -> None:
    problem(client.post("/v1/channels", body), 422, field)
    assert ok(client.get("/v1/channels"))["data"] == []


def test_an_empty_retry_schedule_is_one_without_retries(client: Client) -> None:
    assert ok(client.post("/v1/channels", HOOK | {"retry_schedule": []}), 201)["retry_schedule"] == []


def test_changing_fields(client: Client) -> None:
    made = ok(client.post("/v1/channels", HOOK | {"headers": {"X-A": "1"}, "retry_schedule": [5]}), 201)
    path = f"/v1/channels/{made['id']}"
    changed = ok(client.patch(path, {"rate_limit": None, "retry_schedule": [1, 60]}))
    assert (changed["rate_limit"], changed["retry_schedule"]) == (None, [1, 60])
    moved = ok(client.patch(path, {"url": "http://127.0.0.1:9/other"}))
    assert moved["url"] == "http://127.0.0.1:9/other"
    assert moved["headers"].keys() == {"X-A"}
    assert moved["state"] == "active"
    problem(client.patch(path, {"colour": 1}), 422, "colour")
    problem(client.patch(path, {"kind": "email"}), 422, "kind")
    problem(client.patch(path, {"secret": "whsec_" + "QUFB" * 10}), 422, "secret")
    problem(client.patch(path, {"url": "http://10.1.1.1/"}), 422, "url")
    assert ok(client.patch(path)) == moved | {"updated_at": moved["updated_at"]}


def test_a_changed_url_keeps_the_secret(api: Api, client: Client) -> None:
    made = ok(client.post("/v1/channels", HOOK), 201)
    ok(client.patch(f"/v1/channels/{made['id']}", {"url": "http://127.0.0.1:9/other"}))
    box = api.app.extensions["clarion"].box
    with api.store.read() as session:
        channel = session.execute(select(Channel).where(Channel.id == made["id"])).scalar_one()
        assert stored.unseal(box, channel)["secret"] == made["secret"]


def test_a_target_that_another_channel_has_is_a_conflict(client: Client) -> None:
    ok(client.post("/v1/channels", HOOK), 201)
    second = ok(client.post("/v1/channels", HOOK | {"url": "http://127.0.0.1:9/2"}), 201)
    problem(client.patch(f"/v1/channels/{second['id']}", {"url": HOOK["url"]}), 409)


def test_a_changed_address_must_be_verified_again(admin: Client) -> None:
    made = ok(admin.post("/v1/channels", {"kind": "email", "address": "a@example.org"}), 201)
    path = f"/v1/channels/{made['id']}"
    assert ok(admin.post(f"{path}/enable"))["state"] == "active"
    assert ok(admin.patch(path, {"retry_schedule": [1]}))["state"] == "active"
    assert ok(admin.patch(path, {"address": "b@example.org"}))["state"] == "unverified"


def test_pausing_and_resuming(client: Client) -> None:
    path = f"/v1/channels/{ok(client.post('/v1/channels', HOOK), 201)['id']}"
    assert ok(client.post(f"{path}/resume"))["state"] == "active"
    assert ok(client.post(f"{path}/pause"))["state"] == "paused"
    assert ok(client.post(f"{path}/pause"))["state"] == "paused"
    problem(client.post(f"{path}/enable"), 409)
    assert ok(client.post(f"{path}/resume"))["state"] == "active"
    problem(client.post(f"{path}/pause", {"why": "so"}), 422, "why")


def test_only_an_administrator_vouches_for_an_address(client: Client, admin: Client) -> None:
    email = {"kind": "email", "address": "reader@example.org"}
    made = ok(client.post("/v1/channels", email), 201)
    assert made["state"] == "unverified"
    assert "secret" not in made
    path = f"/v1/channels/{made['id']}"
    problem(client.post(f"{path}/enable"), 403)
    problem(client.post(f"{path}/pause"), 409)
    problem(client.post(f"{path}/resume"), 409)
    own = ok(admin.post("/v1/channels", email), 201)
    assert ok(admin.post(f"/v1/channels/{own['id']}/enable"))["state"] == "active"


def test_whoever_owns_a_disabled_channel_enables_it(api: Api, client: Client) -> None:
    made = ok(client.post("/v1/channels", HOOK), 201)
    with api.store.write() as session:
        channel = session.get_one(Channel, made["id"])
        stored.set_state(session, channel, ChannelState.DISABLED, "gone", api.clock.now())
    path = f"/v1/channels/{made['id']}"
    assert ok(client.get(path))["state_reason"] == "gone"
    problem(client.post(f"{path}/resume"), 409)
    enabled = ok(client.post(f"{path}/enable"))
    assert (enabled["state"], enabled["state_reason"]) == ("active", None)


def test_rotating_the_secret(client: Client) -> None:
    made = ok(client.post("/v1/channels", HOOK), 201)
    rotated = ok(client.post(f"/v1/channels/{made['id']}/rotate-secret"))
    assert rotated["secret"].startswith("whsec_")
    assert rotated["secret"] != made["secret"]
    email = ok(client.post("/v1/channels", {"kind": "email", "address": "a@example.org"}), 201)
    problem(client.post(f"/v1/channels/{email['id']}/rotate-secret"), 409)


def test_deleting(client: Client) -> None:
    made = ok(client.post("/v1/channels", HOOK), 201)
    subscription = ok(client.post("/v1/subscriptions", {"query": "x", "channel_id": made["id"]}), 201)
    path = f"/v1/channels/{made['id']}"
    ok(client.delete(path), 204)
    problem(client.get(path), 404)
    problem(client.delete(path), 404)
    problem(client.get(f"/v1/subscriptions/{subscription['id']}"), 404)


def test_the_inbox_is_shown_but_not_changed(client: Client) -> None:
    ok(client.post("/subscribe", {"topic": "python"}))
    [inbox] = ok(client.get("/v1/channels"))["data"]
    assert inbox["kind"] == "inbox"
    path = f"/v1/channels/{inbox['id']}"
    for call in ("pause", "resume", "enable", "rotate-secret"):
        problem(client.post(f"{path}/{call}"), 409)
    problem(client.patch(path, {"retry_schedule": [1]}), 409)
    problem(client.post("/v1/channels", {"kind": "inbox"}), 422, "kind")
    ok(client.delete(path), 204)


def test_other_accounts_channels_do_not_exist(client: Client, other: Client, admin: Client) -> None:
    path = f"/v1/channels/{ok(client.post('/v1/channels', HOOK), 201)['id']}"
    for stranger in (other, admin):
        problem(stranger.get(path), 404)
        problem(stranger.patch(path, {"retry_schedule": [1]}), 404)
        problem(stranger.delete(path), 404)
        for call in ("pause", "resume", "enable", "rotate-secret"):
            problem(stranger.post(f"{path}/{call}"), 404)
        assert ok(stranger.get("/v1/channels"))["data"] == []


def test_lists_come_page_by_page_newest_first(client: Client) -> None:
    made = [
        ok(client.post("/v1/channels", HOOK | {"url": f"http://127.0.0.1:9/{n}"}), 201)["id"]
        for n in range(5)
    ]
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = ok(client.get(f"/v1/channels?limit=2{cursor and f'&cursor={cursor}'}"))
        seen += [row["id"] for row in page["data"]]
        cursor = page["next_cursor"]
    assert seen == sorted(made, reverse=True)


def test_a_key_of_no_account_is_nobody(api: Api) -> None:
    stranger = Client(api.app, accounts.new_key())
    problem(stranger.get("/v1/channels"), 401)
