"""The kind `newsapi`: articles and errors as NewsAPI.org gives them."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fetcher.sources
from core.errors import Reason
from core.registry import discover
from fetcher.identity import to_message
from fetcher.sources.base import Document, Item, ParsedDocument, SourceError, SourceKind
from fetcher.sources.newsapi import KIND

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
URL = "https://newsapi.example/v2/top-headlines?country=us&language=en"
ARTICLE: dict[str, object] = {
    "source": {"id": "the-wire", "name": "The Wire"},
    "author": "Ann Author",
    "title": "Rain &amp; wind - The Wire",
    "description": "It <b>rains</b>.",
    "url": "http://www.wire.example/rain?utm_source=newsapi",
    "urlToImage": "https://www.wire.example/rain.jpg",
    "publishedAt": "2026-03-01T09:00:00Z",
    "content": "It rains and rains… [+4686 chars]",
}


def parse(answer: object, status: int = 200, **headers: str) -> ParsedDocument:
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    return KIND.parse(Document(URL, status, {"content-type": "application/json", **headers}, body), NOW)


def articles(*changes: dict[str, object]) -> ParsedDocument:
    return parse(
        {"status": "ok", "totalResults": 99, "articles": [{**ARTICLE, **change} for change in changes]}
    )


def only(change: dict[str, object]) -> Item:
    (item,) = articles(change).items
    return item


def failure(answer: object, status: int = 200, **headers: str) -> SourceError:
    with pytest.raises(SourceError) as raised:
        parse(answer, status, **headers)
    return raised.value


def test_the_kind_is_found_by_its_name() -> None:
    kinds: dict[str, SourceKind] = discover(fetcher.sources, "KIND")
    assert kinds["newsapi"] is KIND
    assert KIND.default_interval_seconds == 1_800


# --- requests


def test_the_key_goes_into_a_header_alone() -> None:
    request = KIND.request(URL, '"tag"', None, {"newsapi_key": "s3cret"})
    assert request.url == URL
    assert request.credentials == {"X-Api-Key": "s3cret"}
    assert "s3cret" not in repr(request)
    assert "s3cret" not in str(request.headers)


@pytest.mark.parametrize("secrets", [{}, {"newsapi_key": ""}])
def test_without_a_key_there_is_no_request(secrets: dict[str, str]) -> None:
    with pytest.raises(SourceError, match="CLARION_NEWSAPI_KEY") as raised:
        KIND.request(URL, None, None, secrets)
    assert raised.value.reason is Reason.MISCONFIGURED


def test_any_web_address_may_stand_in_but_without_the_key() -> None:
    KIND.check("http://127.0.0.1:8099/v2/everything?q=rain")
    for url in (f"{URL}&apiKey=s3cret", f"{URL}&APIKEY="):
        with pytest.raises(ValueError, match="must not stand in the address") as raised:
            KIND.check(url)
        assert "s3cret" not in str(raised.value)
    with pytest.raises(ValueError, match="http:// or https://"):
        KIND.check("newsapi")


# --- articles


def test_an_article_becomes_an_item() -> None:
    assert only({}) == Item(
        title="Rain & wind",
        summary="It rains.",
        guid="https://www.wire.example/rain",
        url="http://www.wire.example/rain?utm_source=newsapi",
        published_at=datetime(2026, 3, 1, 9, tzinfo=UTC),
        language="en",
        authors=("Ann Author",),
        image="https://www.wire.example/rain.jpg",
        publisher="The Wire",
    )


def test_the_publisher_is_recognised_by_the_host_too() -> None:
    item = only(
        {"source": {"id": None, "name": None}, "title": "Rain - Wire", "url": "https://www.wire.example/1"}
    )
    assert (item.title, item.publisher) == ("Rain", None)


@pytest.mark.parametrize(
    "change",
    [
        {"title": "[Removed]"},
        {"source": {"id": None, "name": "[Removed]"}},
        {"title": None, "description": None, "content": None, "url": None},
    ],
)
def test_removed_and_empty_articles_are_skipped(change: dict[str, object]) -> None:
    assert [item.title for item in articles(change, {}).items] == ["Rain & wind"]


@pytest.mark.parametrize(
    ("change", "summary"),
    [
        ({"description": None}, "It rains and rains…"),
        ({"description": "[Removed]"}, "It rains and rains…"),
        ({"description": None, "content": None}, ""),
        ({"description": "", "content": "[Removed]"}, ""),
        ({"description": 5, "content": ["x"]}, ""),
    ],
)
def test_a_missing_description_is_made_up_from_the_content(change: dict[str, object], summary: str) -> None:
    assert only(change).summary == summary


@pytest.mark.parametrize(
    "change",
    [
        {"author": None},
        {"author": ""},
        {"author": "https://www.facebook.com/wire"},
        {"author": {"name": "Ann"}},
    ],
)
def test_what_is_no_author_is_left_out(change: dict[str, object]) -> None:
    assert only(change).authors == ()


def test_odd_values_do_not_spoil_an_article() -> None:
    odd = {
        "source": "wire",
        "url": "javascript:x",
        "urlToImage": "/rain.jpg",
        "publishedAt": "soon",
        "content": 1,
    }
    item = only(odd)
    assert (item.url, item.guid, item.publisher, item.published_at) == (None, None, None, None)
    assert item.image == "https://newsapi.example/rain.jpg"


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10) | st.just("[Removed]"),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*ARTICLE, "name"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(st.lists(_JSON, max_size=3), st.sampled_from(["ok", "error", None]), _JSON)
def test_no_answer_breaks_the_parser(found: list[object], status: str | None, code: object) -> None:
    try:
        document = parse({"status": status, "code": code, "articles": found})
    except SourceError:
        return
    for item in document.items:
        assert to_message(item, "src_1", "NewsAPI", "id", 1, NOW).title


# --- errors


@pytest.mark.parametrize(
    ("status", "code", "reason", "words", "pause"),
    [
        (429, "rateLimited", Reason.THROTTLED, "fewer requests", 3_600.0),
        (429, "apiKeyExhausted", Reason.THROTTLED, "quota", 21_600.0),
        (401, "apiKeyInvalid", Reason.MISCONFIGURED, "CLARION_NEWSAPI_KEY", None),
        (401, "apiKeyMissing", Reason.MISCONFIGURED, "CLARION_NEWSAPI_KEY", None),
        (401, "apiKeyDisabled", Reason.MISCONFIGURED, "disabled", None),
        (400, "parametersMissing", Reason.MISCONFIGURED, "parameter", None),
        (500, "unexpectedError", Reason.STATUS_5XX, "unexpectedError", None),
        (426, "maximumResultsReached", Reason.REJECTED, "maximumResultsReached", None),
        (200, "", Reason.REJECTED, "without a code", None),
    ],
)
def test_errors_of_the_api_are_put_into_words(
    status: int, code: str, reason: Reason, words: str, pause: float | None
) -> None:
    error = failure({"status": "error", "code": code, "message": "apiKey=s3cret"}, status)
    assert (error.reason, error.pause_seconds) == (reason, pause)
    assert words in str(error)
    assert "s3cret" not in str(error)


def test_the_pause_that_the_server_names_is_taken() -> None:
    error = failure({"status": "error", "code": "rateLimited"}, 429, **{"retry-after": "90"})
    assert error.pause_seconds == 90.0


@pytest.mark.parametrize(
    "answer", [b"", b"<html>", b"[]", {"status": "ok"}, {"status": "ok", "articles": None}]
)
def test_an_answer_that_is_no_list_of_articles_is_refused(answer: object) -> None:
    error = failure(answer)
    assert error.reason is Reason.PROTOCOL
    assert "not a list of articles" in str(error)


def test_statuses_without_an_error_of_the_api() -> None:
    assert failure(b"<html>Bad gateway", 502).reason is Reason.STATUS_5XX
    assert failure(b"", 429, **{"retry-after": "30"}).pause_seconds == 30.0
