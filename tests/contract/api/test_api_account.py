"""`/v1/account` and the contact that an account is made with."""

import pytest

from core.store.models import Channel
from tests.contract.api.answers import ok, problem
from tests.contract.api.conftest import Api, Client


def webhook(client: Client) -> str:
    made = ok(client.post("/v1/channels", {"kind": "webhook", "url": "http://127.0.0.1:9/x"}), 201)
    return str(made["id"])


def test_an_account_shows_itself(client: Client, api: Api) -> None:
    shown = ok(client.get("/v1/account"))
    assert shown == {"id": client.account_id, "name": shown["name"], "contact": None}
    assert shown["name"].startswith("account ")
    problem(api.anonymous().get("/v1/account"), 401)


def test_a_contact_is_an_address_a_channel_or_nobody(client: Client, other: Client) -> None:
    assert ok(client.patch("/v1/account", {"contact": "Owner@EXAMPLE.org"}))["contact"] == "Owner@example.org"
    assert ok(client.patch("/v1/account", {}))["contact"] == "Owner@example.org"
    channel = webhook(client)
    assert ok(client.patch("/v1/account", {"contact": channel}))["contact"] == channel
    assert ok(client.get("/v1/account"))["contact"] == channel
    assert ok(client.patch("/v1/account", {"contact": None}))["contact"] is None
    assert ok(client.get("/v1/account"))["contact"] is None
    assert ok(other.get("/v1/account"))["contact"] is None


def test_a_mail_channel_may_be_a_contact_before_it_is_verified(client: Client) -> None:
    made = ok(client.post("/v1/channels", {"kind": "email", "address": "owner@example.org"}), 201)
    assert ok(client.patch("/v1/account", {"contact": made["id"]}))["contact"] == made["id"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"contact": "owner@localhost"}, "contact"),
        ({"contact": "Owner <owner@example.org>"}, "contact"),
        ({"contact": "owner@example.org\r\nBcc: all@example.org"}, "contact"),
        ({"contact": "ch_unknown"}, "contact"),
        ({"contact": "ch_\x00"}, "contact"),
        ({"contact": ""}, "contact"),
        ({"contact": "x" * 321}, "contact"),
        ({"contact": 7}, "contact"),
        ({"contact": {}}, "contact"),
        ({"name": "another"}, "name"),
    ],
)
def test_what_cannot_be_a_contact_is_refused(client: Client, body: dict[str, object], field: str) -> None:
    ok(client.patch("/v1/account", {"contact": "owner@example.org"}))
    problem(client.patch("/v1/account", body), 422, field)
    assert ok(client.get("/v1/account"))["contact"] == "owner@example.org"


def test_anothers_channel_is_no_contact(client: Client, other: Client) -> None:
    problem(client.patch("/v1/account", {"contact": webhook(other)}), 422, "contact")


def test_the_inbox_is_no_contact(api: Api, client: Client) -> None:
    ok(client.post("/subscribe", {"topic": "python"}))
    with api.store.read() as session:
        (inbox,) = session.query(Channel.id).where(Channel.account_id == client.account_id).one()
    assert "inbox" in problem(client.patch("/v1/account", {"contact": inbox}), 422, "contact")["detail"]


def test_deleting_the_contact_leaves_it_named(client: Client) -> None:
    channel = webhook(client)
    ok(client.patch("/v1/account", {"contact": channel}))
    ok(client.delete(f"/v1/channels/{channel}"), 204)
    assert ok(client.get("/v1/account"))["contact"] == channel


# --- made with the account


def test_an_administrator_makes_an_account_with_a_contact(api: Api, admin: Client) -> None:
    made = ok(admin.post("/v1/keys", {"account": "ann", "contact": "Ann@EXAMPLE.org"}), 201)
    assert made["contact"] == "Ann@example.org"
    assert ok(Client(api.app, made["key"]).get("/v1/account"))["contact"] == "Ann@example.org"
    again = ok(admin.post("/v1/keys", {"account": "ann"}), 201)
    assert again["contact"] == "Ann@example.org"
    ok(admin.post("/v1/keys", {"account": "ann", "contact": "Ann@example.org"}), 201)


def test_a_key_changes_no_contact(api: Api, admin: Client) -> None:
    made = ok(admin.post("/v1/keys", {"account": "ann", "contact": "ann@example.org"}), 201)
    problem(admin.post("/v1/keys", {"account": "ann", "contact": "bob@example.org"}), 409)
    ann = Client(api.app, made["key"])
    assert ok(ann.get("/v1/account"))["contact"] == "ann@example.org"
    assert len(ok(ann.get("/v1/keys"))["data"]) == 1


@pytest.mark.parametrize("contact", ["ann", "ch_1", "Ann <ann@example.org>", 1])
def test_an_account_is_not_made_with_a_contact_that_is_none(admin: Client, contact: object) -> None:
    problem(admin.post("/v1/keys", {"account": "ann", "contact": contact}), 422, "contact")
