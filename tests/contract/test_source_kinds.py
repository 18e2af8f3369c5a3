"""What holds for every kind of source there is, found by scanning: a new one is held to it as it is."""

import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import fetcher.sources
from core.egress import check_url
from core.egress.policy import EgressPolicy
from core.errors import Reason
from core.registry import discover
from fetcher.sources.base import Document, FetchRequest, ParsedDocument, PolledKind, SourceError, SourceKind

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
KINDS: dict[str, SourceKind] = discover(fetcher.sources, "KIND")
POLLED: dict[str, PolledKind] = {name: kind for name, kind in KINDS.items() if isinstance(kind, PolledKind)}
SECRET = "s3cret-0123456789abcdef"


class EverySecret(dict[str, str]):
    """Holds whatever secret a kind asks for."""

    def get(self, key: str, default: Any = None) -> Any:
        return SECRET

    def __missing__(self, key: str) -> str:
        return SECRET


def request_of(kind: PolledKind, url: str) -> FetchRequest:
    return kind.request(url, '"tag"', "Sun, 01 Mar 2026 12:00:00 GMT", EverySecret())


def answer(kind: PolledKind, body: bytes, status: int = 200, **headers: str) -> Document:
    return Document(
        kind.example_url, status, {name.replace("_", "-"): value for name, value in headers.items()}, body
    )


@pytest.fixture(params=sorted(KINDS))
def kind(request: pytest.FixtureRequest) -> SourceKind:
    """Each kind there is."""
    return KINDS[request.param]


@pytest.fixture(params=sorted(POLLED))
def polled(request: pytest.FixtureRequest) -> PolledKind:
    """Each kind that is polled."""
    return POLLED[request.param]


# --- every kind


def test_its_example_is_an_address_of_its_kind(kind: SourceKind) -> None:
    kind.check(kind.example_url)


@pytest.mark.parametrize(
    "url", ["", " ", "nonsense", "file:///etc/passwd", "javascript:alert(1)", "http://", "x:"]
)
def test_what_is_no_address_is_refused_in_words(kind: SourceKind, url: str) -> None:
    with pytest.raises(ValueError, match=r"\w+ \w+"):
        kind.check(url)


@given(st.text(max_size=60) | st.text(max_size=40).map("http://a.example/{}".format))
def test_no_text_breaks_the_check(url: str) -> None:
    for kind in KINDS.values():
        with suppress(ValueError):
            kind.check(url)


def test_a_kind_is_polled_exactly_if_it_has_an_interval(kind: SourceKind) -> None:
    assert isinstance(kind, PolledKind) == (kind.default_interval_seconds is not None)


# --- those that are polled


def test_it_is_polled_at_bearable_intervals(polled: PolledKind) -> None:
    assert 300 <= polled.default_interval_seconds <= 86_400


def test_another_server_may_stand_in(polled: PolledKind) -> None:
    stand_in = urlunsplit(urlsplit(polled.example_url)._replace(scheme="http", netloc="127.0.0.1:8099"))
    polled.check(stand_in)
    assert request_of(polled, stand_in).url == stand_in


def test_a_password_in_the_address_is_refused_and_not_repeated(polled: PolledKind) -> None:
    parts = urlsplit(polled.example_url)
    with pytest.raises(ValueError, match="password") as raised:
        polled.check(urlunsplit(parts._replace(netloc=f"ann:{SECRET}@{parts.netloc}")))
    assert SECRET not in str(raised.value)


def test_the_first_request_is_for_the_sources_own_address(polled: PolledKind) -> None:
    request = request_of(polled, polled.example_url)
    assert request.url == polled.example_url
    assert check_url(request.url, EgressPolicy()).url == request.url


def test_secrets_travel_as_credentials_alone(polled: PolledKind) -> None:
    request = request_of(polled, polled.example_url)
    assert SECRET not in request.url
    assert SECRET not in repr(request)
    assert SECRET not in str(dict(request.headers))


def test_without_its_secrets_a_kind_says_what_to_do(polled: PolledKind) -> None:
    if not request_of(polled, polled.example_url).credentials:
        assert polled.request(polled.example_url, None, None, {}).url == polled.example_url
        return
    with pytest.raises(SourceError, match="CLARION_") as raised:
        polled.request(polled.example_url, None, None, {})
    assert raised.value.reason is Reason.MISCONFIGURED


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (401, Reason.STATUS_4XX),
        (404, Reason.STATUS_4XX),
        (410, Reason.GONE),
        (429, Reason.THROTTLED),
        (500, Reason.STATUS_5XX),
        (503, Reason.THROTTLED),
    ],
)
@pytest.mark.parametrize("body", [b"", b"<html>sorry</html>", b"{}", b"[]"])
def test_an_answer_that_is_no_success_is_an_error_in_words(
    polled: PolledKind, status: int, reason: Reason, body: bytes
) -> None:
    with pytest.raises(SourceError) as raised:
        polled.parse(answer(polled, body, status, retry_after="600"), NOW)
    assert raised.value.reason is reason
    assert " " in raised.value.words
    assert raised.value.pause_seconds == (600 if reason is Reason.THROTTLED else None)


_HOSTILE = {
    "nothing": b"",
    "a login page": b"<!doctype html><html><body><form>password</form></body></html>",
    "text": b"We are sorry.",
    "a picture": b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20,
    "a number": b"5",
    "null": b"null",
    "deep JSON": b"[" * 200_000,
    "deep XML": b"<a>" * 50_000,
    "cut-off JSON": b'{"articles": [{"title": "A',
    "another JSON": b'{"hello": "world"}',
}


@pytest.mark.parametrize("what", _HOSTILE)
def test_what_is_something_else_is_an_error_in_words(polled: PolledKind, what: str) -> None:
    with pytest.raises(SourceError) as raised:
        polled.parse(answer(polled, _HOSTILE[what]), NOW)
    assert raised.value.words[0].isupper()


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
_BODIES = st.binary(max_size=200) | _JSON.map(lambda value: json.dumps(value).encode())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=_BODIES, content_type=st.sampled_from(["", "text/html", "application/json; charset=utf-16"]))
def test_no_document_breaks_it_and_reading_is_repeatable(
    polled: PolledKind, body: bytes, content_type: str
) -> None:
    document = answer(polled, body, content_type=content_type)
    assert read(polled, document) == read(polled, document)


def read(polled: PolledKind, document: Document) -> ParsedDocument | str:
    try:
        return polled.parse(document, NOW)
    except SourceError as error:
        return error.words
