"""Where tokens stand in a text."""

import sys
import unicodedata
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.query import fold, tokenize
from core.query.places import places


@pytest.mark.parametrize(
    ("text", "stretches"),
    [
        ("", []),
        ("!!! – 🚀", []),
        ("Breaking news", ["Breaking", "news"]),
        ("Straße ﬁne ½", ["Straße", "ﬁne", "½", "½"]),
        ("İstanbul STRASSE", ["İstanbul", "STRASSE"]),
        ("cafe\u0301 – x\u030cy", ["cafe\u0301", "x\u030cy"]),
        ("C++17, C# (.NET) A+", ["C++", "17", "C#", ".NET", "A", "+"]),
        ("OpenAI’s AI-powered", ["OpenAI", "s", "AI", "powered"]),
        ("東京タワー ﾊﾟﾝ", ["東", "京", "タ", "ワ", "ー", "ﾊﾟ", "ﾝ"]),
        ("กำ ที่นี่", ["กำ", "กำ", "ที่", "นี่"]),
        ("\u1112\u1161\u11ab국", ["\u1112\u1161\u11ab국"]),
        ("Bundes\u00adtag OpenAI™!", ["Bundes\u00adtag", "OpenAI™"]),
        ("\ufeffone \u0301two ｔｗｏ", ["one", "two", "ｔｗｏ"]),
        ("α\u0345\u0301β", ["α\u0345\u0301β"]),
    ],
)
def test_the_stretch_of_each_token(text: str, stretches: list[str]) -> None:
    assert [text[place.start : place.end] for place in places(text)] == stretches


_TEXTS = st.text(
    st.sampled_from(
        "aAcC+#.-' \u2019#@1٣éÉßﬁİı½\u0301\u0323\u0345α東ッ\u3099ﾊﾟกั\u0e33हि्न et\u00ad\u200b🚀™\ufdfa"
    )
    | st.sampled_from("한\u1112\u1161\u11ab\u3164\uffa0ﾡￂ가\ufeff\u0bc6\u0bbe\ud800")
)


@settings(deadline=None, max_examples=500)
@given(_TEXTS | st.text())
def test_the_tokens_are_those_of_the_tokenizer(text: str) -> None:
    assert [place.token for place in places(text)] == tokenize(text)


@settings(deadline=None, max_examples=500)
@given(_TEXTS | st.text())
def test_a_place_is_what_its_token_was_made_of(text: str) -> None:
    found = places(text)
    for place in found:
        assert place.token in fold(text[place.start : place.end])
    for one, other in pairwise(found):
        assert (one.start, one.end) <= (other.start, other.end)
        assert one.end <= other.start or len(fold(text[other.start : one.end])) > 1


@settings(deadline=None, max_examples=500)
@given(_TEXTS | st.text())
def test_a_letter_is_never_cut_from_its_marks(text: str) -> None:
    for place in places(text):
        for edge in (place.start, place.end):
            assert edge in {0, len(text)} or not unicodedata.category(text[edge]).startswith("M")


def test_every_character_can_follow_every_kind_of_letter() -> None:
    """Whatever stands before a character, both are folded as they would be together."""
    before = ("x", "e\u0301", "\u1100", "가", "か", "ก", "\u0bc6", "+")
    for code in range(sys.maxunicode + 1):
        character = chr(code)
        if 0x3400 <= code < 0xD7A4 or code > 0x1FFFF or unicodedata.category(character) in {"Cn", "Co"}:
            continue
        text = before[code % len(before)] + character
        assert [place.token for place in places(text)] == tokenize(text), hex(code)


@pytest.mark.parametrize("piece", ["\u0301\u0323", "+", "é+", ".net", "ก\u0e31", "\ufdfa", "\u1161", "ﾟ"])
def test_hostile_text_takes_linear_time(piece: str) -> None:
    """Looking at every mark for every mark would take minutes, beyond the time limit of a test."""
    text = "a" + piece * 50_000 + " end"
    assert places(text)[-1] == ("end", len(text) - 3, len(text))
