"""Slots of channels with a rate limit: whoever keeps to them keeps to the limit."""

import math
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifiers.pacing import TOLERANCE, give_slots, spacing
from tests.unit.notifiers.examples import NOON

rates = st.floats(0.01, 1_000) | st.integers(1, 100).map(float)
gaps = st.floats(0, 5).map(lambda seconds: timedelta(seconds=seconds))


def slots_of(rate: float, arrivals: list[tuple[timedelta, int]]) -> list[tuple[datetime, datetime]]:
    """Give slots to groups of deliveries that come one after the other; return (came, slot) of each."""
    now, free, given = NOON, None, []
    for gap, count in arrivals:
        now += gap
        slots = give_slots([None] * count, free, rate, now)
        free = slots.next_free
        given += [(now, slot) for slot in slots.given]
    return given


@given(rates, st.lists(st.tuples(gaps, st.integers(0, 30)), max_size=10), st.randoms(use_true_random=False))
def test_in_no_second_more_go_out_than_the_limit_says(
    rate: float, arrivals: list[tuple[timedelta, int]], chance: object
) -> None:
    late = getattr(chance, "random")  # noqa: B009 (hypothesis's type is private)
    sent = sorted(slot + TOLERANCE * late() for _came, slot in slots_of(rate, arrivals))
    most = math.ceil(rate)
    for first, one_too_many in zip(sent, sent[most:], strict=False):
        assert one_too_many - first > timedelta(seconds=1)


@given(rates, st.lists(st.tuples(gaps, st.integers(0, 30)), max_size=10))
def test_slots_are_in_order_never_in_the_past_and_at_once_when_the_channel_was_idle(
    rate: float, arrivals: list[tuple[timedelta, int]]
) -> None:
    before = None
    for came, slot in slots_of(rate, arrivals):
        assert slot >= came
        if before is None or before + spacing(rate) <= came:
            assert slot == came
        else:
            assert slot == before + spacing(rate)
        before = slot


@given(rates, st.lists(st.none() | st.integers(-5_000, 5_000), max_size=20), st.integers(-5_000, 50_000))
def test_reserved_slots_are_kept_until_they_have_passed(
    rate: float, reserved: list[int | None], free: int
) -> None:
    had = [None if ms is None else NOON + timedelta(milliseconds=ms) for ms in reserved]
    next_free = NOON + timedelta(milliseconds=free)
    slots = give_slots(had, next_free, rate, NOON)
    made = []
    for before, slot in zip(had, slots.given, strict=True):
        if before is not None and before >= NOON - TOLERANCE:
            assert slot == before
        else:
            made.append(slot)
    expected = [max(next_free, NOON) + spacing(rate) * number for number in range(len(made))]
    assert made == expected
    assert slots.next_free == (expected[-1] + spacing(rate) if made else next_free)


def test_nothing_to_give_reserves_nothing() -> None:
    assert (give_slots([], None, 5, NOON).given, give_slots([], None, 5, NOON).next_free) == ([], None)


@pytest.mark.parametrize(("rate", "seconds"), [(0.5, 2.08), (1, 1.08), (10, 0.108), (100, 0.0108)])
def test_the_limit_is_nearly_used_up(rate: float, seconds: float) -> None:
    assert spacing(rate).total_seconds() == pytest.approx(seconds)
