"""The leader's lease: taken, renewed and given back in database time, with a fencing token."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, func, literal, select, text, type_coerce, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import Session

from core.errors import ClarionError
from core.store.engine import Store
from core.store.models import Lease
from core.store.types import UtcDateTime

_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


class LeaseLost(ClarionError):
    """Somebody else leads by now: nothing of this transaction may be kept."""


@dataclass(frozen=True)
class Grant:
    """A lease that was granted; `token` grows with every change of holder."""

    name: str
    holder: str
    token: int


def database_now(session: Session) -> datetime:
    """Return the database's time; SQLite has none of its own and runs on this machine's."""
    if session.get_bind().dialect.name == "postgresql":
        moment: datetime = session.execute(text("SELECT clock_timestamp()")).scalar_one()
        return moment.astimezone(UTC)
    return datetime.now(UTC)


def acquire(store: Store, name: str, holder: str, seconds: float) -> Grant | None:
    """Take the lease if it is free or expired; None while somebody else holds it."""
    with store.write() as session:
        _ensure_row(session, name)
        lease = session.execute(select(Lease).where(Lease.name == name).with_for_update()).scalar_one()
        now = database_now(session)
        if lease.expires_at > now and lease.holder != holder:
            return None
        lease.holder, lease.token = holder, lease.token + 1
        lease.expires_at = now + timedelta(seconds=seconds)
        return Grant(name, holder, lease.token)


def _ensure_row(session: Session, name: str) -> None:
    insert = postgresql_insert if session.get_bind().dialect.name == "postgresql" else sqlite_insert
    row = {"name": name, "holder": "", "token": 0, "expires_at": _NEVER}
    session.execute(insert(Lease).values(row).on_conflict_do_nothing())


def renew(store: Store, grant: Grant, seconds: float) -> bool:
    """Extend the lease; False when it expired or was taken meanwhile."""
    with store.write() as session:
        try:
            check(session, grant)
        except LeaseLost:
            return False
        expires_at = database_now(session) + timedelta(seconds=seconds)
        session.execute(update(Lease).where(Lease.name == grant.name).values(expires_at=expires_at))
        return True


def release(store: Store, grant: Grant) -> None:
    """Give the lease back, so that the next holder need not wait for it to expire."""
    with store.write() as session:
        mine = (Lease.name == grant.name, Lease.token == grant.token, Lease.holder == grant.holder)
        session.execute(update(Lease).where(*mine).values(expires_at=_NEVER))


def check(session: Session, grant: Grant) -> None:
    """Fence a transaction: raise LeaseLost unless the grant still holds.

    The row stays locked until the transaction ends, so that nobody can take over before it has.
    """
    # What the clock says before the lock is there is good enough: once it is, nobody has taken over.
    statement = select(Lease.holder, Lease.token, Lease.expires_at, _clock(session)).where(
        Lease.name == grant.name
    )
    row = session.execute(statement.with_for_update(read=True)).one_or_none()
    if row is None or (row.holder, row.token) != (grant.holder, grant.token):
        raise LeaseLost(f"the lease {grant.name} has another holder")
    if row.expires_at <= row.now:
        raise LeaseLost(f"the lease {grant.name} expired")


def _clock(session: Session) -> ColumnElement[datetime]:
    here = session.get_bind().dialect.name != "postgresql"
    now = literal(datetime.now(UTC)) if here else func.clock_timestamp()
    return type_coerce(now, UtcDateTime).label("now")


def current_holder(session: Session, name: str) -> str | None:
    """Return who holds the lease at present."""
    lease = session.get(Lease, name)
    return lease.holder if lease and lease.expires_at > database_now(session) else None
