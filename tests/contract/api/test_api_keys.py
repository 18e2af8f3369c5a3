"""`/v1/keys` and `/v1/cluster`."""

from datetime import timedelta

import pytest

from core.clock import rfc3339
from core.store import accounts, instances, leases
from core.store.instances import InstanceInfo
from tests.contract.api.answers import ok, problem
from tests.contract.api.conftest import Api, Client


def test_an_administrator_makes_accounts_and_keys(api: Api, admin: Client) -> None:
    made = ok(admin.post("/v1/keys", {"account": " Ann  Lee "}), 201)
    assert made["account"] == "Ann Lee"
    assert made["key"].startswith("clk_")
    ann = Client(api.app, made["key"])
    [shown] = ok(ann.get("/v1/keys"))["data"]
    assert shown["id"] == made["id"]
    assert made["key"] not in str(shown)
    second = ok(admin.post("/v1/keys", {"account": "Ann Lee"}), 201)
    assert len(ok(Client(api.app, second["key"]).get("/v1/keys"))["data"]) == 2
    problem(ann.post("/v1/keys", {"account": "Bob"}), 403)


def test_without_an_account_the_key_is_for_ones_own(api: Api, admin: Client) -> None:
    made = ok(admin.post("/v1/keys"), 201)
    assert (made["account"], made["administrator"]) == ("default", False)
    deputy = ok(admin.post("/v1/keys", {"administrator": True}), 201)
    ok(Client(api.app, deputy["key"]).post("/v1/keys", {"account": "x"}), 201)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"account": ""}, "account"),
        ({"account": 1}, "account"),
        ({"account": "x" * 101}, "account"),
        ({"scopes": ["read"]}, "scopes"),
        ({"administrator": "yes"}, "administrator"),
        ({"expires_at": "2001-01-01T00:00:00Z"}, "expires_at"),
        ({"expires_at": "tomorrow"}, "expires_at"),
        ({"expires_at": 5}, "expires_at"),
        ({"key": "mine"}, "key"),
    ],
)
def test_bad_keys_are_refused_naming_the_field(admin: Client, body: dict[str, object], field: str) -> None:
    problem(admin.post("/v1/keys", body), 422, field)


def test_a_key_expires(api: Api, admin: Client) -> None:
    until = rfc3339(api.clock.now() + timedelta(hours=1))
    made = ok(admin.post("/v1/keys", {"account": "guest", "expires_at": until}), 201)
    assert made["expires_at"] == until
    guest = Client(api.app, made["key"])
    ok(guest.get("/v1/keys"))
    api.clock.advance(hours=1)
    problem(guest.get("/v1/keys"), 401)


def test_a_revoked_key_works_no_more(api: Api, client: Client, other: Client, admin: Client) -> None:
    [mine] = ok(client.get("/v1/keys"))["data"]
    problem(other.delete(f"/v1/keys/{mine['id']}"), 404)
    ok(admin.delete(f"/v1/keys/{mine['id']}"), 204)
    problem(client.get("/v1/keys"), 401)
    [theirs] = ok(other.get("/v1/keys"))["data"]
    ok(other.delete(f"/v1/keys/{theirs['id']}"), 204)
    problem(other.get("/v1/keys"), 401)
    problem(admin.delete("/v1/keys/key_unknown"), 404)


def test_the_configured_key_is_not_revoked_here(api: Api) -> None:
    with api.store.write() as session:
        accounts.ensure_bootstrap_key(session, "the configured key", api.clock.now())
    problem(Client(api.app, "the configured key").delete("/v1/keys/key_bootstrap"), 409)


def test_the_cluster(api: Api, admin: Client, client: Client) -> None:
    now = api.clock.now()
    with api.store.write() as session:
        for number, age in ((1, 0), (2, 60)):
            info = InstanceInfo(f"ins_{number}", "fetcher", "host", "1", now)
            instances.beat(session, info, now - timedelta(seconds=age))
    assert leases.acquire(api.store, "leader", "ins_1", 30)
    shown = ok(admin.get("/v1/cluster"))
    assert shown["leader"] == "ins_1"
    states = [(one["id"], one["alive"], one["leader"]) for one in shown["instances"]]
    assert states == [("ins_1", True, True), ("ins_2", False, False)]
    problem(client.get("/v1/cluster"), 403)
