"""The revision log of subscriptions and aliases: learning of every change, also of those that commit late.

On PostgreSQL a change carries its transaction's id, and a reader remembers the snapshot of its last look. New
to it is what a transaction wrote that was not over then: one that was running, or one that began since. The
sequence is asked for too, because ids that never reached the disk are given again after a crash. SQLite has
one writer at a time, so there the sequence alone does.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, insert, select, text
from sqlalchemy.orm import Session

from core.store.models import RevisionMark, SubscriptionChange

MANY = 100_000
"""So many changes are not listed: loading all subscriptions takes little longer."""

ALIASES = 0
"""What is logged when aliases change; no subscription has this number."""

KEPT = timedelta(hours=6)
CUT_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class Position:
    """How far the log was read: a snapshot (`oldest`, `end` and `running` are transactions) and a sequence.

    On SQLite all numbers are the sequence.
    """

    oldest: int
    end: int
    sequence: int
    running: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Changes:
    """The subscriptions that changed, `ALIASES` among them if those did, and the position for the next look.

    `numbers` is None where the log does not tell: load all subscriptions.
    """

    position: Position
    numbers: list[int] | None


def log_changes(session: Session, numbers: Iterable[int]) -> None:
    """Record, in the transaction that changes them, that subscriptions or `ALIASES` changed."""
    rows = [{"number": number} for number in numbers]
    if rows:
        session.execute(insert(SubscriptionChange), rows)


def changes_since(session: Session, since: Position | None) -> Changes:
    """Return what changed since a position that an earlier look returned; None for the first look.

    To be called in the read transaction in which the subscriptions are read.
    """
    look = _look_postgresql if session.get_bind().dialect.name == "postgresql" else _look_sqlite
    position, floor, found = look(session, since)
    if since is None or not _reaches(since, floor, position) or any(len(part) >= MANY for part in found):
        return Changes(position, None)
    return Changes(position, list(set().union(*found)))


def _reaches(since: Position, floor: int | None, now: Position) -> bool:
    """Tell whether the log holds everything since a position.

    Not if that was cut off, nor if the database is another one, restored from a backup: its counters are
    behind ours, or behind its own marks, which then mean nothing.
    """
    if now.end < since.end:
        return False
    return floor is None or since.oldest >= floor or floor > now.end


# The limits are for the planner, which must never think of reading the whole log.
_LOOK = text(
    """
    SELECT CAST(pg_current_snapshot() AS text),
        (SELECT min(position) FROM revision_marks),
        (SELECT max(sequence) FROM subscription_changes),
        ARRAY(SELECT number FROM subscription_changes
            WHERE transaction_id >= CAST(:end AS xid8) ORDER BY transaction_id LIMIT :many),
        ARRAY(SELECT number FROM subscription_changes
            WHERE sequence > :sequence ORDER BY sequence LIMIT :many),
        ARRAY(SELECT number FROM subscription_changes
            WHERE transaction_id = ANY (CAST(:running AS xid8[])) LIMIT :many)
    """
)
_NOTHING_SEEN = Position(oldest=0, end=2**63 - 1, sequence=2**63 - 1)


_Look = tuple[Position, int | None, Sequence[Sequence[int]]]
"""The position now, the lowest mark, and what was found, each part of it up to the limit."""


def _look_postgresql(session: Session, since: Position | None) -> _Look:
    after = since or _NOTHING_SEEN
    running = "{" + ",".join(map(str, after.running)) + "}"
    values = {"end": str(after.end), "sequence": after.sequence, "running": running, "many": MANY}
    row: Sequence[Any] = session.execute(_LOOK, values).one()
    return _position(row, since), row[1], row[3:]


def _position(row: Sequence[Any], since: Position | None) -> Position:
    oldest, end, running = row[0].split(":")
    sequence = max(row[2] or 0, since.sequence if since else 0)
    return Position(int(oldest), int(end), sequence, tuple(map(int, running.split(","))) if running else ())


def _look_sqlite(session: Session, since: Position | None) -> _Look:
    newest = session.execute(select(func.max(SubscriptionChange.sequence))).scalar() or 0
    floor = session.execute(select(func.min(RevisionMark.position))).scalar()
    position = Position(newest, newest, newest)
    if since is None or since.sequence >= newest:
        return position, floor, []
    later = select(SubscriptionChange.number).where(SubscriptionChange.sequence > since.sequence)
    return position, floor, [session.execute(later.limit(MANY)).scalars().all()]


def mark(session: Session, now: datetime) -> int | None:
    """Note where the log is now, and return below where nobody needs it any more; None if that is unknown.

    Who has not read on for 6 hours loads all subscriptions again.
    """
    here = changes_since(session, None).position
    _drop_foreign(session, here)
    if session.execute(select(func.count()).select_from(RevisionMark)).scalar_one() == 0:
        session.add(RevisionMark(position=0, noted_at=now))  # nothing was deleted yet
    if session.get(RevisionMark, here.oldest) is None:
        session.add(RevisionMark(position=here.oldest, noted_at=now))
        session.flush()
    old = select(func.max(RevisionMark.position)).where(RevisionMark.noted_at <= now - KEPT)
    floor = session.execute(old).scalar()
    if floor is not None:
        session.execute(delete(RevisionMark).where(RevisionMark.position < floor))
    return floor


def _drop_foreign(session: Session, here: Position) -> None:
    """Drop what came with a backup of another server, whose counters were ahead of this one's."""
    session.execute(delete(RevisionMark).where(RevisionMark.position > here.end))
    if session.get_bind().dialect.name == "postgresql":
        session.execute(
            text(
                "DELETE FROM subscription_changes "
                "WHERE transaction_id >= pg_snapshot_xmax(pg_current_snapshot())"
            )
        )


def cut(session: Session, floor: int) -> bool:
    """Delete a part of the log below what `mark` returned; True while there is more.

    To be called once what `mark` did is committed.
    """
    column = "transaction_id" if session.get_bind().dialect.name == "postgresql" else "sequence"
    below = "CAST(:floor AS xid8)" if column == "transaction_id" else ":floor"
    statement = text(
        f"DELETE FROM subscription_changes WHERE sequence IN (SELECT sequence FROM subscription_changes "  # noqa: S608
        f"WHERE {column} < {below} ORDER BY {column} LIMIT :many) "
        "RETURNING sequence"
    )
    given = str(floor) if column == "transaction_id" else floor
    deleted = session.execute(statement, {"floor": given, "many": CUT_AT_ONCE}).all()
    return len(deleted) == CUT_AT_ONCE
