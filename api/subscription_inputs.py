"""What a subscription or a preview of one asks for, as clients write it."""

import re
from datetime import time
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from api.inputs import Input, Name, empty_is_none
from api.problems import invalid
from api.queries import CompiledQuery, compile_query, compile_topic
from core.digest_schedule import WEEKDAYS, DigestSchedule, Every, is_zone

MOST_NAMES = 100
TEXT_LIMIT = 10_000  # queries have a limit of their own, and words for it

Text = Annotated[str, Field(max_length=TEXT_LIMIT)]
Language = Annotated[str, Field(pattern=r"^[A-Za-z]{2,3}([-_][A-Za-z0-9]{1,8}){0,4}$", max_length=35)]
Sources = Annotated[list[Name] | None, Field(max_length=MOST_NAMES), BeforeValidator(empty_is_none)]
Languages = Annotated[list[Language] | None, Field(max_length=MOST_NAMES), BeforeValidator(empty_is_none)]

_TIME_OF_DAY = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]", re.ASCII)


def _time_of_day(value: object) -> time:
    if not isinstance(value, str) or not _TIME_OF_DAY.fullmatch(value):
        raise ValueError("a time of day by a 24-hour clock, such as 08:00")
    return time.fromisoformat(value)


def _known_zone(value: str) -> str:
    if not is_zone(value):
        raise ValueError("no such time zone: a name of the IANA database is wanted, such as Europe/Berlin")
    return value


def _known_weekday(value: str) -> str:
    if value not in WEEKDAYS:
        raise ValueError(f"must be one of {', '.join(WEEKDAYS)}")
    return value


class ScheduleInput(Input):
    """When digests are wanted; of `at` only the minutes count where they are hourly."""

    every: Literal["hour", "day", "week"]
    at: Annotated[time | None, BeforeValidator(_time_of_day)] = None
    timezone: Annotated[str, AfterValidator(_known_zone)] = "UTC"
    weekday: Annotated[str | None, AfterValidator(_known_weekday)] = None

    @model_validator(mode="after")
    def _weekday_of_a_week(self) -> "ScheduleInput":
        if self.weekday is not None and self.every != "week":
            raise ValueError("a weekday is only for what comes every week")
        return self

    def schedule(self) -> DigestSchedule:
        """Return what is stored: 08:00 UTC unless it says otherwise, weekly ones on Mondays."""
        every = Every(self.every)
        if every is Every.HOUR:
            return DigestSchedule(every, (self.at or time()).replace(hour=0), self.timezone)
        weekday = (self.weekday or WEEKDAYS[0]) if every is Every.WEEK else None
        return DigestSchedule(every, self.at or time(8), self.timezone, weekday)


class Wanted(Input):
    """Which articles are wanted."""

    query: Text | None = None
    topic: Name | None = None
    sources: Sources = None
    languages: Languages = None


def compile_wanted(wanted: Wanted) -> CompiledQuery | None:
    """Read what there is of query and topic; raises Problem where there are both."""
    if wanted.query is not None and wanted.topic is not None:
        raise invalid("query", "give one of query and topic, not both")
    if wanted.topic is not None:
        return compile_topic(wanted.topic)
    return compile_query(wanted.query) if wanted.query is not None else None


def compile_required(wanted: Wanted) -> CompiledQuery:
    """Read the query or the topic; raises Problem where there are both or none."""
    compiled = compile_wanted(wanted)
    if compiled is None:
        raise invalid("query", "give a query or a topic")
    return compiled
