"""Headlines that tell one story, and those that say too little to tell any."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.headlines import story_of

HEADLINE = "Saudi state behind piracy TV operation: WTO ruling"


@pytest.mark.parametrize(
    ("title", "publisher"),
    [
        (HEADLINE, None),
        ("SAUDI STATE BEHIND PIRACY TV OPERATION: WTO RULING", None),
        ("Saudi state behind \u201cpiracy\u201d TV operation; WTO ruling!", None),
        (f"{HEADLINE} - Al Jazeera English", "Al Jazeera English"),
        (f"{HEADLINE} - Aljazeera.com", "www.aljazeera.com"),
        (f"{HEADLINE} | The Northern Daily Leader", "Google News"),
        (f"{HEADLINE} - Yahoo News - The Northern Daily Leader", "The Northern Daily Leader"),
    ],
)
def test_one_story_however_it_is_written_and_whoever_tells_it(title: str, publisher: str | None) -> None:
    assert story_of(title, publisher) == story_of(HEADLINE)
    assert story_of(HEADLINE) is not None


@pytest.mark.parametrize(
    "title",
    [
        "Saudi state not behind piracy TV operation: WTO ruling",
        "WTO ruling: Saudi state behind piracy TV operation",
        f"{HEADLINE} - and what follows from it",
        f"{HEADLINE} - The Five Things You Should Remember",
    ],
)
def test_other_words_are_another_story(title: str) -> None:
    assert story_of(title) not in (None, story_of(HEADLINE))


@pytest.mark.parametrize(
    "title",
    [
        "",
        "Live updates",
        "Morning briefing",
        "Coronavirus latest: at a glance - The Guardian",
        "Evening news briefing from CNN",
        "News from around the world",
        "Quickly catch up on the day's news",
        "Coronavirus: live updates, Monday 3 - Al Jazeera English",
        "Apple, Apple, Apple and Apple again today",
        "A B C D E F",
        "\u4eca\u65e5\u306e\u30cb\u30e5\u30fc\u30b9",
    ],
)
def test_a_headline_that_says_too_little_tells_no_story(title: str) -> None:
    assert story_of(title) is None


def test_scripts_without_spaces_tell_stories_too() -> None:
    headline = (
        "\u65e5\u672c\u9280\u884c\u3001\u653f\u7b56\u91d1\u5229\u30920.5%\u306b\u5f15\u304d\u4e0a\u3052"
    )
    assert story_of(headline) == story_of(
        f"{headline} - \u671d\u65e5\u65b0\u805e", "\u671d\u65e5\u65b0\u805e"
    )
    assert story_of(headline) is not None


@given(st.text(max_size=120), st.text(max_size=20))
def test_any_title_has_a_fingerprint_of_fixed_length_or_none(title: str, publisher: str) -> None:
    story = story_of(title, publisher)
    assert story is None or len(story) == 32
    assert story_of(title.upper().lower(), publisher) == story_of(title.lower().upper().lower(), publisher)


WORDS = st.lists(st.text("bcdfghklmnprtvw", min_size=4, max_size=9), min_size=4, max_size=9, unique=True)


@given(WORDS, st.sampled_from(["", " - CNN", " | The Paper", " \u2013 Daily Mail Online"]))
def test_a_publisher_behind_a_headline_makes_no_difference(words: list[str], suffix: str) -> None:
    headline = " ".join(words).capitalize()
    assert story_of(headline + suffix) == story_of(headline) is not None
