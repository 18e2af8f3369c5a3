"""For how long an answer may be taken for fresh, as its headers say (RFC 9111)."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta

from fetcher.dates import http_date

_MAX_AGE = re.compile(r'(?:^|,)\s*max-age\s*=\s*"?(\d{1,10})"?\s*(?=,|$)', re.IGNORECASE)
_NOT_KEPT = re.compile(r"(?:^|,)\s*no-(?:cache|store)\s*(?==|,|$)", re.IGNORECASE)
_LONGEST = 10 * 365 * 86_400


def fresh_for(headers: Mapping[str, str], now: datetime) -> int | None:
    """Return the seconds for which an answer stays fresh, None where its headers do not say.

    `max-age` counts before `Expires` (section 5.3), and the `Age` that the answer had on arrival is taken off
    (section 4.2.3). What must not be kept, or is stale already, is fresh for 0 seconds. Names are lower-case.
    """
    control = headers.get("cache-control", "")
    if _NOT_KEPT.search(control):
        return 0
    stated = _MAX_AGE.search(control)
    if stated:
        return _without_age(int(stated[1]), headers)
    return _until_expiry(headers, now) if "expires" in headers else None


def _until_expiry(headers: Mapping[str, str], now: datetime) -> int:
    expires = http_date(headers["expires"])
    if expires is None:
        return 0  # "0" and whatever else is no date mean: already expired (section 5.3)
    # Both are of the server's clock, which may be wrong.
    sent = http_date(headers.get("date", "")) or now
    return _without_age(int((expires - sent) / timedelta(seconds=1)), headers)


def _without_age(seconds: int, headers: Mapping[str, str]) -> int:
    age = headers.get("age", "").strip()
    aged = int(age) if age.isascii() and age.isdigit() and len(age) <= 10 else 0
    return max(min(seconds, _LONGEST) - aged, 0)
