"""When digests are due: at the hour of a reader's own zone, also where clocks are put forward or back."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_NOT_PLACES = frozenset({"Factory", "localtime", "posixrules"})


class Every(StrEnum):
    """How often."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"


@dataclass(frozen=True, slots=True)
class DigestSchedule:
    """A digest every hour (of `at` only the minutes count), day or week, by the clocks of an IANA zone."""

    every: Every
    at: time
    timezone: str
    weekday: str | None = None

    def written(self) -> str:
        """Return the form in which it is stored, such as `week monday 08:00 Europe/Berlin`."""
        when = [self.every.value, *([self.weekday] if self.weekday else []), f"{self.at:%H:%M}"]
        return " ".join([*when, self.timezone])


@lru_cache(maxsize=10_000)
def schedule_of(written: str) -> DigestSchedule:
    """Read what `DigestSchedule.written` returned."""
    every, *weekday, at, timezone = written.split(" ")
    return DigestSchedule(Every(every), time.fromisoformat(at), timezone, weekday[0] if weekday else None)


def is_zone(name: str) -> bool:
    """Tell whether a zone of this name is in the IANA time zone database."""
    return name in _zones()


def earliest_due(schedules: Iterable[DigestSchedule], after: datetime) -> datetime:
    """Return the first instant after a given one at which one of several digests is due, in UTC."""
    return min(next_due(schedule, after) for schedule in schedules)


@lru_cache(maxsize=10_000)  # many subscriptions are asked about for one moment, and have few schedules
def next_due(schedule: DigestSchedule, after: datetime) -> datetime:
    """Return the first instant after a given one at which a digest is due, in UTC.

    An hour of the day that is skipped when clocks are put forward is as much later as they are; of one that
    comes twice when they are put back, the first counts. Hourly digests go by hours as they pass, so both of
    those have one.
    """
    zone = _zone(schedule.timezone)
    instants = _hours if schedule.every is Every.HOUR else _days
    return min(instant for instant in instants(schedule, after.astimezone(zone), zone) if instant > after)


def _days(schedule: DigestSchedule, near: datetime, zone: tzinfo) -> Iterator[datetime]:
    """Yield the instants around a local time: those of a day before and of a week and more after it."""
    for offset in range(-1, 10):
        day = near.date() + timedelta(days=offset)
        if schedule.weekday is None or WEEKDAYS[day.weekday()] == schedule.weekday:
            # Without a fold: the offset before a change, which is what both cases ask for (PEP 495).
            yield datetime.combine(day, schedule.at, zone).replace(fold=0).astimezone(UTC)


def _hours(schedule: DigestSchedule, near: datetime, zone: tzinfo) -> Iterator[datetime]:
    hour = near.replace(minute=schedule.at.minute, second=0, microsecond=0, tzinfo=None, fold=0)
    for offset in range(-2, 4):
        wall = hour + timedelta(hours=offset)
        first, second = (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
        yield first
        if second > first:  # in a gap it is the earlier one (PEP 495)
            yield second


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(available_timezones()) - _NOT_PLACES


@lru_cache(maxsize=1_000)
def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except ZoneInfoNotFoundError:
        # Known where it was accepted, and not here: late by hours is better than not at all.
        return UTC
