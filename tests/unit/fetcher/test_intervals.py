"""When a source is polled next."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fetcher.intervals import (
    LONGEST_SECONDS,
    SHORTEST_SECONDS,
    Rhythm,
    Wishes,
    backoff,
    cooling,
    first_rhythm,
    interval,
    pause,
)

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
DAY = 86_400.0
WEEK = timedelta(days=7)


def decided(rhythm: float | None = None, **wishes: Any) -> tuple[float, str]:
    """Return interval and reason for a source of so many articles a week."""
    known = {"default": 900.0, "shortest": 300.0}
    found = interval(Wishes(**known | wishes), None if rhythm is None else Rhythm(rhythm, NOON), NOON)
    return round(found.seconds), found.because.value


@pytest.mark.parametrize(
    ("rhythm", "wishes", "expected"),
    [
        pytest.param(None, {}, (900, "default"), id="nothing known"),
        pytest.param(7.0, {}, (8_640, "adaptive"), id="one a day: ten polls a day"),
        pytest.param(168.0, {}, (360, "adaptive"), id="one an hour"),
        pytest.param(100_000.0, {}, (300, "adaptive"), id="never more often than 5 minutes"),
        pytest.param(0.0, {}, (86_400, "adaptive"), id="never more seldom than a day"),
        pytest.param(100_000.0, {"shortest": 1_800.0}, (1_800, "adaptive"), id="a kind's quota"),
        pytest.param(None, {"hinted": 3_600.0}, (3_600, "ttl"), id="ttl"),
        pytest.param(7.0, {"hinted": 3_600.0}, (8_640, "adaptive"), id="ttl does not hasten"),
        pytest.param(None, {"hinted": 10.0}, (900, "default"), id="a short ttl"),
        pytest.param(None, {"hinted": 1e9}, (86_400, "ttl"), id="ttl of years"),
        pytest.param(168.0, {"cached": 7_200.0}, (7_200, "cache"), id="cache"),
        pytest.param(168.0, {"cached": 0.0}, (360, "adaptive"), id="not to be kept"),
        pytest.param(None, {"cached": 1e9}, (86_400, "cache"), id="cached for years"),
        pytest.param(None, {"cached": 7_200.0, "hinted": 3_600.0}, (7_200, "cache"), id="cache over ttl"),
        pytest.param(None, {"cached": 3_600.0, "hinted": 7_200.0}, (7_200, "ttl"), id="ttl over cache"),
        pytest.param(7.0, {"own": 60.0, "cached": 7_200.0}, (60, "yours"), id="its owner's wish"),
        pytest.param(1e5, {"own": 604_800.0}, (604_800, "yours"), id="its owner's patience"),
    ],
)
def test_how_often(rhythm: float | None, wishes: dict[str, float], expected: tuple[float, str]) -> None:
    assert decided(rhythm, **wishes) == expected


seconds = st.one_of(st.none(), st.floats(0, 1e9))


@given(st.one_of(st.none(), st.floats(0, 1e9)), seconds, seconds)
def test_without_an_owners_wish_it_is_five_minutes_to_a_day_and_no_less_than_asked(
    rhythm: float | None, hinted: float | None, cached: float | None
) -> None:
    found, _ = decided(rhythm, hinted=hinted, cached=cached)
    assert SHORTEST_SECONDS <= found <= LONGEST_SECONDS
    for asked in (hinted, cached):
        assert asked is None or found >= min(round(asked), LONGEST_SECONDS)


@given(st.floats(0, 1e6), st.floats(0, 1e6))
def test_who_publishes_more_is_not_polled_more_seldom(one: float, another: float) -> None:
    less, more = sorted((one, another))
    assert decided(more)[0] <= decided(less)[0]


# --- the rhythm


def test_too_few_dates_show_no_rhythm() -> None:
    assert first_rhythm([], NOON) is None
    assert first_rhythm([NOON], NOON) is None
    assert first_rhythm([None, None, NOON], NOON) is None


@pytest.mark.parametrize(
    ("ages", "per_week"),
    [
        pytest.param([timedelta(days=day) for day in range(20)], 8, id="a week is in sight"),
        pytest.param([timedelta(hours=hour) for hour in range(0, 48, 4)], 45.8, id="only two days are"),
        pytest.param([timedelta(minutes=minute) for minute in range(15)], 105, id="only minutes are"),
        pytest.param([timedelta(days=300), timedelta(days=400)], 0, id="a blog that sleeps"),
        pytest.param([timedelta(0), timedelta(days=4_000)], 1, id="an old post on top"),
    ],
)
def test_the_first_document_shows_a_rhythm(ages: list[timedelta], per_week: float) -> None:
    found = first_rhythm([NOON - age for age in ages], NOON)
    assert found is not None
    assert found.per_week(NOON) == pytest.approx(per_week, abs=0.1)


def test_what_was_published_fades() -> None:
    rhythm = Rhythm(70.0, NOON)
    assert rhythm.per_week(NOON + WEEK) == pytest.approx(70 / 2.718, rel=0.01)
    assert rhythm.per_week(NOON + 20 * WEEK) < 0.001
    assert rhythm.per_week(NOON - WEEK) == 70  # a clock that was set back


@pytest.mark.parametrize("hours", [0.25, 1, 6, 24])
def test_a_steady_rhythm_is_found_whatever_one_starts_from(hours: float) -> None:
    rhythm, now = Rhythm(1_000.0, NOON), NOON
    for _ in range(round(10 * 168 / hours)):
        now += timedelta(hours=hours)
        rhythm = rhythm.after(1, now)
    assert rhythm.per_week(now) == pytest.approx(168 / hours, rel=0.15, abs=0.6)


@given(st.lists(st.tuples(st.integers(0, 500), st.floats(-100, 1_000_000)), max_size=50))
def test_a_rhythm_is_never_less_than_nothing(polls: list[tuple[int, float]]) -> None:
    rhythm, now = Rhythm(0.0, NOON), NOON
    for new, later in polls:
        now += timedelta(seconds=later)
        rhythm = rhythm.after(new, now)
    assert 0 <= rhythm.per_week(now) <= sum(new for new, _ in polls)


# --- failures


@pytest.mark.parametrize(
    ("failures", "expected"),
    [(0, 60), (1, 60), (2, 120), (3, 240), (11, 61_440), (12, DAY), (13, DAY), (1_000_000, DAY)],
)
def test_the_backoff_doubles_up_to_a_day(failures: int, expected: float) -> None:
    assert backoff(failures) == expected


@pytest.mark.parametrize(
    ("failures", "asked", "expected"),
    [(1, None, 60), (1, 5, 300), (1, 3_600, 3_600), (1, 1e9, DAY), (10, 300, 30_720), (12, 5, DAY)],
)
def test_what_a_server_asks_for_counts_within_bounds(
    failures: int, asked: float | None, expected: float
) -> None:
    assert pause(failures, asked) == expected


@pytest.mark.parametrize(
    ("times", "asked", "expected"),
    [(1, None, 300), (2, None, 600), (3, None, 1_200), (99, None, DAY), (1, 5, 300), (9, 3_600, 3_600)],
)
def test_a_host_is_left_alone_longer_each_time(times: int, asked: float | None, expected: float) -> None:
    assert cooling(times, asked) == expected


@given(st.integers(0, 10**6), st.one_of(st.none(), st.floats(0, 1e12)))
def test_no_pause_is_longer_than_a_day(number: int, asked: float | None) -> None:
    assert 60 <= pause(number, asked) <= DAY
    assert 300 <= cooling(number, asked) <= DAY
