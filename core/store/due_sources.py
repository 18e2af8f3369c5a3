"""Which sources are to be polled, found by the time at which each is due."""

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import Select, select, update
from sqlalchemy.orm import Session

from core.store.bulk import BulkStatement
from core.store.models import Source

_ROWS_AT_ONCE = 5_000

_PUT_OFF = BulkStatement(
    """
    UPDATE sources SET next_poll_at = r.due FROM {rows}
    WHERE sources.id = r.id AND sources.next_poll_at <= :now AND sources.next_poll_at > sources.updated_at
    """,
    {"id": "text", "due": "timestamptz"},
)


def due(session: Session, kinds: Collection[str], now: datetime, limit: int) -> list[str]:
    """Return the sources whose time has come, the longest waiting first."""
    return list(session.execute(_due(kinds, now).limit(limit)).scalars())


def asked_for(session: Session, kinds: Collection[str], now: datetime, limit: int) -> list[str]:
    """Return the sources that somebody made, or wants to have polled, and waits for.

    They are due since the moment in which they were changed; what a poll has planned lies after it.
    """
    wanted = _due(kinds, now).where(Source.next_poll_at <= Source.updated_at)
    return list(session.execute(wanted.limit(limit)).scalars())


def overdue(session: Session, kinds: Collection[str], now: datetime) -> list[str]:
    """Return the sources whose time has come and that nobody asked for."""
    return list(session.execute(_due(kinds, now).where(Source.next_poll_at > Source.updated_at)).scalars())


def _due(kinds: Collection[str], now: datetime) -> Select[str]:
    # Disabled and merged ones have no time, so the index by it does not hold them.
    which = select(Source.id).where(Source.next_poll_at <= now, Source.kind.in_(kinds))
    return which.order_by(Source.next_poll_at)


def put_off(session: Session, times: Mapping[str, datetime], now: datetime) -> None:
    """Give overdue sources other times, except those that were asked for meanwhile."""
    rows = list(times.items())
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        _PUT_OFF.run(session, rows[start : start + _ROWS_AT_ONCE], now=now)


def postpone(session: Session, source: Source, until: datetime) -> None:
    """Give one source another time, unless it was given one since `source` was read."""
    unchanged = (Source.id == source.id, Source.next_poll_at == source.next_poll_at)
    session.execute(update(Source).where(*unchanged).values(next_poll_at=until))
