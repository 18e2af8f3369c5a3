"""Tokens in mails: for one channel at one address, for one purpose, and not to be altered."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.ids import new_id
from core.mail_links import MailLinks
from core.signing import Addressee, MailPurpose, MailTokens

OLD, NEW = "o" * 32, "n" * 32
CHANNEL = new_id("ch")
HASH = "0123456789abcdef" * 4
TOKENS = MailTokens(NEW)


@pytest.mark.parametrize("purpose", MailPurpose)
def test_a_token_says_for_whom_it_is(purpose: MailPurpose) -> None:
    token = TOKENS.make(purpose, CHANNEL, HASH)
    assert TOKENS.read(purpose, token) == Addressee(CHANNEL, HASH[:6])
    assert len(token) == 53
    assert token.replace("-", "").replace("_", "").replace(".", "").isalnum()


def test_a_token_of_one_purpose_is_none_of_another() -> None:
    token = TOKENS.make(MailPurpose.UNSUBSCRIBE, CHANNEL, HASH)
    assert [TOKENS.read(purpose, token) is not None for purpose in MailPurpose] == [False, True, False]


@given(st.integers(0, 52), st.characters())
def test_a_token_with_another_character_is_none(place: int, character: str) -> None:
    token = TOKENS.make(MailPurpose.CONFIRM, CHANNEL, HASH)
    altered = token[:place] + character + token[place + 1 :]
    assert (TOKENS.read(MailPurpose.CONFIRM, altered) is None) == (altered != token)


@given(st.text())
def test_other_text_is_no_token(text: str) -> None:
    assert TOKENS.read(MailPurpose.CONFIRM, text) is None
    assert TOKENS.read_return_path(text) is None


def test_tokens_outlive_a_rotation_as_long_as_their_key_is_kept() -> None:
    before, during = MailTokens(OLD), MailTokens(f"{NEW},{OLD}")
    token = before.make(MailPurpose.MANAGE, CHANNEL, HASH)
    path = before.return_path("bounces@example.com", CHANNEL, HASH)
    assert during.read(MailPurpose.MANAGE, token) == during.read_return_path(path) != None  # noqa: E711
    assert TOKENS.read(MailPurpose.MANAGE, token) is None
    assert TOKENS.read_return_path(path) is None
    assert during.make(MailPurpose.MANAGE, CHANNEL, HASH) == TOKENS.make(MailPurpose.MANAGE, CHANNEL, HASH)


def test_a_token_knows_whether_the_address_is_another_by_now() -> None:
    addressee = Addressee(CHANNEL, HASH[:6])
    assert addressee.is_at(HASH)
    assert not addressee.is_at("f" * 64)


def test_return_paths_fit_into_an_address_and_survive_capitals() -> None:
    path = TOKENS.return_path("fifteen.letters@example.com", CHANNEL, HASH)
    assert len(path.partition("@")[0]) == 64  # RFC 5321, section 4.5.3.1.1
    for spelling in (path, path.upper(), path.lower()):
        assert TOKENS.read_return_path(spelling) == Addressee(CHANNEL, HASH[:6])


@given(st.integers(0, 47), st.sampled_from("0123456789abcdefghijklmnopqrstuvwxyz"))
def test_an_altered_return_path_is_none_of_ours(place: int, character: str) -> None:
    path = TOKENS.return_path("b@example.com", CHANNEL, HASH)
    altered = path[: 2 + place] + character + path[3 + place :]
    assert (TOKENS.read_return_path(altered) is None) == (altered != path)


def test_a_link_leads_to_the_page_of_its_purpose() -> None:
    link = MailLinks("https://news.example.com", TOKENS).link(MailPurpose.CONFIRM, CHANNEL, HASH)
    start, _, token = link.rpartition("/")
    assert start == "https://news.example.com/mail/confirm"
    assert TOKENS.read(MailPurpose.CONFIRM, token) == Addressee(CHANNEL, HASH[:6])
