"""Mail that came back: what disables a channel, and what is ignored."""

import json
from typing import Any

import pytest

from core.signing import MailTokens
from core.store.models import Channel
from tests.contract.api.answers import ok, problem
from tests.contract.api.conftest import Api, Client
from tests.unit.api.test_bounces import dsn

TOKENS = MailTokens("x" * 32)
EMAIL = {"kind": "email", "address": "reader@example.org"}


def return_path(api: Api, channel_id: str) -> str:
    with api.store.read() as session:
        hashed = session.get_one(Channel, channel_id).target_hash
    return TOKENS.return_path("bounces@example.com", channel_id, hashed)


@pytest.fixture
def channel_id(admin: Client) -> str:
    """A mail channel that is sent to."""
    made = ok(admin.post("/v1/channels", EMAIL), 201)
    ok(admin.post(f"/v1/channels/{made['id']}/enable"))
    return str(made["id"])


def state(client: Client, channel_id: str) -> tuple[str, str | None]:
    shown = ok(client.get(f"/v1/channels/{channel_id}"))
    return shown["state"], shown["state_reason"]


def hand_in(api: Api, content: bytes, content_type: str = "message/rfc822") -> Any:
    answer = api.anonymous().post("/v1/bounces", data=content, content_type=content_type)
    return ok(answer, 202)


def test_a_mail_that_came_back_for_good_disables_the_channel_and_tells_its_owner(
    api: Api, admin: Client, channel_id: str
) -> None:
    for _ in range(2):
        assert hand_in(api, dsn("5.1.1", to=return_path(api, channel_id))) == {"handled": 1}
        assert state(admin, channel_id) == ("disabled", "bounced")
    notices = ok(admin.get("/v1/notices"))["data"]
    assert [(one["channel_id"], one["reason"]) for one in notices] == [(channel_id, "bounced")]
    assert ok(admin.post(f"/v1/channels/{channel_id}/enable"))["state"] == "active"


def test_a_mail_that_is_late_disables_nothing(api: Api, admin: Client, channel_id: str) -> None:
    path = return_path(api, channel_id)
    assert hand_in(api, dsn("4.4.7", to=path)) == {"handled": 1}
    assert hand_in(api, dsn("5.1.1", "delayed", to=path)) == {"handled": 0}
    assert state(admin, channel_id) == ("active", None)


@pytest.mark.parametrize("content_type", ["application/json", "text/plain; charset=UTF-8"])
def test_a_provider_says_it_in_json(api: Api, admin: Client, channel_id: str, content_type: str) -> None:
    said = {"address": return_path(api, channel_id).upper(), "status": "5.2.1"}
    assert hand_in(api, json.dumps(said).encode(), content_type) == {"handled": 1}
    assert state(admin, channel_id) == ("disabled", "bounced")


def test_what_is_forged_is_ignored(api: Api, admin: Client, channel_id: str) -> None:
    path = return_path(api, channel_id)
    local, _, domain = path.partition("@")
    stranger = MailTokens("s" * 32).return_path("bounces@example.com", channel_id, "0" * 64)
    last = "a" if local[-1] != "a" else "b"
    for forged in (f"{local[:-1]}{last}@{domain}", stranger, f"bounces@{domain}", "reader@example.org"):
        assert hand_in(api, dsn("5.1.1", to=forged)) == {"handled": 0}
        said = json.dumps({"address": forged, "status": "5.1.1"}).encode()
        assert hand_in(api, said, "application/json") == {"handled": 0}
    assert state(admin, channel_id) == ("active", None)


def test_a_bounce_of_an_address_before_says_nothing_of_the_new_one(
    api: Api, admin: Client, channel_id: str
) -> None:
    path = return_path(api, channel_id)
    ok(admin.patch(f"/v1/channels/{channel_id}", {"address": "new@example.org"}))
    ok(admin.post(f"/v1/channels/{channel_id}/enable"))
    assert hand_in(api, dsn("5.1.1", to=path)) == {"handled": 0}
    assert state(admin, channel_id) == ("active", None)


def test_a_bounce_of_the_mail_that_asked_is_noted(api: Api, client: Client) -> None:
    made = ok(client.post("/v1/channels", EMAIL), 201)
    assert hand_in(api, dsn("5.1.1", to=return_path(api, made["id"]))) == {"handled": 1}
    shown = ok(client.get(f"/v1/channels/{made['id']}"))
    assert shown["state"] == "unverified"
    assert shown["confirmation"]["problem"] == "bounced: the mail came back"


def test_what_is_neither_message_nor_json_is_refused(api: Api) -> None:
    nobody = api.anonymous()
    problem(nobody.post("/v1/bounces", data=b"x", content_type="image/png"), 415)
    problem(nobody.post("/v1/bounces", data=b"{", content_type="application/json"), 400)
    problem(nobody.post("/v1/bounces", {"other": 1}), 422, "body")
