"""Webhook signatures of the scheme v1, checked with the libraries that receivers use."""

import base64
import hmac
import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError
from svix.webhooks import Webhook as SvixWebhook

from core.signing import (
    ID_HEADER,
    SIGNATURE_HEADER,
    TIMESTAMP_HEADER,
    SigningKey,
    SymmetricKey,
    new_private_key,
    new_secret,
    parse_private_key,
    parse_secret,
    sign,
)

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
    signature = sign(MESSAGE_ID, timestamp, body.encode(), [SymmetricKey(secret) for secret in secrets])
    headers = _headers(signature, timestamp)
    for secret in secrets:
        shown = "whsec_" + base64.b64encode(secret).decode()
        Webhook(shown).verify(body.encode(), headers, json_parse=False)
        SvixWebhook(shown).verify(body.encode(), headers)


def test_receivers_pass_over_signatures_of_the_other_scheme() -> None:
    timestamp, secret = int(time.time()), new_secret()
    body = '{"title":"Größe, 東京 and 🚀"}'.encode()
    keys: list[SigningKey] = [parse_private_key(new_private_key()), parse_secret(secret)]
    headers = _headers(sign(MESSAGE_ID, timestamp, body, keys), timestamp)
    assert Webhook(secret).verify(body, headers) == {"title": "Größe, 東京 and 🚀"}
    SvixWebhook(secret).verify(body, headers)


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
    assert sign(MESSAGE_ID, 1, b"\xff\x00%d", [SymmetricKey(bytes(32))]).startswith("v1,")


@given(keys, st.lists(st.binary(max_size=200), min_size=2, max_size=4))
def test_a_key_signs_each_message_as_if_it_were_the_first(secret: bytes, contents: list[bytes]) -> None:
    key = SymmetricKey(secret)
    for content in contents:
        expected = base64.b64encode(hmac.digest(secret, content, "sha256")).decode()
        assert key.signature(content) == f"v1,{expected}"


def test_keys_do_not_show_themselves() -> None:
    assert repr(SymmetricKey(b"swordfish" * 3)) == "SymmetricKey()"


def test_new_secrets_differ_and_hold_32_bytes() -> None:
    secrets = {new_secret() for _ in range(100)}
    assert len(secrets) == 100
    assert {len(parse_secret(secret).secret) for secret in secrets} == {32}


@given(keys, st.booleans(), st.booleans())
def test_secrets_are_read_with_and_without_prefix_and_padding(
    key: bytes, prefix: bool, padding: bool
) -> None:
    text = base64.b64encode(key).decode()
    text = text if padding else text.rstrip("=")
    read = parse_secret(f"whsec_{text}" if prefix else f" {text}\n")
    assert read.secret == key
    assert read.serialized() == "whsec_" + base64.b64encode(key).decode()


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
        assert 24 <= len(parse_secret(text).secret) <= 64
