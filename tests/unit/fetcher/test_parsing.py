"""Encodings, titles, nodes of unknown shape, and the choice of items."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fetcher.parsing.encoding import decode
from fetcher.parsing.nodes import child, children, get, json_object, language_tag, text, whole_objects
from fetcher.parsing.selection import distinct, first, newest
from fetcher.parsing.titles import plain_title, title_from, without_publisher
from fetcher.sources.base import Item

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
WORDS = '<?xml version="1.0"?><t>Zürich: „Größe“ — naïve</t>'


def declared(encoding: str, words: str = "<t>é</t>") -> bytes:
    return f'<?xml version="1.0" encoding="{encoding}"?>{words}'.encode(encoding)


# --- encodings


@pytest.mark.parametrize(
    "content_type", ["", "application/xml", "text/xml; charset=iso-8859-1", "x; charset=nonsense"]
)
def test_what_can_only_be_utf8_is_utf8_whatever_the_header_says(content_type: str) -> None:
    assert decode(WORDS.encode(), content_type) == WORDS


@pytest.mark.parametrize(
    "encoding", ["utf-8-sig", "utf-16", "utf-32", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"]
)
def test_wide_encodings_and_byte_order_marks_are_seen(encoding: str) -> None:
    assert decode(WORDS.encode(encoding), "application/xml; charset=us-ascii") == WORDS


@pytest.mark.parametrize(
    ("encoding", "words"),
    [
        ("iso-8859-1", "<t>é</t>"),
        ("windows-1251", "<t>Привет</t>"),
        ("koi8-r", "<t>Привет</t>"),
        ("shift_jis", "<t>日本語</t>"),
        ("gb2312", "<t>中文</t>"),
        ("big5", "<t>中文</t>"),
        ("euc-kr", "<t>한국어</t>"),
        ("iso-2022-jp", "<t>日本語</t>"),
    ],
)
def test_the_declaration_of_the_document_counts(encoding: str, words: str) -> None:
    assert decode(declared(encoding, words)).endswith(words)


def test_the_header_comes_before_the_declaration() -> None:
    body = declared("koi8-r", "<t>Привет</t>").replace(b"koi8-r", b"windows-1251")
    assert decode(body, 'text/xml; charset="koi8-r"').endswith("<t>Привет</t>")


def test_latin1_is_read_as_browsers_read_it() -> None:
    assert decode(b"<t>\x93quoted\x94</t>", "text/xml; charset=ISO-8859-1") == "<t>“quoted”</t>"
    assert decode(b"<t>caf\xe9</t>") == "<t>café</t>"


def test_a_broken_byte_does_not_spoil_the_others() -> None:
    assert decode("Zürich und Köln".encode() + b"\xff") == "Zürich und Köln\ufffd"


def test_a_document_cut_off_inside_a_character_is_still_utf8() -> None:
    assert decode("Größe é".encode()[:-1]) == "Größe \ufffd"


@pytest.mark.parametrize(
    "label", ["punycode", "idna", "zlib", "base64", "rot13", "unicode_escape", "undefined", "\0"]
)
def test_a_codec_that_is_no_character_set_is_not_used(label: str) -> None:
    assert decode(b"caf\xe9 \\u0041", f"text/xml; charset={label}") == "café \\u0041"


@given(st.binary(max_size=80), st.text(max_size=30))
def test_any_bytes_are_text(body: bytes, label: str) -> None:
    assert isinstance(decode(body, f"text/xml; charset={label}"), str)


# --- titles


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("AT&amp;T", "AT&T"),
        ("AT&T", "AT&T"),
        ("Caf&eacute; &#8211; open", "Café – open"),
        ("A <b>bold</b> claim", "A bold claim"),
        ("First<br/>second", "First second"),
        ('<a href="x">Linked</a>', "Linked"),
        ("The <video> element", "The <video> element"),
        ("1 < 2 and 3 > 2", "1 < 2 and 3 > 2"),
        ("Two\n  lines\t&nbsp;here", "Two lines here"),
        ("Nul\0 and \ud800", "Nul and \ufffd"),
        ("", ""),
    ],
)
def test_a_title_becomes_plain_text(title: str, expected: str) -> None:
    assert plain_title(title) == expected


@given(st.text(alphabet="<>/abimgr &;#1 ", max_size=60))
def test_any_title_becomes_one_line(title: str) -> None:
    plain = plain_title(title)
    assert "\n" not in plain
    assert plain == plain.strip()


def test_a_missing_title_is_made_of_the_first_words() -> None:
    assert title_from("Short note", "https://a.example/") == "Short note"
    assert len(title_from("word " * 100, None)) <= 100
    assert title_from("", "https://a.example/") == "https://a.example/"
    assert title_from("", None) == ""


@pytest.mark.parametrize(
    ("suffix", "name"),
    [
        (" - The Washington Post", "The Washington Post"),
        (" – The Washington Post", "Washington Post"),
        (" | Washington Post", "The Washington Post"),
        (" - WASHINGTON POST", "The Washington Post"),
        (" - Tom's Guide", "Tomsguide.com"),
        (" - TechRadar India", "TechRadar"),
        (" - Eater Seattle", "Eater.com"),
        (" - The Motley Fool", "Fool.com"),
        (" - Sydney Morning Herald", "Smh.com.au"),
        (" - New York Post", "Nypost.com"),
        (" - The Register", "www.theregister.co.uk"),
        (" - Thurrott.com", "Thurrott.com"),
        (" - BBC", "BBC News"),
        (" - AP", "Associated Press"),
        (" - IGN - IGN", "IGN"),
        (" | Mint - Mint", "Livemint.com"),
        (" - Business Insider", "The Tech Business Insider"),
    ],
)
def test_the_publisher_is_taken_off_a_title(suffix: str, name: str) -> None:
    assert without_publisher(f"Rain - and more rain{suffix}", name) == "Rain - and more rain"


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Rain - and more rain", "The Washington Post"),
        ("Review - Apple", "AppleInsider"),
        ("Well-known", "known"),
        ("The Washington Post", "The Washington Post"),
        ("- CNN", "CNN"),
        ("Rain - ", "CNN"),
        ("Rain - !!!", "!!!"),
        ("Rain - CNN", None),
        ("Rain - CNN " + "and on " * 20, "CNN"),
    ],
)
def test_other_words_behind_a_dash_stay(title: str, name: str | None) -> None:
    assert without_publisher(title, name) == title


@given(st.text(max_size=60), st.text(max_size=20))
def test_taking_the_publisher_off_leaves_a_title_and_is_done_once(title: str, name: str) -> None:
    taken = without_publisher(title, name)
    assert title.startswith(taken)
    assert bool(taken) == bool(title)
    assert without_publisher(taken, name) == taken


# --- nodes


def test_what_is_not_of_the_expected_type_is_not_there() -> None:
    node = {"text": 5, "child": [1], "children": {"a": 1}, "mixed": [{"a": 1}, "b", None]}
    assert text(node, "text") == text(node, "missing") == ""
    assert child(node, "child") == {}
    assert children(node, "children") == []
    assert children(node, "mixed") == [{"a": 1}]
    assert get(node, "missing") is None


@pytest.mark.parametrize(
    ("value", "tag"),
    [
        ("en", "en"),
        ("en-US", "en-us"),
        (" de_DE ", "de-de"),
        ("zh-Hant-TW", "zh-hant-tw"),
        ("", None),
        ("English language", None),
        ("<en>", None),
        (None, None),
        (["en"], None),
        ("en" + "-x" * 40, None),
    ],
)
def test_a_language_is_a_tag_or_nothing(value: object, tag: str | None) -> None:
    assert language_tag(value) == tag


@pytest.mark.parametrize(
    "document", ["", "[]", "5", "{", "[" * 100_000, '{"a":' * 100_000, '{"a": ' + "9" * 5_000 + "}"]
)
def test_what_is_no_json_object_is_none(document: str) -> None:
    assert json_object(document) is None


def test_the_whole_objects_of_a_cut_off_list_are_found() -> None:
    document = '{"items": [{"id": 1}, "other", {"id": 2},\n{"id": 3, "text": "cut'
    assert whole_objects(document, "items") == [{"id": 1}, {"id": 2}]
    assert whole_objects(document, "missing") == []
    assert whole_objects('{"items": [' + "[" * 100_000, "items") == []


# --- selection


def test_the_first_and_the_distinct_candidates() -> None:
    assert first([None, "", "a", "b"]) == "a"
    assert first([None, ""]) is None
    assert distinct(["b", "", "a", "b"]) == ("b", "a")


def test_the_newest_items_stay_in_document_order() -> None:
    days = [5, None, 1, 3, 2]
    items = [Item(str(day), published_at=None if day is None else NOW - timedelta(days=day)) for day in days]
    assert [item.title for item in newest(items, 3)] == ["1", "3", "2"]
    assert newest(items) == tuple(items)
