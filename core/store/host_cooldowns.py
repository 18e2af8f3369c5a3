"""Hosts that asked for fewer requests, and until when they are left alone by every source."""

from collections.abc import Callable, Collection
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import Session

from core.store.models import HostCooldown


def cooled_until(session: Session, hosts: Collection[str]) -> datetime | None:
    """Return until when these hosts are or were left alone, None where all have answered as they should."""
    longest = select(func.max(HostCooldown.until)).where(HostCooldown.host.in_(hosts))
    until: datetime | None = session.execute(longest).scalar()
    return until


def cool(session: Session, host: str, seconds: Callable[[int], float], now: datetime) -> datetime:
    """Leave a host alone for as long as `seconds` says for the how many-th time in a row this is.

    What polls that were under way together bring back is one time. Returns until when.
    """
    insert = postgresql_insert if session.get_bind().dialect.name == "postgresql" else sqlite_insert
    never = {"host": host, "until": now, "times": 0}
    session.execute(insert(HostCooldown).values(never).on_conflict_do_nothing())
    row = session.get_one(HostCooldown, host, with_for_update=True)
    if row.until <= now:
        row.times += 1
    row.until = max(row.until, now + timedelta(seconds=seconds(row.times)))
    return row.until


def warm(session: Session, hosts: Collection[str], now: datetime) -> None:
    """Note that hosts answer as they should again, so that their next cooldown counts as the first."""
    over = (HostCooldown.host.in_(hosts), HostCooldown.until <= now)
    session.execute(delete(HostCooldown).where(*over))


def cooling(session: Session, now: datetime) -> list[HostCooldown]:
    """Return the hosts that are left alone now."""
    which = select(HostCooldown).where(HostCooldown.until > now).order_by(HostCooldown.host)
    return list(session.execute(which).scalars())
