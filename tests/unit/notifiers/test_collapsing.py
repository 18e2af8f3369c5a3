"""Which articles of a burst go at once, which wait, and which are told together."""

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.store.claims import Claimed
from notifiers.collapsing import Way, way_of
from tests.unit.notifiers.examples import NOON


def row(came: datetime = NOON, **fields: Any) -> Claimed:
    known: dict[str, Any] = {
        "id": "dlv_1",
        "article_day": date(2026, 3, 1),
        "account_id": "acc_1",
        "channel_id": "ch_1",
        "article_id": "art_1",
        "version": 1,
        "event": "article.published",
        "matched": [["sub_1", "q"]],
        "matched_total": 1,
        "attempts": 0,
        "step": 0,
        "slot_at": None,
        "sequence": 7,
        "created_at": came,
    }
    return Claimed(**(known | fields))


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("came", "until", "now", "way"),
    [
        (0, None, 0, Way.FIRST),
        (0, None, 500, Way.FIRST),
        (10, 10, 10, Way.FIRST),
        (60, 10, 60, Way.FIRST),
        (5, 10, 5, Way.LATER),
        (5, 10, 9.99, Way.LATER),
        (-100, 10, 5, Way.LATER),
        (5, 10, 10, Way.TOGETHER),
        (5, 10, 500, Way.TOGETHER),
    ],
)
def test_a_window_decides(came: float, until: float | None, now: float, way: Way) -> None:
    assert way_of(row(at(came)), 10.0, None if until is None else at(until), at(now)) is way


@pytest.mark.parametrize("until", [None, at(-5), at(5)])
def test_a_message_that_was_decided_stays_as_it_is(until: datetime | None) -> None:
    for seconds in (10.0, None):
        assert way_of(row(message_id="msg_1", attempts=3), seconds, until, NOON) is Way.AS_BEFORE


@pytest.mark.parametrize("seconds", [None, 0.0])
def test_without_a_window_each_goes_by_itself(seconds: float | None) -> None:
    assert way_of(row(), seconds, at(5), NOON) is Way.BY_ITSELF


def test_what_is_in_no_line_goes_by_itself() -> None:
    assert way_of(row(sequence=None), 10.0, at(5), NOON) is Way.BY_ITSELF


moments = st.integers(-100, 100).map(at)


@given(moments, st.none() | moments, moments)
def test_nothing_waits_for_a_window_that_is_over(
    came: datetime, until: datetime | None, now: datetime
) -> None:
    if way_of(row(came), 10.0, until, now) is Way.LATER:
        assert until is not None
        assert now < until


@pytest.mark.parametrize(
    ("living", "total", "wanted"),
    [({"sub_1"}, 1, True), (set(), 1, False), ({"sub_2"}, 1, False), (set(), 2, True)],
)
def test_what_one_living_or_unknown_subscription_wants_is_wanted(
    living: set[str], total: int, wanted: bool
) -> None:
    assert row(matched_total=total).is_wanted(living) is wanted
