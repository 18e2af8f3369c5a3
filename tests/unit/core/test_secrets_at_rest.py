"""Secrets at rest and the keys derived for them."""

import hmac

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import ClarionError, ConfigurationError
from core.signing import SecretBox, UndecryptableSecret, derive_key

OLD_KEY, NEW_KEY = "an old key of at least 32 characters", "ein neuer Schlüssel der lang genug ist"
BOX = SecretBox.from_setting(OLD_KEY)


@given(st.text(st.characters(exclude_categories=["Cs"])))
@settings(deadline=None)
def test_what_was_encrypted_is_decrypted(secret: str) -> None:
    stored = BOX.encrypt(secret)
    assert stored.isascii()
    assert BOX.decrypt(stored) == secret


def test_equal_secrets_do_not_look_equal() -> None:
    assert BOX.encrypt("whsec_x") != BOX.encrypt("whsec_x")
    assert "whsec_x" not in BOX.encrypt("whsec_x")


def test_keys_are_rotated() -> None:
    old = BOX.encrypt("whsec_x")
    rotated = SecretBox.from_setting(f" {NEW_KEY} , {OLD_KEY} ")
    assert rotated.decrypt(old) == "whsec_x"
    new = rotated.encrypt("whsec_x")
    assert SecretBox.from_setting(NEW_KEY).decrypt(new) == "whsec_x"
    with pytest.raises(UndecryptableSecret):
        BOX.decrypt(new)


@pytest.mark.parametrize("stored", ["", "whsec_x", "gAAAAA", "ä" * 100])
def test_what_no_key_fits_names_the_setting(stored: str) -> None:
    with pytest.raises(ClarionError, match="CLARION_SECRET_KEY"):
        BOX.decrypt(stored)


@given(st.integers(0, 80), st.integers(1, 255))
def test_altered_secrets_are_refused(place: int, change: int) -> None:
    stored = BOX.encrypt("whsec_0123456789")
    altered = stored[:place] + chr(ord(stored[place]) ^ change) + stored[place + 1 :]
    with pytest.raises(UndecryptableSecret):
        BOX.decrypt(altered)


@pytest.mark.parametrize("setting", ["", "short", f"{OLD_KEY},", f"{OLD_KEY},short", "x" * 31])
def test_short_and_missing_keys_are_refused(setting: str) -> None:
    with pytest.raises(ConfigurationError, match="CLARION_SECRET_KEY: every key in it needs at least 32"):
        SecretBox.from_setting(setting)


def test_keys_are_derived_for_a_purpose_and_stay_the_same() -> None:
    keys = {derive_key(secret, purpose) for secret in (OLD_KEY, NEW_KEY) for purpose in ("a", "b", "ab")}
    assert len(keys) == 6
    assert {len(key) for key in keys} == {32}
    extracted = hmac.digest(b"clarion", OLD_KEY.encode(), "sha256")
    assert derive_key(OLD_KEY, "a") == hmac.digest(extracted, b"a\x01", "sha256")
