"""The dates that feeds write."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fetcher.dates import bounded, from_utc_tuple, parse_date, retry_after

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2025-05-21T12:33:28Z", datetime(2025, 5, 21, 12, 33, 28, tzinfo=UTC)),
        ("2025-05-21T14:33:28+02:00", datetime(2025, 5, 21, 12, 33, 28, tzinfo=UTC)),
        ("2025-05-21 14:33:28 +0200", datetime(2025, 5, 21, 12, 33, 28, tzinfo=UTC)),
        ("2025-05-21T12:33:28.123456789Z", datetime(2025, 5, 21, 12, 33, 28, 123456, tzinfo=UTC)),
        ("2025-05-21T12:33:28", datetime(2025, 5, 21, 12, 33, 28, tzinfo=UTC)),
        ("2025-05-21", datetime(2025, 5, 21, tzinfo=UTC)),
        ("Wed, 21 May 2025 12:33:28 GMT", datetime(2025, 5, 21, 12, 33, 28, tzinfo=UTC)),
        ("Wed, 21 May 2025 08:33:28 EDT", datetime(2025, 5, 21, 12, 33, 28, tzinfo=UTC)),
        ("Wed, 21 May 2025 14:33:28 CEST", datetime(2025, 5, 21, 12, 33, 28, tzinfo=UTC)),
        ("Wed, 21 May 2025 21:33:28 JST", datetime(2025, 5, 21, 12, 33, 28, tzinfo=UTC)),
        ("21 May 25 12:33 -0000", datetime(2025, 5, 21, 12, 33, tzinfo=UTC)),
        ("  Wed, 21 May 2025 12:33:28 +0000\n", datetime(2025, 5, 21, 12, 33, 28, tzinfo=UTC)),
    ],
)
def test_a_date_is_read_into_utc(text: str, expected: datetime) -> None:
    assert parse_date(text, NOW) == expected


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "  ",
        17,
        "soon",
        "2025-13-45T00:00:00Z",
        "Wed, 32 May 2025 12:33:28 GMT",
        "Wed, 21 May 2025 25:61:00 GMT",
        "0001-01-01T00:00:00Z",
        "1970-01-01T00:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "1" * 10_000,
    ],
)
def test_a_missing_or_impossible_date_is_none(text: object) -> None:
    assert parse_date(text, NOW) is None


def test_a_date_in_the_future_becomes_now() -> None:
    assert parse_date("2999-01-01T00:00:00Z", NOW) == NOW
    assert parse_date("9999-12-31T23:59:59-14:00", NOW) in (None, NOW)


def test_a_utc_tuple_follows_the_same_rules() -> None:
    assert from_utc_tuple(time.gmtime(1_700_000_000), NOW) == datetime.fromtimestamp(1_700_000_000, UTC)
    assert from_utc_tuple(time.gmtime(0), NOW) is None
    assert from_utc_tuple(None, NOW) is None


@given(st.text(max_size=40))
def test_no_text_breaks_the_parser(text: str) -> None:
    moment = parse_date(text, NOW)
    assert moment is None or moment <= NOW


@given(st.datetimes(timezones=st.none() | st.timezones()))
def test_what_is_bounded_is_aware_and_not_in_the_future(moment: datetime) -> None:
    result = bounded(moment, NOW)
    assert result is None or (result.tzinfo is not None and result.year >= 1990 and result <= NOW)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        (" 0 ", 0.0),
        ("Sun, 01 Mar 2026 12:01:00 GMT", 60.0),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0.0),
        ("", None),
        (None, None),
        ("-5", None),
        ("later", None),
        ("9" * 5_000, None),
        ("²", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, seconds: float | None) -> None:
    assert retry_after(value, NOW) == seconds


def test_a_fresh_date_stays_what_it_is() -> None:
    moment = NOW - timedelta(seconds=1)
    assert parse_date(moment.isoformat(), NOW) == moment
