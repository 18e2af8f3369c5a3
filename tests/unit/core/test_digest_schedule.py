"""When digests are due."""

from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.digest_schedule import WEEKDAYS, DigestSchedule, Every, is_zone, next_due, schedule_of

ZONES = (
    "America/New_York",
    "Europe/Berlin",
    "Europe/Dublin",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",  # half an hour of summer time
    "America/Santiago",  # clocks are put forward at midnight
    "Pacific/Apia",
    "Africa/Casablanca",
    "UTC",
)


def daily(at: str, zone: str) -> DigestSchedule:
    return DigestSchedule(Every.DAY, time.fromisoformat(at), zone)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def instants(schedule: DigestSchedule, after: datetime, count: int) -> list[datetime]:
    """Return what follows a time."""
    found = []
    for _ in range(count):
        after = next_due(schedule, after)
        found.append(after)
    return found


@pytest.mark.parametrize(
    ("schedule", "after", "due"),
    [
        (daily("09:00", "America/New_York"), "2026-03-07T00:00", "2026-03-07T14:00"),
        (daily("09:00", "America/New_York"), "2026-03-07T14:00", "2026-03-08T13:00"),
        (daily("09:00", "America/New_York"), "2026-10-31T13:00", "2026-11-01T14:00"),
        (daily("09:00", "Asia/Kathmandu"), "2026-03-07T00:00", "2026-03-07T03:15"),
        (daily("02:30", "America/New_York"), "2026-03-07T07:30", "2026-03-08T07:30"),  # 03:30 there
        (daily("02:30", "America/New_York"), "2026-03-08T07:30", "2026-03-09T06:30"),
        (daily("01:30", "America/New_York"), "2026-10-31T05:30", "2026-11-01T05:30"),  # the first of two
        (daily("01:30", "America/New_York"), "2026-11-01T05:30", "2026-11-02T06:30"),
        (daily("00:00", "Europe/Berlin"), "2026-01-01T00:00", "2026-01-01T23:00"),
        (daily("08:00", "Pacific/Kiritimati"), "2026-01-01T18:00", "2026-01-02T18:00"),
    ],
)
def test_a_day_has_one_by_its_own_clocks(schedule: DigestSchedule, after: str, due: str) -> None:
    assert next_due(schedule, at(after)) == at(due)


def test_a_day_that_a_country_skips_has_none() -> None:
    # Samoa went from 29 to 31 December 2011.
    assert instants(daily("08:00", "Pacific/Apia"), at("2011-12-29T00:00"), 3) == [
        at("2011-12-29T18:00"),
        at("2011-12-30T18:00"),
        at("2011-12-31T18:00"),
    ]


def test_a_week_has_one_on_its_day() -> None:
    schedule = DigestSchedule(Every.WEEK, time(8), "Europe/Berlin", "monday")
    assert instants(schedule, at("2026-03-18T12:00"), 3) == [
        at("2026-03-23T07:00"),
        at("2026-03-30T06:00"),
        at("2026-04-06T06:00"),
    ]


def test_hours_go_on_when_clocks_are_put_back_and_forward() -> None:
    back = instants(DigestSchedule(Every.HOUR, time(0, 15), "Europe/Berlin"), at("2026-10-24T23:00"), 4)
    assert back == [at("2026-10-24T23:15") + timedelta(hours=hours) for hours in range(4)]
    forward = instants(DigestSchedule(Every.HOUR, time(0, 15), "Europe/Berlin"), at("2026-03-29T00:00"), 4)
    assert forward == [at("2026-03-29T00:15") + timedelta(hours=hours) for hours in range(4)]


def test_a_quarter_past_is_one_by_the_clocks_of_the_zone() -> None:
    schedule = DigestSchedule(Every.HOUR, time(0, 15), "Asia/Kathmandu")
    assert next_due(schedule, at("2026-03-07T00:00")) == at("2026-03-07T00:30")


moments = st.integers(0, 17 * 365 * 24 * 60).map(
    lambda minutes: at("2020-01-01") + timedelta(minutes=minutes)
)
times = st.times().map(lambda value: value.replace(second=0, microsecond=0, tzinfo=None))


@given(st.sampled_from(ZONES), times, moments)
def test_every_local_day_has_exactly_one(zone: str, when: time, after: datetime) -> None:
    schedule = DigestSchedule(Every.DAY, when, zone)
    found = instants(schedule, after, 400)
    assert all(earlier < later for earlier, later in pairwise([after, *found]))
    days = [instant.astimezone(ZoneInfo(zone)).date() for instant in found]
    assert all(later - earlier == timedelta(days=1) for earlier, later in pairwise(days))
    off = [instant for instant in found if instant.astimezone(ZoneInfo(zone)).time() != when]
    assert len(off) <= 2  # the days on which this hour is skipped


@given(st.sampled_from(ZONES), times, moments, st.sampled_from(WEEKDAYS))
def test_every_local_week_has_exactly_one(zone: str, when: time, after: datetime, weekday: str) -> None:
    found = instants(DigestSchedule(Every.WEEK, when, zone, weekday), after, 60)
    days = [instant.astimezone(ZoneInfo(zone)).date() for instant in found]
    assert found[0] > after
    assert {WEEKDAYS[day.weekday()] for day in days} == {weekday}
    assert all(later - earlier == timedelta(days=7) for earlier, later in pairwise(days))


@given(st.sampled_from(ZONES), times, moments)
def test_every_hour_has_exactly_one(zone: str, when: time, after: datetime) -> None:
    found = instants(DigestSchedule(Every.HOUR, when, zone), after, 200)
    assert all(earlier < later for earlier, later in pairwise([after, *found]))
    hours = [instant.astimezone(ZoneInfo(zone)) for instant in found]
    named = [(one.date(), one.hour, one.utcoffset()) for one in hours]
    assert len(set(named)) == len(named)
    assert all(later - earlier <= timedelta(minutes=90) for earlier, later in pairwise(found))


@given(st.sampled_from(ZONES), times, moments, st.sampled_from(Every))
def test_the_same_is_due_whenever_it_is_asked_before(
    zone: str, when: time, after: datetime, every: Every
) -> None:
    schedule = DigestSchedule(every, when, zone, "friday" if every is Every.WEEK else None)
    due = next_due(schedule, after)
    assert next_due(schedule, after + (due - after) / 2) == due
    assert next_due(schedule, due) > due


@given(st.sampled_from(Every), times, st.sampled_from(ZONES), st.sampled_from(WEEKDAYS))
def test_what_is_stored_is_read_again(every: Every, when: time, zone: str, weekday: str) -> None:
    schedule = DigestSchedule(every, when, zone, weekday if every is Every.WEEK else None)
    assert schedule_of(schedule.written()) == schedule


def test_zones_are_those_of_the_database() -> None:
    assert is_zone("Europe/Berlin")
    assert not any(
        map(is_zone, ("Europe", "Mars/Olympus", "localtime", "../etc/passwd", "europe/berlin", ""))
    )


def test_a_zone_that_only_others_know_is_taken_for_utc() -> None:
    assert next_due(daily("08:00", "Mars/Olympus"), at("2026-01-01T00:00")) == at("2026-01-01T08:00")
