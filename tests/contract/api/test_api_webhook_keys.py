"""`/v1/channels`: how a webhook is signed, how its key is rotated, and what of it is shown."""

import dataclasses
from datetime import timedelta
from typing import Any

import pytest

from core.clock import rfc3339
from core.signing import parse_private_key
from core.store import channels as stored
from core.store.models import Channel
from tests.contract.api.answers import ok, problem
from tests.contract.api.conftest import Api, Client

HOOK = {"kind": "webhook", "url": "http://127.0.0.1:9/hook"}
GIVEN = "whsec_" + "QUJD" * 11
TOKEN = "T0k3n" * 4


def path_of(made: dict[str, Any], call: str = "") -> str:
    return f"/v1/channels/{made['id']}{call}"


def config_of(api: Api, made: dict[str, Any]) -> dict[str, Any]:
    """Return what workers are given of a channel."""
    with api.store.read() as session:
        return stored.unseal(api.app.extensions["clarion"].box, session.get_one(Channel, made["id"]))


def test_webhooks_are_signed_with_a_secret_unless_said_otherwise(client: Client) -> None:
    made = ok(client.post("/v1/channels", HOOK), 201)
    assert made["signature"] == "v1"
    assert made["secret"].startswith("whsec_")
    assert "public_key" not in made


def test_a_key_pair_shows_its_public_key_always_and_its_private_key_never(api: Api, client: Client) -> None:
    made = ok(client.post("/v1/channels", HOOK | {"signature": "v1a"}), 201)
    assert made["signature"] == "v1a"
    assert "secret" not in made
    private = config_of(api, made)["private_key"]
    assert parse_private_key(private).public_key == made["public_key"]
    shown = client.get(path_of(made))
    assert ok(shown) == made
    assert ok(client.get("/v1/channels"))["data"] == [made]
    assert private not in shown.get_data(as_text=True)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"signature": "v1a", "secret": GIVEN}, "secret"),
        ({"signature": "v2"}, "signature"),
        ({"signature": None}, "signature"),
        ({"signature": "v1a", "private_key": "whsk_" + "A" * 86 + "=="}, "private_key"),
        ({"previous": []}, "previous"),
    ],
)
def test_keys_that_are_refused(client: Client, fields: dict[str, Any], field: str) -> None:
    problem(client.post("/v1/channels", HOOK | fields), 422, field)


def test_the_same_webhook_again_is_the_one_there_is_however_its_secret_is_spelled(client: Client) -> None:
    made = ok(client.post("/v1/channels", HOOK | {"secret": GIVEN}), 201)
    bare = GIVEN.removeprefix("whsec_").rstrip("=")
    for same in ({"secret": GIVEN}, {"secret": bare}, {"signature": "v1"}, {"secret": None}, {}):
        again = ok(client.post("/v1/channels", HOOK | same), 200)
        assert again["id"] == made["id"]
        assert "secret" not in again
    assert "signature" in problem(client.post("/v1/channels", HOOK | {"signature": "v1a"}), 409)["detail"]


def test_the_same_key_pair_webhook_again_is_the_one_there_is(client: Client) -> None:
    wanted = HOOK | {"signature": "v1a"}
    made = ok(client.post("/v1/channels", wanted), 201)
    assert ok(client.post("/v1/channels", wanted), 200)["public_key"] == made["public_key"]


def test_a_webhook_of_an_earlier_version_is_signed_with_its_secret(api: Api, client: Client) -> None:
    made = ok(client.post("/v1/channels", HOOK), 201)
    config = config_of(api, made)
    del config["signature"]
    with api.store.write() as session:
        channel = session.get_one(Channel, made["id"])
        stored.reconfigure(
            session, api.app.extensions["clarion"].box, channel, HOOK["url"], config, api.clock.now()
        )
    assert ok(client.post("/v1/channels", HOOK | {"signature": "v1"}), 200)["signature"] == "v1"
    ok(client.patch(path_of(made), {"headers": {"X-A": "1"}}))
    assert config_of(api, made)["secret"] == made["secret"]


def test_a_rotated_secret_is_shown_once_and_the_old_one_signs_for_a_day(api: Api, client: Client) -> None:
    made = ok(client.post("/v1/channels", HOOK), 201)
    rotated = ok(client.post(path_of(made, "/rotate-secret")))
    assert rotated.keys() == {"secret"}
    assert rotated["secret"] != made["secret"]
    until = rfc3339(api.clock.now() + timedelta(days=1))
    config = config_of(api, made)
    assert config["secret"] == rotated["secret"]
    assert config["previous"] == [{"secret": made["secret"], "until": until}]
    for text in (client.get(path_of(made)).text, client.get("/v1/channels").text):
        assert "whsec_" not in text
        assert "previous" not in text


def test_what_is_over_is_dropped_at_the_next_rotation(api: Api, client: Client) -> None:
    made = ok(client.post("/v1/channels", HOOK), 201)
    first = ok(client.post(path_of(made, "/rotate-secret")))
    api.clock.advance(days=1)
    ok(client.post(path_of(made, "/rotate-secret")))
    assert [entry["secret"] for entry in config_of(api, made)["previous"]] == [first["secret"]]


def test_at_most_three_old_secrets_sign(api: Api, client: Client) -> None:
    made = ok(client.post("/v1/channels", HOOK), 201)
    secrets = [ok(client.post(path_of(made, "/rotate-secret")))["secret"] for _ in range(6)]
    assert [entry["secret"] for entry in config_of(api, made)["previous"]] == secrets[-2:-5:-1]


def test_an_installation_without_overlap_keeps_no_old_secret(api: Api, client: Client) -> None:
    services = api.app.extensions["clarion"]
    api.app.extensions["clarion"] = dataclasses.replace(services, secret_overlap_seconds=0)
    made = ok(client.post("/v1/channels", HOOK), 201)
    rotated = ok(client.post(path_of(made, "/rotate-secret")))
    config = config_of(api, made)
    assert (config["secret"], "previous" in config) == (rotated["secret"], False)


def test_a_secret_may_be_given_and_the_request_repeated(api: Api, client: Client) -> None:
    made = ok(client.post("/v1/channels", HOOK), 201)
    for _ in range(2):
        assert ok(client.post(path_of(made, "/rotate-secret"), {"secret": GIVEN})) == {"secret": GIVEN}
        assert [entry["secret"] for entry in config_of(api, made)["previous"]] == [made["secret"]]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"secret": "whsec_swordfish"}, "secret"),
        ({"secret": ""}, "secret"),
        ({"secret": 5}, "secret"),
        ({"secret": "x" * 201}, "secret"),
        ({"overlap": 5}, "overlap"),
    ],
)
def test_rotations_that_are_refused_change_nothing(
    api: Api, client: Client, body: dict[str, Any], field: str
) -> None:
    made = ok(client.post("/v1/channels", HOOK), 201)
    answer = client.post(path_of(made, "/rotate-secret"), body)
    problem(answer, 422, field)
    assert "swordfish" not in answer.text
    config = config_of(api, made)
    assert (config["secret"], "previous" in config) == (made["secret"], False)


def test_a_key_pair_is_rotated_to_a_new_one(api: Api, client: Client) -> None:
    made = ok(client.post("/v1/channels", HOOK | {"signature": "v1a"}), 201)
    problem(client.post(path_of(made, "/rotate-secret"), {"secret": GIVEN}), 422, "secret")
    before = config_of(api, made)
    rotated = ok(client.post(path_of(made, "/rotate-secret")))
    assert rotated == {"public_key": ok(client.get(path_of(made)))["public_key"]}
    assert rotated["public_key"] != made["public_key"]
    assert [e["private_key"] for e in config_of(api, made)["previous"]] == [before["private_key"]]


def test_a_change_of_url_and_headers_keeps_all_secrets(api: Api, client: Client) -> None:
    made = ok(client.post("/v1/channels", HOOK), 201)
    ok(client.post(path_of(made, "/rotate-secret")))
    before = config_of(api, made)
    changes = {"url": "http://127.0.0.1:9/other", "headers": {"X-A": "1"}}
    assert "secret" not in ok(client.patch(path_of(made), changes | {"signature": "v1"}))
    assert config_of(api, made) == before | changes


def test_a_change_of_the_signature_makes_a_key_and_keeps_the_old_one_a_while(
    api: Api, client: Client
) -> None:
    made = ok(client.post("/v1/channels", HOOK | {"headers": {"X-A": "1"}}), 201)
    paired = ok(client.patch(path_of(made), {"signature": "v1a"}))
    assert (paired["signature"], "secret" in paired) == ("v1a", False)
    pair = config_of(api, made)
    assert pair["headers"] == {"X-A": "1"}
    assert "secret" not in pair
    assert [entry["secret"] for entry in pair["previous"]] == [made["secret"]]
    assert ok(client.patch(path_of(made), {"signature": "v1a"}))["public_key"] == paired["public_key"]

    back = ok(client.patch(path_of(made), {"signature": "v1"}))
    assert back["secret"] not in ("", made["secret"])
    assert "public_key" not in back
    config = config_of(api, made)
    assert config["secret"] == back["secret"]
    assert [entry.get("private_key") for entry in config["previous"]] == [pair["private_key"], None]
    assert "secret" not in ok(client.get(path_of(made)))


def test_a_change_that_another_request_came_before_is_a_conflict(
    api: Api, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = ok(client.post("/v1/channels", HOOK), 201)
    kind = api.app.extensions["clarion"].channel_kinds["webhook"]
    configure = type(kind).configure

    def overtaken(*arguments: Any) -> dict[str, Any]:
        monkeypatch.undo()
        ok(client.patch(path_of(made), {"signature": "v1a"}))
        return dict(configure(*arguments))

    monkeypatch.setattr(type(kind), "configure", overtaken)
    problem(client.patch(path_of(made), {"headers": {"X-A": "1"}}), 409)
    assert ok(client.get(path_of(made)))["signature"] == "v1a"


def test_lists_mask_what_may_be_secret_in_urls(client: Client) -> None:
    url = f"http://127.0.0.1:9/hooks/{TOKEN}?token=swordfish"
    made = ok(client.post("/v1/channels", HOOK | {"url": url}), 201)
    assert made["url"] == url
    assert ok(client.get(path_of(made)))["url"] == url
    answer = client.get("/v1/channels")
    assert ok(answer)["data"][0]["url"] == "http://127.0.0.1:9/hooks/…?token=…"
    assert TOKEN not in answer.text


@pytest.mark.parametrize(
    "url",
    [
        "http://10.0.0.1/swordfish?token=swordfish",
        "http://reader:swordfish@127.0.0.1/",
        "http://reader:swordfish@[::1/",
        "http://127.0.0.1:0/swordfish?token=swordfish",
        "ftp://127.0.0.1/swordfish?token=swordfish",
        "http://127.0.0.1/?token=swordfish " + "x" * 3_000,
    ],
)
def test_refusals_do_not_repeat_urls(client: Client, url: str) -> None:
    made = ok(client.post("/v1/channels", HOOK), 201)
    for answer in (
        client.post("/v1/channels", HOOK | {"url": url}),
        client.patch(path_of(made), {"url": url}),
        client.post("/v1/subscriptions", {"query": "x", "channel": HOOK | {"url": url}}),
    ):
        assert answer.status_code == 422
        assert "swordfish" not in answer.text
