"""Text from outside, made safe to store and to compare."""

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.text import one_line, plain_text, shorten, storable

anything = st.text(st.characters(exclude_categories=()))  # lone surrogates too


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("nul\0s\0", "nuls"),
        ("lone \ud83d surrogate", "lone \ufffd surrogate"),
        ("\udc00\ud800", "\ufffd\ufffd"),
        ("a pair \ud83d\ude00 kept", "a pair \U0001f600 kept"),
    ],
)
def test_storable(text: str, expected: str) -> None:
    assert storable(text) == expected


@given(anything)
def test_what_is_storable_is_utf_8_without_nul(text: str) -> None:
    stored = storable(text)
    assert b"\0" not in stored.encode()
    assert storable(stored) == stored


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  a \t b\r\nc ", "a b c"),
        ("a\u2028b\u2029c\x85d\x1ce", "a b c d e"),
        ("a\x07b\x1b[31mc", "a b [31mc"),
        ("\u00a0no-break\u00a0", "no-break"),
        ("", ""),
    ],
)
def test_one_line(text: str, expected: str) -> None:
    assert one_line(text) == expected


@given(anything)
def test_one_line_is_one_line(text: str) -> None:
    line = one_line(text)
    assert len(line.splitlines()) <= 1
    assert line == line.strip()
    assert not any(unicodedata.category(c) == "Cc" for c in line)
    assert one_line(line) == line


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("plain", "plain"),
        ("fish &amp; chips", "fish & chips"),
        ("<p>One</p><p>Two</p>", "One Two"),
        ("one<br>two<br/>three", "one two three"),
        ("<b>bo</b>ld", "bold"),
        ("<ul><li>a</li><li>b</li></ul>", "a b"),
        ("a<script>alert(1)</script>b<style>p {}</style>c", "abc"),
        ("<img src=x onerror=alert(1)>text", "text"),
        ("<!-- hidden -->shown", "shown"),
        ("3 < 4 and 5 > 4", "3 < 4 and 5 > 4"),
        ("caf&eacute; &#8211; &#x1F600;", "caf\u00e9 \u2013 \U0001f600"),
        ("<a href='x'>link</a>", "link"),
        ("&lt;b&gt; is a tag", "<b> is a tag"),
        ("<![CDATA[text]]>", ""),
    ],
)
def test_plain_text(markup: str, expected: str) -> None:
    assert plain_text(markup) == expected


@given(st.text("<>/!ab= \"'&;-", max_size=200))
def test_no_markup_is_left_whole(markup: str) -> None:
    assert one_line(plain_text(markup)) == plain_text(markup)


@pytest.mark.parametrize(
    "attack",
    ["<" * 200_000, "<a " * 100_000, "<p" * 100_000, "<a b='" * 50_000, "&" * 200_000, "<!--" * 50_000],
)
def test_hostile_markup_is_read_to_its_end(attack: str) -> None:
    # Work that grows with the square of the length would not come to an end within a test's time.
    assert len(plain_text(attack * 3)) <= len(attack * 3)


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        ("short", 5, "short"),
        ("longer", 5, "long\u2026"),
        ("one two three four", 15, "one two three\u2026"),
        ("one twothreefourfive", 12, "one twothre\u2026"),
        ("", 5, ""),
    ],
)
def test_shorten(text: str, limit: int, expected: str) -> None:
    assert shorten(text, limit) == expected


@given(st.text(), st.integers(1, 100))
def test_what_is_shortened_fits_and_is_how_it_begins(text: str, limit: int) -> None:
    cut = shorten(text, limit)
    assert len(cut) <= limit
    assert cut == text or (cut.endswith("\u2026") and text.startswith(cut[:-1]))
    assert len(text) > limit or cut == text


def test_words_are_kept_whole_where_that_costs_little() -> None:
    text = "word " * 100
    assert re.fullmatch(r"(word )*word\u2026", shorten(text, 98))
