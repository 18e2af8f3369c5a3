"""Signed tokens: only what was made for a purpose is read for it."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ConfigurationError
from core.signing import ExpiredToken, InvalidToken, SignedTokens

NOW = datetime(2025, 3, 1, 12, tzinfo=UTC)
OLD_KEY, NEW_KEY = "o" * 32, "n" * 32
TOKENS = SignedTokens.from_setting(OLD_KEY)
payloads = st.text(st.characters(exclude_categories=["Cs"])) | st.lists(st.text("abcé…", max_size=20))


@given(payloads)
def test_what_was_made_is_read(payload: str | list[str]) -> None:
    token = TOKENS.make(payload, "confirm", now=NOW)
    assert TOKENS.read(token, "confirm", now=NOW) == payload
    assert all(character.isalnum() or character in "-_." for character in token)


@given(st.data())
def test_altered_tokens_are_refused(data: st.DataObject) -> None:
    token = TOKENS.make(["ch_1", "reader@news.example"], "confirm", now=NOW)
    place = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.characters(exclude_characters=token[place]) | st.just(""))
    with pytest.raises(InvalidToken):
        TOKENS.read(token[:place] + other + token[place + 1 :], "confirm", now=NOW)


@given(st.text())
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(InvalidToken):
        TOKENS.read(text, "confirm", now=NOW)


def test_a_token_for_another_purpose_is_refused() -> None:
    token = TOKENS.make("ch_1", "confirm", now=NOW)
    with pytest.raises(InvalidToken):
        TOKENS.read(token, "unsubscribe", now=NOW)


def test_keys_are_rotated() -> None:
    old = TOKENS.make("ch_1", "confirm", now=NOW)
    rotated = SignedTokens.from_setting(f"{NEW_KEY}, {OLD_KEY}")
    assert rotated.read(old, "confirm", now=NOW) == "ch_1"
    new = rotated.make("ch_1", "confirm", now=NOW)
    assert new == SignedTokens.from_setting(NEW_KEY).make("ch_1", "confirm", now=NOW)
    with pytest.raises(InvalidToken):
        TOKENS.read(new, "confirm", now=NOW)


def test_age_is_bounded_where_asked() -> None:
    token = TOKENS.make("ch_1", "confirm", now=NOW)
    day = timedelta(days=1)
    assert TOKENS.read(token, "confirm", now=NOW + day, max_age=day) == "ch_1"
    with pytest.raises(ExpiredToken, match="too old"):
        TOKENS.read(token, "confirm", now=NOW + day + timedelta(seconds=1), max_age=day)
    assert TOKENS.read(token, "confirm", now=NOW + 1_000 * day) == "ch_1"


def test_short_keys_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="CLARION_SECRET_KEY"):
        SignedTokens.from_setting(f"{OLD_KEY},short")
