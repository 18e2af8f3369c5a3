"""Reading what clients send."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.inputs import moment
from core.clock import rfc3339


def test_a_time_is_read_in_utc() -> None:
    read = moment("2026-01-31T09:00:00.5+01:00")
    assert read == datetime(2026, 1, 31, 8, 0, 0, 500_000, UTC)
    assert read is not None
    assert read.tzinfo is UTC


@given(st.datetimes(timezones=st.just(UTC)).map(lambda at: at.replace(microsecond=0)))
def test_what_is_shown_can_be_read(at: datetime) -> None:
    assert moment(rfc3339(at)) == at


@pytest.mark.parametrize(
    "value",
    ["", "now", "2026-01-31", "2026-01-31T09:00:00", "9999-12-31T23:59:59-01:00", "x" * 1_000, 5, True, []],
)
def test_other_values_are_refused_in_words(value: object) -> None:
    with pytest.raises(ValueError, match="a time with its zone"):
        moment(value)
