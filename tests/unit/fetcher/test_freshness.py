"""For how long an answer is fresh."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fetcher.freshness import fresh_for

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def at(**offset: float) -> str:
    """Return a time near noon as headers have it."""
    return format_datetime(NOON + timedelta(**offset), usegmt=True)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"cache-control": ""}, None),
        ({"cache-control": "public"}, None),
        ({"cache-control": "max-age=600"}, 600),
        ({"cache-control": "public, max-age=600, must-revalidate"}, 600),
        ({"cache-control": "Public,Max-Age = 600"}, 600),
        ({"cache-control": 'max-age="600"'}, 600),
        ({"cache-control": "max-age=0"}, 0),
        ({"cache-control": "s-maxage=9"}, None),
        ({"cache-control": "s-maxage=9, max-age=600"}, 600),
        ({"cache-control": "x-max-age=9"}, None),
        ({"cache-control": "max-age=soon"}, None),
        ({"cache-control": "max-age=-5"}, None),
        ({"cache-control": "no-cache"}, 0),
        ({"cache-control": "no-store, max-age=600"}, 0),
        ({"cache-control": 'max-age=600, no-cache="set-cookie"'}, 0),
        ({"cache-control": "no-transform, max-age=600"}, 600),
        ({"cache-control": "max-age=600", "age": "500"}, 100),
        ({"cache-control": "max-age=600", "age": "700"}, 0),
        ({"cache-control": "max-age=600", "age": "old"}, 600),
        ({"cache-control": "max-age=600", "expires": at(hours=9)}, 600),
        ({"expires": at(hours=1)}, 3_600),
        ({"expires": at(hours=1), "age": "600"}, 3_000),
        ({"expires": at(hours=2), "date": at(hours=1)}, 3_600),
        ({"expires": at(hours=-1)}, 0),
        ({"expires": "0"}, 0),
        ({"expires": ""}, 0),
        ({"expires": at(hours=1), "date": "today"}, 3_600),
        ({"cache-control": "no-cache", "expires": at(hours=1)}, 0),
        ({"cache-control": "max-age=9999999999"}, 10 * 365 * 86_400),
        ({"expires": "Fri, 31 Dec 9999 23:59:59 GMT"}, 10 * 365 * 86_400),
    ],
)
def test_what_headers_say(headers: dict[str, str], seconds: int | None) -> None:
    assert fresh_for(headers, NOON) == seconds


@given(
    st.dictionaries(
        st.sampled_from(["cache-control", "expires", "date", "age"]),
        st.one_of(st.text(max_size=40), st.from_regex(r"(max-age|no-cache)=?[0-9]{0,40}", fullmatch=True)),
    )
)
def test_whatever_headers_say_it_is_never_less_than_nothing(headers: dict[str, str]) -> None:
    seconds = fresh_for(headers, NOON)
    assert seconds is None or 0 <= seconds <= 10 * 365 * 86_400
