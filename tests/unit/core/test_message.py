"""Article messages: what producers may write, and what becomes of it."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import UnreadableMessage
from core.message import (
    LIST_LIMIT,
    MAX_VERSION,
    MESSAGE_LIMIT,
    ArticleMessage,
    decode,
)
from core.text import SUMMARY_LIMIT, TITLE_LIMIT, web_url

PLAIN = {"id": "a1", "version": 1, "title": "A title"}


def read(**fields: Any) -> ArticleMessage:
    return decode(json.dumps(PLAIN | fields).encode())


def refusal(body: bytes) -> str:
    with pytest.raises(UnreadableMessage) as caught:
        decode(body)
    return str(caught.value)


def test_three_fields_are_enough() -> None:
    message = read()
    assert (message.id, message.version, message.title, message.summary) == ("a1", 1, "A title", "")
    assert (message.source, message.url, message.published_at, message.categories) == (None, None, None, [])


def test_a_plain_producers_words_are_understood() -> None:
    message = read(content="<p>All about pods</p>", category="technology")
    assert (message.summary, message.categories) == ("All about pods", ["technology"])


def test_the_proper_words_come_first() -> None:
    message = read(content="content", summary="summary", category="one", categories=["two"])
    assert (message.summary, message.categories) == ("summary", ["two"])


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("bbc", ("bbc", "bbc")),
        ({"id": "bbc", "name": "BBC"}, ("bbc", "BBC")),
        ({"id": "bbc"}, ("bbc", "bbc")),
        ({"id": 7}, ("7", "7")),
        ({"name": "BBC"}, ("BBC", "BBC")),
        ({"id": None, "name": "BBC"}, ("BBC", "BBC")),
    ],
)
def test_forms_of_a_source(source: object, expected: tuple[str, str]) -> None:
    found = read(source=source).source
    assert found is not None
    assert (found.id, found.name) == expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2026-03-01T12:00:00Z", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ("2026-03-01T14:00:00+02:00", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ("2026-03-01T12:00:00", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ("0001-01-01T00:00:00+14:00", None),
        ("yesterday", None),
        (1_772_366_400, None),
        (None, None),
    ],
)
def test_dates_that_cannot_be_read_are_none(written: object, expected: datetime | None) -> None:
    assert read(published_at=written).published_at == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://example.com/a", "https://example.com/a"),
        (" HTTP://example.com ", "HTTP://example.com"),
        ("javascript:alert(1)", None),
        ("data:text/html,x", None),
        ("//example.com/a", None),
        ("https://example.com/a b", None),
        ("https://example.com/\n", "https://example.com/"),
        ("https://example.com/a\nb", None),
        ("https://example.com/\u202e", None),
        ("https://" + "x" * 4_000, None),
        (17, None),
        ("", None),
    ],
)
def test_only_web_addresses_are_kept(url: object, expected: str | None) -> None:
    assert web_url(url) == expected
    assert read(url=url, image=url).url == expected


def test_lists_are_cleaned() -> None:
    message = read(
        categories=[" Tech\n", "Tech", "", None, 7, "x" * 300], authors=[str(number) for number in range(99)]
    )
    assert message.categories == ["Tech", "x" * 199 + "\u2026"]
    assert len(message.authors) == LIST_LIMIT


def test_long_texts_are_cut() -> None:
    message = read(title="t" * 5_000, summary="s" * 50_000)
    assert (len(message.title), len(message.summary)) == (TITLE_LIMIT, SUMMARY_LIMIT)


def test_titles_are_one_line() -> None:
    assert read(title=" A\r\n\ttitle\u2028 here\x07 ").title == "A title here"


def test_numbers_are_ids_too() -> None:
    assert read(id=17).id == "17"


@pytest.mark.parametrize("field", ["title", "summary", "id", "source", "language"])
def test_nul_and_lone_surrogates_are_cleaned_wherever_text_enters(field: str) -> None:
    message = decode(json.dumps(PLAIN | {field: "a\0b\ud800c"}).encode())
    cleaned = getattr(message, field)
    assert (cleaned.id if field == "source" else cleaned) in ("ab\ufffdc",)
    assert decode(message.encode()) == message


def test_lists_are_cleaned_of_lone_surrogates() -> None:
    message = decode(json.dumps(PLAIN | {"categories": ["a\ud800"], "authors": ["\0b"]}).encode())
    assert (message.categories, message.authors) == (["a\ufffd"], ["b"])


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "not_json"),
        (b"\xff\x00 garbage", "not_json"),
        (b"{", "not_json"),
        (b"[" * 100_000, "not_json"),
        (b"x" * (MESSAGE_LIMIT + 1), "too_large"),
        (b"null", "invalid: message"),
        (b"[]", "invalid: message"),
        (b'"text"', "invalid: message"),
        (b"{}", "invalid: id"),
    ],
)
def test_what_is_no_message(body: bytes, words: str) -> None:
    assert refusal(body).startswith(words)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", ""),
        ("id", "  "),
        ("id", "x" * 513),
        ("id", None),
        ("id", True),
        ("id", ["a"]),
        ("version", 0),
        ("version", -1),
        ("version", True),
        ("version", "one"),
        ("version", 1.5),
        ("version", None),
        ("version", MAX_VERSION + 1),
        ("title", ""),
        ("title", " \n "),
        ("title", "\0"),
        ("title", None),
        ("title", 7),
        ("summary", 7),
        ("summary", ["a"]),
        ("source", 7),
        ("source", {}),
        ("source", {"id": ""}),
        ("categories", "tech"),
        ("categories", {"a": 1}),
        ("language", 7),
        ("schema", 0),
        ("schema", "one"),
    ],
)
def test_what_is_wrong_is_named(field: str, value: object) -> None:
    assert refusal(json.dumps(PLAIN | {field: value}).encode()).startswith("invalid: ")


def test_a_newer_schema_is_not_guessed_at() -> None:
    assert refusal(json.dumps(PLAIN | {"schema": 2}).encode()) == "unsupported_schema: schema 2, known is 1"


def test_unknown_fields_are_left_out() -> None:
    assert "extra" not in read(extra="x", raw={"a": 1}).as_json()


def test_what_is_published_has_the_contracts_fields() -> None:
    assert list(read().as_json()) == [
        "schema",
        "id",
        "version",
        "title",
        "summary",
        "url",
        "source",
        "published_at",
        "language",
        "categories",
        "authors",
        "image",
    ]


# --- whatever comes

any_text = st.text(st.characters(exclude_categories=()), max_size=50)
any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | any_text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(any_text, inner, max_size=3),
    max_leaves=10,
)
FIELDS = [*read().as_json(), "content", "category"]


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    try:
        decode(body)
    except UnreadableMessage:
        return


@given(st.dictionaries(st.sampled_from(FIELDS), any_json))
def test_any_object_is_read_or_refused_and_what_is_read_can_be_stored(fields: dict[str, Any]) -> None:
    try:
        message = decode(json.dumps(PLAIN | fields).encode())
    except UnreadableMessage:
        return
    assert b"\\u0000" not in message.encode()
    assert len(message.encode()) < MESSAGE_LIMIT


no_markup = st.text(st.characters(exclude_characters="<&", exclude_categories=["Cs"]), max_size=300)


@given(title=no_markup.filter(str.strip), summary=no_markup, categories=st.lists(no_markup, max_size=3))
def test_what_was_read_once_is_read_again_as_it_is(title: str, summary: str, categories: list[str]) -> None:
    try:
        message = read(title=title, summary=summary, categories=categories, authors=categories, source="s")
    except UnreadableMessage:
        return  # a title of control characters only
    assert decode(message.encode()) == message
