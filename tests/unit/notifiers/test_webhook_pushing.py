"""The requests of an opened webhook: what is sent, and by whom it can be verified."""

import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

import pycurl
import pytest
from cryptography.exceptions import InvalidSignature
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook as Receiving
from standardwebhooks import WebhookVerificationError

from core.egress import EgressPolicy
from core.egress.exchange import PushRequest
from core.errors import FieldError
from core.signing import new_private_key, new_secret, parse_private_key
from notifiers.channels.base import PushKind
from notifiers.channels.webhook import KIND, WebhookFields, header_line
from notifiers.notice import webhook_body
from notifiers.webhook_keys import rotated
from tests.receiver import Receiver
from tests.unit.core.test_signing_asymmetric import verify
from tests.unit.notifiers.examples import notice

DELIVERY = "dlv_01JD0000000000000000000000"
URL = "https://hooks.example.com/news?token=abc"
DAY = timedelta(days=1)
BODY = webhook_body(notice("Größe, 東京 and 🚀"))
texts = st.text() | st.text("aA-:;\r\n\0 \t\x7f\x85é", max_size=12)


def config(**more: Any) -> dict[str, Any]:
    return {"url": URL, "headers": {}, "signature": "v1", "secret": new_secret()} | more


def now() -> datetime:
    """The verifying library compares with the machine's clock."""
    return datetime.now(UTC)


def headers_of(request: PushRequest) -> dict[str, str]:
    return dict(line.split(": ", 1) for line in request.headers)


def post(request: PushRequest) -> int:
    """Send as the delivery engine does: with libcurl."""
    curl = pycurl.Curl()
    curl.setopt(pycurl.URL, request.url)
    curl.setopt(pycurl.HTTPHEADER, request.headers)
    curl.setopt(pycurl.POSTFIELDS, request.body)
    curl.setopt(pycurl.WRITEDATA, BytesIO())
    curl.setopt(pycurl.TIMEOUT, 10)
    curl.perform()
    status: int = curl.getinfo(pycurl.RESPONSE_CODE)
    curl.close()
    return status


def test_webhooks_are_pushed() -> None:
    kind: PushKind = KIND
    assert kind.open(config()).request(DELIVERY, b"{}", now()).body == b"{}"


def test_a_receiver_gets_and_verifies_the_message(receiver: Receiver) -> None:
    stored = config(url=f"{receiver.url}/hook?token=a%20b", headers={"X-Team": "news", "X-Empty": ""})
    assert post(KIND.open(stored).request(DELIVERY, BODY, now())) == 200
    [request] = receiver.requests
    assert (request.method, request.target, request.body) == ("POST", "/hook?token=a%20b", BODY)
    assert request.header("Content-Type") == "application/json"
    assert request.header("webhook-id") == DELIVERY
    assert (request.header("X-Team"), request.header("X-Empty")) == ("news", "")
    event = Receiving(stored["secret"]).verify(BODY, dict(request.headers))
    assert event["data"]["article"]["title"] == "Größe, 東京 and 🚀"


def test_the_url_is_spelled_in_ascii() -> None:
    pusher = KIND.open(config(url="HTTPS://bücher.example:443/straße?q=ü#part"))
    request = pusher.request(DELIVERY, b"", now())
    assert request.url == "https://xn--bcher-kva.example/stra%C3%9Fe?q=%C3%BC"


def test_the_timestamp_is_the_attempts() -> None:
    pusher, first = KIND.open(config()), datetime(2026, 3, 1, 12, 0, 0, 999_999, tzinfo=UTC)
    stamps = [
        headers_of(pusher.request(DELIVERY, b"", first + timedelta(seconds=seconds)))["webhook-timestamp"]
        for seconds in (0, 90)
    ]
    assert stamps == ["1772366400", "1772366490"]


def test_both_secrets_verify_until_the_old_one_ends() -> None:
    moment = now()
    before = config()
    after = rotated(before, None, moment - DAY + timedelta(seconds=30), DAY)
    pusher = KIND.open(after)
    for old, at in [(True, moment), (False, moment + timedelta(seconds=30))]:
        headers = headers_of(pusher.request(DELIVERY, BODY, at))
        assert len(headers["webhook-signature"].split(" ")) == 1 + old
        Receiving(after["secret"]).verify(BODY, headers)
        if old:
            Receiving(before["secret"]).verify(BODY, headers)
        else:
            with pytest.raises(WebhookVerificationError):
                Receiving(before["secret"]).verify(BODY, headers)


def test_the_newest_signature_comes_first() -> None:
    first = config()
    second = rotated(first, None, now(), DAY)
    third = rotated(second, None, now(), DAY)
    at = now()
    alone = [
        headers_of(KIND.open(config(secret=one["secret"])).request(DELIVERY, BODY, at))["webhook-signature"]
        for one in (third, second, first)
    ]
    together = headers_of(KIND.open(third).request(DELIVERY, BODY, at))["webhook-signature"]
    assert together.split(" ") == alone


def test_a_key_pairs_messages_are_verified_with_its_public_key() -> None:
    before = {"url": URL, "headers": {}, "signature": "v1a", "private_key": new_private_key()}
    after = rotated(before, None, now(), DAY)
    headers = headers_of(KIND.open(after).request(DELIVERY, BODY, now()))
    stamp, signatures = int(headers["webhook-timestamp"]), headers["webhook-signature"]
    for one in (before, after):
        public = KIND.view(one)["public_key"]
        verify(public, DELIVERY, stamp, BODY, signatures)
        with pytest.raises(InvalidSignature):
            verify(public, DELIVERY, stamp, BODY + b" ", signatures)


def test_a_webhook_that_changes_its_scheme_signs_in_both() -> None:
    before = config()
    private = new_private_key()
    made = {"url": URL, "headers": {}, "signature": "v1a", "private_key": private}
    after = KIND.carry_keys(before, made, now(), DAY)
    headers = headers_of(KIND.open(after).request(DELIVERY, BODY, now()))
    Receiving(before["secret"]).verify(BODY, headers)
    public = parse_private_key(private).public_key
    stamp = int(headers["webhook-timestamp"])
    verify(public, DELIVERY, stamp, BODY, headers["webhook-signature"])


@pytest.mark.parametrize(
    "stored",
    [
        {},
        {"url": URL},
        {"url": URL, "headers": {}},
        {"url": URL, "headers": ["X-Team"], "secret": new_secret()},
        config(url=None),
        config(url="https://user:swordfish@example.com/"),
        config(url="https://exa mple.com/swordfish"),
        config(secret="swordfish"),
        config(secret=None),
        config(headers={"X-Team": "swordfish\r\nX-Injected: 1"}),
        config(headers={"X-Team\r\nX-Injected": "1"}),
        config(headers={"X-Team": 1}),
        config(private_key="whsk_swordfish"),
        config(previous=[{"secret": "swordfish", "until": "2026-03-01T12:00:00Z"}]),
        config(previous=[{"secret": new_secret()}]),
        config(previous=[{"until": "2026-03-01T12:00:00Z"}]),
    ],
)
def test_what_is_no_webhook_is_not_opened_and_not_repeated(stored: dict[str, Any]) -> None:
    with pytest.raises(ValueError) as caught:
        KIND.open(stored)
    assert "swordfish" not in str(caught.value)


@given(texts, texts)
def test_a_header_line_is_one_line(name: str, value: str) -> None:
    try:
        line = header_line(name, value)
    except ValueError:
        return
    assert line.isascii()
    assert line.isprintable()
    assert line in (f"{name}: {value}", f"{name};")
    assert line.startswith(f"{name}:") or not value


@given(st.dictionaries(texts, texts, max_size=3))
def test_headers_that_are_accepted_add_no_others(headers: dict[str, str]) -> None:
    fields = WebhookFields(url="https://203.0.113.7/", headers=headers)
    with suppress(FieldError):
        KIND.configure(fields, EgressPolicy.from_setting("203.0.113.0/24"))
        request = KIND.open(config(headers=headers)).request(DELIVERY, b"{}", datetime.now(UTC))
        assert len(request.headers) == 4 + len(headers)
        names = [line.partition(":")[0].rstrip(";").lower() for line in request.headers]
        assert len(set(names)) == len(names)
        assert not any(character in line for line in request.headers for character in "\r\n\0")


@given(st.text("abcXYZ!#$%&'*+.^_`|~-", min_size=1, max_size=20), st.text('abc :;=,"', max_size=20))
def test_headers_of_usual_characters_reach_their_lines(name: str, value: str) -> None:
    value = value.strip()
    assert header_line(name, value) == (f"{name}: {value}" if value else f"{name};")


def test_requests_are_made_without_reading_anything_anew() -> None:
    """A pusher goes on as it was opened: what becomes of the configuration is the next opening's."""
    stored = config(headers={"X-Team": "1"})
    pusher, at = KIND.open(stored), datetime.fromtimestamp(int(time.time()), UTC)
    first = pusher.request(DELIVERY, BODY, at)
    stored["headers"]["X-Team"], stored["secret"] = "2", new_secret()
    assert pusher.request(DELIVERY, BODY, at) == first
