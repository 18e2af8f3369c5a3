"""What a text says apart from how it is written."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fetcher.wording import without_outlet, wording

ALIKE = [
    ("front-line", "frontline", "front line", "front\u2013line", "front\u00adline", "Front\u200bline"),
    ("190,000 die", "190000 die", "190'000 die", "190\u2019000 Die!"),
    ("a 6-0 win", "a 6\u20130 win", "a 6 - 0 win", "a 6\u22120 win"),
    ("“Quoted” words", '"Quoted" words', "«Quoted» words", "'Quoted', words", "`Quoted` words…"),
    ("AT&T", "AT&amp;T", "AT and T"),
    ("Barçelona", "Barcelona", "BARC\u0327ELONA"),
    ("\ufb01ne ½", "fine 1\u20442"),
    ("Straße", "STRASSE"),
    ("🔴 Live (again)", "Live again", "Live: again"),
    ("ガス料金", "ガス、料金"),
    ("नमस्ते दुनिया", "नमस्ते, दुनिया।"),
]
APART = [
    ("C++", "C#", "C"),
    ("50 %", "50", "$50", "5.0", "5:0", "5-0", "5,0", "5 0"),
    ("It is out", "It is out?"),
    ("が", "か"),
    ("की", "का", "क"),
    ("1,000", "1,00", "1.000"),
]


@pytest.mark.parametrize("texts", ALIKE)
def test_the_same_words_are_the_same(texts: tuple[str, ...]) -> None:
    assert len({wording(text) for text in texts}) == 1, [wording(text) for text in texts]


@pytest.mark.parametrize("texts", APART)
def test_other_words_are_others(texts: tuple[str, ...]) -> None:
    assert len({wording(text) for text in texts}) == len(texts), [wording(text) for text in texts]


@given(st.text(max_size=60))
def test_no_text_breaks_it_and_spaces_and_forms_do_not_count(text: str) -> None:
    said = wording(text)
    assert wording(f"  {text}\t") == said
    assert wording(unicodedata.normalize("NFC", text)) == wording(unicodedata.normalize("NFD", text))


@pytest.mark.parametrize(
    "suffix",
    [
        "- Gold Coast Bulletin",
        "| World News",
        "\u2013 Ars Technica",
        "— Devon Live",
        "· msnNOW",
        "- 9TheFIX",
        "- The Age",
        "- Echo",
    ],
)
def test_what_looks_like_an_outlet_is_taken_off(suffix: str) -> None:
    assert without_outlet(f"Face masks become compulsory {suffix}") == "Face masks become compulsory"
    assert (
        without_outlet(f"Face masks become compulsory | Mint News {suffix}") == "Face masks become compulsory"
    )


@pytest.mark.parametrize(
    "title",
    [
        "Face masks become compulsory",
        "Face masks - Compulsory Masks",
        "Face masks become compulsory - Updated",
        "Face masks become compulsory - as of today",
        "Face masks become compulsory - Say All Six Of These Words",
        "Face masks become compulsory-The Age",
        "- The Age",
        " | ",
    ],
)
def test_what_looks_like_a_part_of_the_title_stays(title: str) -> None:
    assert without_outlet(title) == title
