"""How text is cut into tokens."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.query import fold, tokenize
from core.query.tokens import MAX_MARKS, comparable
from tests.unit.router.matching_oracle import VOCABULARY, plain_tokens


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Breaking News", ["breaking", "news"]),
        ("", []),
        ("!!! – … 🚀 _", []),
        ("C, C++ and C#", ["c", "c++", "and", "c#"]),
        ("F# (.NET) on .NET, ASP.NET", ["f#", ".net", "on", ".net", "asp", "net"]),
        ("domain.net ...net .nets .network", ["domain", "net", "net", "nets", "network"]),
        ("C++17 C++-style C+++ c#10", ["c++", "17", "c++", "style", "c++", "c#", "10"]),
        ("A+ Google+ Disney+'s 50+", ["a", "+", "google", "+", "disney", "+", "s", "50", "+"]),
        ("1+1 a+b + +x ʼ+ \u0301+", ["1", "1", "a", "b", "x"]),
        ("PR#12 abc#", ["pr", "12", "abc"]),
        ("#AI @openai #C++ $AAPL", ["ai", "openai", "c++", "aapl"]),
        ("rabbit-hole node.js U.S.", ["rabbit", "hole", "node", "js", "u", "s"]),
        ("don't don’t donʼt", ["don", "t"] * 3),
        ("OpenAI's l'Oréal", ["openai", "s", "l", "oréal"]),
        ("snake_case AT&T", ["snake", "case", "at", "t"]),
        ("Straße STRASSE ΣΊΣΥΦΟΣ", ["strasse", "strasse", "σίσυφοσ"]),
        ("ｆｕｌｌ ﬁne №5 ²", ["full", "fine", "no5", "2"]),
        ("हिन्दी İstanbul x̌y", ["हिन्दी", "i̇stanbul", "x̌y"]),
        ("´tick", ["tick"]),
        ("हिन्दी.NET 中.NET", ["हिन्दी", "net", "中", "net"]),
        ("東京タワー iPhone手机", ["東", "京", "タ", "ワ", "ー", "iphone", "手", "机"]),
        ("ﾊﾟﾝ 第5代", ["パ", "ン", "第", "5", "代"]),
        ("ที่นี่", ["ที่", "นี่"]),
        ("ລາວ ខ្មែរ မြန်မာ", ["ລ", "າ", "ວ", "ខ្", "មែ", "រ", "မြ", "န်", "မာ"]),
        ("한국어 뉴스", ["한국어", "뉴스"]),
        ("Bundes\u00adtag می\u200cخواهم \ufeffx\u200by", ["bundestag", "میخواهم", "x", "y"]),
        ("OpenAI™ Foo℠", ["openai", "foo"]),
        ("a\0b \ud800 c", ["a", "b", "c"]),
    ],
)
def test_text_is_cut_into(text: str, tokens: list[str]) -> None:
    assert tokenize(text) == tokens


def test_names_are_compared_without_case_spacing_or_what_cannot_be_stored() -> None:
    assert comparable("  The\tVerge\0 \ud800") == "the verge \ufffd"


def test_folding_every_character_once_is_enough() -> None:
    assert all(fold(fold(chr(code))) == fold(chr(code)) for code in range(0x20000))


def test_every_mark_stays_in_its_word() -> None:
    marks = (chr(code) for code in range(0x1F000) if unicodedata.category(chr(code)).startswith("M"))
    visible = [mark for mark in marks if fold(f"x{mark}") != "x"]
    assert len(visible) > 2_000
    assert [mark for mark in visible if len(tokenize(f"x{mark}y")) != 1] == []


_TEXTS = st.text(st.sampled_from("aAcC+#.-' \u2019#@1٣éÉßİ\u0301\u0323東ッ\u3099กั\u0e33हि्n et\u00ad🚀™"))


@settings(deadline=None, max_examples=300)
@given(_TEXTS | st.text())
def test_tokens_are_the_same_in_every_normalization_and_case(text: str) -> None:
    tokens = tokenize(text)
    assert tokenize(unicodedata.normalize("NFD", text)) == tokens
    assert tokenize(unicodedata.normalize("NFC", text)) == tokens
    assert tokenize(text.casefold()) == tokens


@settings(deadline=None, max_examples=300)
@given(_TEXTS | st.text())
def test_tokens_are_stable(text: str) -> None:
    for token in tokenize(text):
        assert token
        assert " " not in token
        assert "".join(tokenize(token)) == token or token == "+"


@settings(deadline=None, max_examples=200)
@given(st.lists(st.sampled_from([*VOCABULARY, "+", "#", ".", " ", "-", "'"])).map("".join))
def test_tokens_equal_those_cut_one_character_at_a_time(text: str) -> None:
    assert tokenize(text) == plain_tokens(text)


@pytest.mark.parametrize(
    "piece",
    [
        "\u0301\u0323",
        "+",
        ".",
        ".net",
        "-",
        "c#",
        "a+",
        "a\u0301",
        "x\u0323\u0301",
        "ก\u0e31",
        "\u0344",
        "\ufdfa",
    ],
)
def test_hostile_text_is_cut_in_linear_time(piece: str) -> None:
    """Sorting a run of a million marks as one would take minutes, beyond the time limit of a test."""
    assert len(tokenize("a" + piece * 100_000 + " end")) >= 1


def test_a_tower_of_marks_is_lowered() -> None:
    assert tokenize("e" + "\u0323" * 1_000 + "nd") == ["ẹ" + "\u0323" * (MAX_MARKS - 1) + "nd"]
