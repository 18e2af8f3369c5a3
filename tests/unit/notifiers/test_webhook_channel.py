"""What an account may say of a webhook, and what is shown of it."""

import base64
from ipaddress import ip_network
from typing import Any

import pytest
from pydantic import ValidationError

from core.egress import EgressPolicy
from core.errors import FieldError
from core.signing import parse_private_key, parse_secret
from core.store.states import ChannelState
from notifiers.channels.webhook import KIND, OWNED_HEADERS, WebhookFields

CLOSED = EgressPolicy()
URL = "https://203.0.113.7/hook"  # TEST-NET-3 (RFC 5737) is not public, hence:
OPEN = EgressPolicy((ip_network("203.0.113.0/24"),))


def configured(policy: EgressPolicy = OPEN, **fields: Any) -> dict[str, Any]:
    return KIND.configure(WebhookFields(**({"url": URL} | fields)), policy)


def refused(policy: EgressPolicy = OPEN, **fields: Any) -> FieldError:
    with pytest.raises(FieldError) as caught:
        configured(policy, **fields)
    return caught.value


def test_a_url_is_enough() -> None:
    config = configured()
    assert (config["url"], config["headers"]) == (URL, {})
    assert config["signature"] == "v1"
    assert len(parse_secret(config["secret"]).secret) == 32
    assert configured()["secret"] != config["secret"]
    assert KIND.initial_state == ChannelState.ACTIVE


def test_what_makes_two_webhooks_the_same_is_their_url() -> None:
    assert KIND.target(configured()) == URL


def test_secrets_are_not_shown() -> None:
    config = configured(headers={"Authorization": "Bearer swordfish"}, secret="whsec_" + "QUJD" * 11)
    view = KIND.view(config)
    assert view == {"url": URL, "headers": {"Authorization": "…"}, "signature": "v1"}


def test_a_key_pair_shows_its_public_half_only() -> None:
    config = configured(signature="v1a")
    key = parse_private_key(config["private_key"])
    assert "secret" not in config
    assert configured(signature="v1a")["private_key"] != config["private_key"]
    view = KIND.view(config)
    assert view == {"url": URL, "headers": {}, "signature": "v1a", "public_key": key.public_key}


def test_a_key_pair_is_not_given() -> None:
    error = refused(signature="v1a", secret="whsec_" + "QUJD" * 11)
    assert error.field == "secret"
    assert "QUJD" not in str(error)


@pytest.mark.parametrize(
    "url",
    [
        "example.com/hook",
        "ftp://example.com/hook",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "https://",
        "https:///hook",
        "https://user:password@example.com/",
        "https://example.com:0/",
        "https://example.com:99999/",
        "https://example.com/a b",
        "https://example.com/\r\nX-Injected: 1",
        "https://example.com\\@10.0.0.1/",
        "https://exa mple.com/",
        "https://[::1/",
        "https://" + "a" * 64 + ".example.com/",
        "http://localhost/",
        "http://api.localhost/",
        "http://127.0.0.1/",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f.0.0.1/",
        "http://0177.0.0.1/",
        "http://0.0.0.0/",
        "http://10.1.2.3/",
        "http://172.16.0.1/",
        "http://192.168.1.1/",
        "http://100.64.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::1]/",
        "http://[::ffff:10.0.0.1]/",
        "http://[64:ff9b::a00:1]/",
        "http://[fd00::1]/",
        "http://[fe80::1]/",
        "http://224.0.0.1/",
        "http://\u24d6oogle.local\u24c1ost:x/",
    ],
)
def test_urls_that_are_refused(url: str) -> None:
    error = refused(CLOSED, url=url)
    assert error.field == "url"
    assert str(error)


def test_an_installation_may_open_its_own_networks() -> None:
    assert configured(EgressPolicy((ip_network("10.0.0.0/8"),)), url="http://10.1.2.3/")


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer abc"},
        {"X-Team": ""},
        {"x-a!#$%&'*+.^_`|~9": "v"},
        {"X-Quote": '"a, b"; c=d'},
        {"X-Long": "v" * 2_000},
        {f"X-{number}": "v" for number in range(20)},
    ],
)
def test_headers_that_are_accepted(headers: dict[str, str]) -> None:
    assert configured(headers=headers)["headers"] == headers


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("", "v"),
        ("X Team", "v"),
        ("X-Team:", "v"),
        ("X-Team\r\n", "v"),
        ("X-Té", "v"),
        (":authority", "v"),
        ("X" * 101, "v"),
        ("X-Team", "a\r\nX-Injected: 1"),
        ("X-Team", "a\nb"),
        ("X-Team", "a\0b"),
        ("X-Team", "a\tb"),
        ("X-Team", " a"),
        ("X-Team", "a "),
        ("X-Team", "é"),
        ("X-Team", "v" * 2_001),
        ("X-Team", "a\x7f"),
        ("X-Team;", ""),
        ("Content-Encoding", "gzip"),
        ("Webhook-Id", "v"),
        ("webhook-signature", "v"),
        ("WEBHOOK-ANYTHING", "v"),
        *[(name, "v") for name in sorted(OWNED_HEADERS)],
        *[(name.title(), "v") for name in sorted(OWNED_HEADERS)],
    ],
)
def test_headers_that_are_refused(header: str, value: str) -> None:
    assert refused(headers={header: value}).field == "headers"


def test_a_header_is_given_once_whatever_its_case() -> None:
    error = refused(headers={"X-Team": "1", "x-team": "2"})
    assert (error.field, str(error)[:6]) == ("headers", "x-team")


@pytest.mark.parametrize("headers", [{"Authorization: Bearer swordfish": ""}, {"X-Team": "swordfish\n"}])
def test_refusals_do_not_repeat_values_of_headers(headers: dict[str, str]) -> None:
    assert "swordfish" not in str(refused(headers=headers))


@pytest.mark.parametrize("size", [24, 32, 64])
@pytest.mark.parametrize("prefix", ["whsec_", ""])
def test_secrets_that_are_accepted_and_spelled_in_one_way(prefix: str, size: int) -> None:
    encoded = base64.b64encode(b"k" * size).decode()
    assert configured(secret=prefix + encoded.rstrip("="))["secret"] == f"whsec_{encoded}"


@pytest.mark.parametrize(
    "secret",
    [
        "whsec_",
        "whsec_short",
        "whsec_" + base64.b64encode(b"k" * 23).decode(),
        "whsec_" + base64.b64encode(b"k" * 65).decode(),
        "whsec_" + "!" * 44,
        "whsk_" + base64.b64encode(b"k" * 32).decode(),
        "correct horse battery staple, and some more",
    ],
)
def test_secrets_that_are_refused_and_not_repeated(secret: str) -> None:
    error = refused(secret=secret)
    assert error.field == "secret"
    assert secret not in str(error) or secret == "whsec_"


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"url": ""},
        {"url": 7},
        {"url": "https://example.com/" + "x" * 2_100},
        {"url": URL, "unknown": 1},
        {"url": URL, "headers": {f"X-{number}": "v" for number in range(21)}},
        {"url": URL, "headers": {"X-Team": 7}},
        {"url": URL, "headers": ["X-Team"]},
        {"url": URL, "secret": "x" * 201},
        {"url": URL, "signature": "v2"},
        {"url": URL, "signature": None},
        {"url": URL, "private_key": "whsk_"},
    ],
)
def test_fields_of_another_shape_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        WebhookFields(**fields)
