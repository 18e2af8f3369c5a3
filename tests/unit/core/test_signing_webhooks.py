"""Webhook signatures, checked with the reference library of Standard Webhooks."""

import base64
import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from core.signing import ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, new_secret, parse_secret, sign

MESSAGE_ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
keys = st.binary(min_size=24, max_size=64)


def _headers(signature: str, timestamp: int) -> dict[str, str]:
    return {ID_HEADER: MESSAGE_ID, TIMESTAMP_HEADER: str(timestamp), SIGNATURE_HEADER: signature}


def test_the_example_of_the_specification() -> None:
    key = parse_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signature = sign(MESSAGE_ID, 1614265330, b'{"test": 2432232314}', [key])
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@given(st.text(st.characters(exclude_categories=["Cs"])), st.lists(keys, min_size=1, max_size=3))
def test_receivers_verify_with_any_of_the_secrets(body: str, secrets: list[bytes]) -> None:
    timestamp = int(time.time())
    signature = sign(MESSAGE_ID, timestamp, body.encode(), secrets)
    for secret in secrets:
        webhook = Webhook("whsec_" + base64.b64encode(secret).decode())
        webhook.verify(body.encode(), _headers(signature, timestamp), json_parse=False)


@pytest.mark.parametrize("part", ["id", "timestamp", "body", "secret"])
def test_receivers_notice_what_was_altered(part: str) -> None:
    now = int(time.time())
    secret = new_secret()
    signature = sign(
        MESSAGE_ID + "x" * (part == "id"),
        now + (part == "timestamp"),
        '{"title":"Größe"}'.encode() + b" " * (part == "body"),
        [parse_secret(new_secret() if part == "secret" else secret)],
    )
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify('{"title":"Größe"}'.encode(), _headers(signature, now))


def test_each_secret_has_its_signature_in_order() -> None:
    first, second = (parse_secret(new_secret()) for _ in range(2))
    both = sign(MESSAGE_ID, 1, b"{}", [first, second]).split(" ")
    assert both == [sign(MESSAGE_ID, 1, b"{}", [key]) for key in (first, second)]


def test_bodies_are_bytes_that_need_not_be_text() -> None:
    assert sign(MESSAGE_ID, 1, b"\xff\x00%d", [bytes(32)]).startswith("v1,")


def test_new_secrets_differ_and_hold_32_bytes() -> None:
    secrets = {new_secret() for _ in range(100)}
    assert len(secrets) == 100
    assert {len(parse_secret(secret)) for secret in secrets} == {32}


@given(keys, st.booleans(), st.booleans())
def test_secrets_are_read_with_and_without_prefix_and_padding(
    key: bytes, prefix: bool, padding: bool
) -> None:
    text = base64.b64encode(key).decode()
    text = text if padding else text.rstrip("=")
    assert parse_secret(f"whsec_{text}" if prefix else f" {text}\n") == key


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "this one holds 0"),
        ("whsec_", "this one holds 0"),
        (base64.b64encode(bytes(23)).decode(), "24 to 64 bytes, this one holds 23"),
        (base64.b64encode(bytes(65)).decode(), "24 to 64 bytes, this one holds 65"),
        ("whsec_" + "a" * 33, "followed by base64"),
        ("whsec_" + "a" * 31 + "-", "followed by base64"),
        ("whsec_" + "ä" * 32, "followed by base64"),
        ("whsec_aaaa aaaa aaaa aaaa aaaa aaaa aaaa aaaa", "followed by base64"),
        ("whpk_" + "a" * 32, "followed by base64"),
        ("whsec_" + "a=" * 20, "followed by base64"),
    ],
)
def test_what_is_no_secret_is_refused_in_words(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_secret(text)


@given(st.text())
def test_any_text_is_a_key_or_refused(text: str) -> None:
    with suppress(ValueError):
        assert 24 <= len(parse_secret(text)) <= 64
