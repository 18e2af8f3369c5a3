"""The revision log of subscriptions and aliases: learning of every change, also of those that commit late.

On PostgreSQL a change carries its transaction's id. A reader asks for all rows from the oldest transaction
that was still running at its previous look: none that commits late is missed, some are seen twice, which is
harmless because a change only says "look again". SQLite has one writer at a time, so a sequence does.
"""

from collections.abc import Iterable

from sqlalchemy import insert, select, text
from sqlalchemy.orm import Session

from core.store.models import SubscriptionChange

ALIASES = 0
"""What is logged when aliases change; no subscription has this number."""


def log_changes(session: Session, numbers: Iterable[int]) -> None:
    """Record, in the transaction that changes them, that subscriptions or `ALIASES` changed."""
    rows = [{"number": number} for number in numbers]
    if rows:
        session.execute(insert(SubscriptionChange), rows)


def position(session: Session) -> int:
    """Return from where the next look must read; take it in the read transaction of the look itself."""
    if session.get_bind().dialect.name == "postgresql":
        xmin = session.execute(text("SELECT pg_snapshot_xmin(pg_current_snapshot())::text")).scalar_one()
        return int(xmin)
    newest = select(SubscriptionChange.sequence).order_by(SubscriptionChange.sequence.desc()).limit(1)
    return session.execute(newest).scalar() or 0


def changed_since(session: Session, since: int) -> list[int]:
    """Return the numbers of what changed since a `position`, some perhaps again."""
    if session.get_bind().dialect.name == "postgresql":
        statement = (
            "SELECT DISTINCT number FROM subscription_changes WHERE transaction_id >= CAST(:since AS xid8)"
        )
        return list(session.execute(text(statement), {"since": str(since)}).scalars())
    later = select(SubscriptionChange.number).where(SubscriptionChange.sequence > since).distinct()
    return list(session.execute(later).scalars())
