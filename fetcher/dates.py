"""Reading the dates that feeds and news APIs write."""

import email.utils
import re
from datetime import UTC, datetime, timedelta
from time import struct_time

# Earlier than the first web page: a default value that leaked out (year 1, 1970), not a publication.
EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)

_LONGEST = 100
# Zone names outside RFC 5322 that stand for one offset wherever feeds use them.
_ZONES = {
    "WET": "+0000",
    "WEST": "+0100",
    "CET": "+0100",
    "CEST": "+0200",
    "MEZ": "+0100",
    "MESZ": "+0200",
    "EET": "+0200",
    "EEST": "+0300",
    "MSK": "+0300",
    "HKT": "+0800",
    "JST": "+0900",
    "KST": "+0900",
    "AEST": "+1000",
    "AEDT": "+1100",
    "NZST": "+1200",
    "NZDT": "+1300",
}
_ZONE_NAME = re.compile(r"\b(?:" + "|".join(_ZONES) + r")\s*$")
_SPACED_OFFSET = re.compile(r"\s+(?=(?:Z|[+-]\d{2}:?\d{2})$)")


def parse_date(text: object, now: datetime) -> datetime | None:
    """Read an RFC 3339, ISO 8601 or RFC 5322 date; without a zone it is UTC.

    Missing, unreadable and impossible dates are None; a date in the future becomes `now`.
    """
    if not isinstance(text, str) or not text.strip() or len(text) > _LONGEST:
        return None
    return bounded(_iso(text.strip()) or _rfc5322(text.strip()), now)


def from_utc_tuple(parts: struct_time | None, now: datetime) -> datetime | None:
    """Turn a UTC time tuple into a date under the rules of `parse_date`."""
    if parts is None:
        return None
    try:
        return bounded(datetime(*parts[:6], tzinfo=UTC), now)
    except ValueError:
        return None


def bounded(moment: datetime | None, now: datetime) -> datetime | None:
    """Bring a date into UTC and under `now`; None when it is older than the web."""
    if moment is None:
        return None
    try:
        utc = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (OverflowError, ValueError):
        return None
    return min(utc, now) if utc >= EARLIEST else None


def retry_after(value: str | None, now: datetime) -> float | None:
    """Return the seconds to wait that a `Retry-After` header asks for (RFC 9110, section 10.2.3)."""
    text = (value or "").strip()
    if text.isascii() and text.isdigit() and len(text) < 10:
        return float(text)
    moment = _rfc5322(text)
    if moment is None:
        return None
    return max((moment - now) / timedelta(seconds=1), 0.0)


def http_date(text: str) -> datetime | None:
    """Read the date of a header (RFC 9110, section 5.6.7); None for what is none."""
    return _rfc5322(text) if len(text) <= _LONGEST else None


def _iso(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(_SPACED_OFFSET.sub("", text))
    except ValueError:
        return None


def _rfc5322(text: str) -> datetime | None:
    named = _ZONE_NAME.sub(lambda zone: _ZONES[zone[0].strip()], text)
    try:
        moment = email.utils.parsedate_to_datetime(named)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
