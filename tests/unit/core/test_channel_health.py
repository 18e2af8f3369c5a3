"""Which tries change what is known of a channel's health."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Reason
from core.store.channel_health import Tried, worth_noting

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
PATIENCE = timedelta(days=5)
LATELY, LONG_AGO = NOON - timedelta(days=4), NOON - PATIENCE


def tried(reason: Reason | None, since: datetime | None = None, channel: str = "ch_1") -> Tried:
    return Tried(channel, reason is None, reason, since)


@pytest.mark.parametrize(
    ("one", "noted"),
    [
        (tried(None), False),
        (tried(Reason.TIMEOUT), True),
        (tried(Reason.THROTTLED), True),
        (tried(Reason.GONE), True),
        (tried(None, LATELY), True),
        (tried(Reason.TIMEOUT, LATELY), False),
        (tried(Reason.GONE, LATELY), True),
        (tried(None, LONG_AGO), True),
        (tried(Reason.TIMEOUT, LONG_AGO), True),
        (tried(Reason.TIMEOUT, LONG_AGO + timedelta(microseconds=1)), False),
    ],
)
def test_only_changes_are_worth_noting(one: Tried, noted: bool) -> None:
    assert worth_noting([one], NOON, PATIENCE) == ([one] if noted else [])


GONE, FAILED, FINE = tried(Reason.GONE, LATELY), tried(Reason.DNS), tried(None, LATELY)


@pytest.mark.parametrize(
    ("together", "counts"),
    [
        ([FAILED, FINE], FINE),
        ([FINE, FAILED], FINE),
        ([FINE, GONE, FAILED], GONE),
        ([GONE, FINE], GONE),
        ([FAILED, GONE], GONE),
    ],
)
def test_of_a_channel_a_410_counts_first_then_a_success(together: list[Tried], counts: Tried) -> None:
    assert worth_noting(together, NOON, PATIENCE) == [counts]


channels = st.sampled_from(["ch_1", "ch_2", "ch_3"])
tries = st.builds(
    tried,
    st.sampled_from([None, Reason.GONE, Reason.TIMEOUT]),
    st.sampled_from([None, LATELY, LONG_AGO]),
    channels,
)


@given(st.lists(tries, max_size=20))
def test_a_channel_is_noted_once_and_by_itself(together: list[Tried]) -> None:
    noted = worth_noting(together, NOON, PATIENCE)
    names = [one.channel_id for one in noted]
    assert len(names) == len(set(names))
    for name in ("ch_1", "ch_2", "ch_3"):
        alone = worth_noting([one for one in together if one.channel_id == name], NOON, PATIENCE)
        assert alone == [one for one in noted if one.channel_id == name]
