"""Webhook signatures of the scheme v1a, checked against the example of the specification and by hand."""

import base64
import time
from contextlib import suppress

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from core.signing import AsymmetricKey, new_private_key, new_secret, parse_private_key, parse_secret, sign

MESSAGE_ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
# The keys of the example are published by the makers of the specification's reference server.
SEED = "6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbc="
PRIVATE = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg=="
PUBLIC = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="
EXAMPLE = "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg=="


def verify(public_key: str, message_id: str, timestamp: int, body: bytes, header: str) -> None:
    """Do what a receiver does that has nothing but the specification: any one signature is enough."""
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key.removeprefix("whpk_")))
    content = b".".join([message_id.encode(), str(timestamp).encode(), body])
    for one in header.split(" "):
        scheme, _, signature = one.partition(",")
        if scheme == "v1a":
            with suppress(InvalidSignature):
                return key.verify(base64.b64decode(signature, validate=True), content)
    raise InvalidSignature


def test_the_example_of_the_specification() -> None:
    key = parse_private_key(PRIVATE)
    assert sign(MESSAGE_ID, 1614265330, b'{"test": 2432232314}', [key]) == EXAMPLE
    assert key.public_key == PUBLIC
    assert key.serialized() == PRIVATE


@given(st.text(st.characters(exclude_categories=["Cs"])), st.integers(1, 3))
def test_receivers_verify_with_any_of_the_public_keys(body: str, count: int) -> None:
    keys = [parse_private_key(new_private_key()) for _ in range(count)]
    header = sign(MESSAGE_ID, 1614265330, body.encode(), [parse_secret(new_secret()), *keys])
    for key in keys:
        verify(key.public_key, MESSAGE_ID, 1614265330, body.encode(), header)


@pytest.mark.parametrize("part", ["id", "timestamp", "body", "key"])
def test_receivers_notice_what_was_altered(part: str) -> None:
    now = int(time.time())
    key = parse_private_key(new_private_key())
    body = '{"title":"Größe, 東京"}'.encode()
    signing = parse_private_key(new_private_key()) if part == "key" else key
    header = sign(
        MESSAGE_ID + "x" * (part == "id"),
        now + (part == "timestamp"),
        body + b" " * (part == "body"),
        [signing],
    )
    with pytest.raises(InvalidSignature):
        verify(key.public_key, MESSAGE_ID, now, body, header)


def test_new_keys_differ_and_hold_seed_and_public_key() -> None:
    keys = {new_private_key() for _ in range(20)}
    assert len(keys) == 20
    for text in keys:
        pair = base64.b64decode(text.removeprefix("whsk_"), validate=True)
        assert len(pair) == 64
        assert parse_private_key(text).public == pair[32:]


def test_keys_do_not_show_their_private_half() -> None:
    shown = repr(parse_private_key(PRIVATE))
    assert shown.startswith("AsymmetricKey(public=")
    assert "rivate" not in shown


def test_keys_are_equal_by_their_public_half() -> None:
    assert parse_private_key(PRIVATE) == parse_private_key(PRIVATE)
    assert parse_private_key(PRIVATE) != parse_private_key(new_private_key())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "whsk_",
        PRIVATE.removeprefix("whsk_"),
        PRIVATE.rstrip("="),
        f"whsk_{SEED}",
        f" {PRIVATE}",
        PUBLIC,
        "whsec_" + SEED,
        "whsk_" + "ä" * 88,
        "whsk_" + base64.b64encode(bytes(65)).decode(),
    ],
)
def test_what_is_no_private_key_is_refused_in_words(text: str) -> None:
    with pytest.raises(ValueError, match="a private key is whsk_ followed by 64 bytes in base64"):
        parse_private_key(text)


def test_halves_that_do_not_belong_together_are_refused_and_not_repeated() -> None:
    pair = base64.b64decode(PRIVATE.removeprefix("whsk_"))
    forged = "whsk_" + base64.b64encode(pair[:32] + bytes(32)).decode()
    with pytest.raises(ValueError, match="second half") as caught:
        parse_private_key(forged)
    assert SEED.rstrip("=") not in str(caught.value)


@given(st.text())
def test_any_text_is_a_key_or_refused(text: str) -> None:
    with suppress(ValueError):
        assert isinstance(parse_private_key(text), AsymmetricKey)
