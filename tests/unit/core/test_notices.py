"""When a notice that was not told is tried again."""

from datetime import UTC, datetime, timedelta

import pytest

from core.store.notices import TRIES, names_channel, next_try

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(("failed", "minutes"), [(1, 1), (2, 2), (3, 4), (TRIES - 1, 256)])
def test_each_wait_is_twice_the_one_before(failed: int, minutes: int) -> None:
    assert next_try(failed, NOON) == NOON + timedelta(minutes=minutes)


def test_at_last_it_is_given_up() -> None:
    assert next_try(TRIES, NOON) is None


@pytest.mark.parametrize(
    ("contact", "channel"),
    [("ch_01M84CFSHMY4HJQPPMKQ9AZK02", True), ("owner@example.org", False), ("ch_1@example.org", False)],
)
def test_a_contact_is_a_channel_or_an_address(contact: str, channel: bool) -> None:
    assert names_channel(contact) == channel
