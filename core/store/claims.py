"""Claims: a worker takes a batch, sends its deliveries, and writes how they ended, all in bulk.

A claim is on the batch; its deliveries bear the same `claim_id`. Results are written only where it still
fits, so what a worker finishes after its claim was given to another is dropped.
"""

import json
from collections.abc import Container, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, or_, select, update
from sqlalchemy.orm import Session

from core.errors import Reason
from core.store.batches import BatchState, Lane
from core.store.bulk import BulkStatement
from core.store.instances import alive
from core.store.models import Batch as BatchRow
from core.store.models import Delivery
from core.store.states import UNFINISHED, DeliveryState

CLAIM_LENGTH = timedelta(seconds=60)


@dataclass(slots=True)
class Claimed:
    """A delivery that this process may send now."""

    id: str
    article_day: date
    account_id: str
    channel_id: str
    article_id: str
    version: int
    event: str
    matched: list[list[str]]
    matched_total: int
    attempts: int
    step: int
    slot_at: datetime | None
    sequence: int | None
    created_at: datetime
    message_id: str | None = None
    digest_at: datetime | None = None

    def is_wanted(self, living: Container[str]) -> bool:
        """Tell whether one of its subscriptions is among the living ones, as far as all of them are known."""
        return self.matched_total > len(self.matched) or any(id_ in living for id_, _query in self.matched)


@dataclass(slots=True)
class Finished:
    """How a claimed delivery ended for now; `started_at` is None when nothing was tried.

    `step` is its place in the retry schedule; `in_line` keeps a strict channel's row in its line.
    """

    id: str
    day: date
    claim_id: str
    state: DeliveryState
    reason: Reason | None = None
    due_at: datetime | None = None
    enqueue_after: datetime | None = None
    step: int = 0
    slot_at: datetime | None = None
    attempt: int = 0
    started_at: datetime | None = None
    duration_ms: int = 0
    status: int | None = None
    excerpt: str | None = None


# `IS TRUE` keeps PostgreSQL from planning around anything but the ids: of a partition that is filling up its
# statistics know nothing, and it would read all that is due, or all there is, to find two hundred rows.
_CLAIM = BulkStatement(
    f"""
    UPDATE deliveries SET state = 'sending', claim_id = :claim_id, enqueue_after = NULL
    WHERE article_day = :day AND id {{among}} AND (state = 'pending' AND due_at <= :until) IS TRUE
    RETURNING {", ".join(Claimed.__dataclass_fields__)}
    """,  # noqa: S608 (names of our own)
    {"id": "text"},
)

_NOT_YET = BulkStatement(
    """
    UPDATE deliveries SET enqueue_after = due_at
    WHERE article_day = :day AND id {among}
        AND (state = 'pending' AND due_at > :until AND enqueue_after IS NULL) IS TRUE
    """,
    {"id": "text"},
)


def claim(
    session: Session,
    batch_id: str,
    claim_id: str,
    instance: str,
    now: datetime,
    lead: timedelta = timedelta(0),
) -> tuple[Lane, list[Claimed]] | None:
    """Take a batch and what of it is pending, and due within `lead`; None when it is another's or gone.

    The batch's lane has a place in the broker free now: `batches.promote` it.
    """
    taken = (
        update(BatchRow)
        .where(BatchRow.id == batch_id, BatchRow.state != BatchState.CLAIMED)
        .values(
            state=BatchState.CLAIMED,
            enqueue_after=None,
            claim_id=claim_id,
            claimed_by=instance,
            claim_deadline=now + CLAIM_LENGTH,
        )
        .returning(
            BatchRow.account_id, BatchRow.queue, BatchRow.retry, BatchRow.article_day, BatchRow.delivery_ids
        )
        .execution_options(synchronize_session=False)
    )
    batch = session.execute(taken).one_or_none()
    if batch is None:
        return None
    ids = [(id_,) for id_ in batch.delivery_ids]
    found = _CLAIM.run(session, ids, day=batch.article_day, claim_id=claim_id, until=now + lead)
    rows = sorted(map(claimed_of, found), key=lambda row: row.id)
    if len(rows) < len(ids):
        # Due by the leader's clock, but not yet by this one: soon they would be in no batch at all.
        _NOT_YET.run(session, ids, day=batch.article_day, until=now + lead)
    return (batch.account_id, batch.queue, batch.retry), rows


def claimed_of(row: Any) -> Claimed:
    """Return a row of the columns of `Claimed`, in their order."""
    if not isinstance(row.matched, str):
        return Claimed(*row)
    # SQLite has neither JSON nor times of its own.
    values = dict(row._mapping)
    values |= {
        "matched": json.loads(row.matched),
        "article_day": date.fromisoformat(row.article_day),
        "slot_at": row.slot_at and datetime.fromisoformat(row.slot_at),
        "created_at": datetime.fromisoformat(row.created_at),
        "digest_at": row.digest_at and datetime.fromisoformat(row.digest_at),
    }
    return Claimed(**values)


_RESULTS = {
    "id": "text",
    "claim_id": "text",
    "state": "text",
    "reason": "text",
    "due_at": "timestamptz",
    "enqueue_after": "timestamptz",
    "finished_at": "timestamptz",
    "step": "integer",
    "slot_at": "timestamptz",
    "tried": "integer",
    "ended": "integer",
}
_FINISH = BulkStatement(
    """
    UPDATE deliveries
    SET state = r.state, due_at = r.due_at, enqueue_after = r.enqueue_after,
        reason = CASE WHEN r.tried = 0 AND r.reason IS NULL THEN deliveries.reason ELSE r.reason END,
        finished_at = r.finished_at, step = r.step, slot_at = r.slot_at,
        attempts = deliveries.attempts + r.tried,
        sequence = CASE WHEN r.ended = 1 THEN NULL ELSE deliveries.sequence END,
        claim_id = NULL
    FROM {rows}
    WHERE deliveries.id = r.id AND deliveries.article_day = :day
        AND (deliveries.claim_id = r.claim_id) IS TRUE
    RETURNING deliveries.id
    """,
    _RESULTS,
)
_DELIVER = BulkStatement(
    """
    UPDATE deliveries
    SET state = 'delivered', due_at = NULL, enqueue_after = NULL, reason = NULL, finished_at = :now,
        slot_at = NULL, attempts = deliveries.attempts + 1, sequence = NULL, claim_id = NULL
    FROM {rows}
    WHERE deliveries.id = r.id AND deliveries.article_day = :day
        AND (deliveries.claim_id = r.claim_id) IS TRUE
    RETURNING deliveries.id
    """,
    {"id": "text", "claim_id": "text"},
)
_NOTE_ATTEMPTS = BulkStatement(
    """
    INSERT INTO attempts (
        delivery_id, article_day, number, started_at, duration_ms, status, reason, excerpt, next_try_at)
    SELECT r.id, :day, r.number, r.started_at, r.duration_ms, r.status, r.reason, r.excerpt, r.next_try_at
    FROM {rows}
    """,
    {
        "id": "text",
        "number": "integer",
        "started_at": "timestamptz",
        "duration_ms": "integer",
        "status": "integer",
        "reason": "text",
        "excerpt": "text",
        "next_try_at": "timestamptz",
    },
)


def finish(session: Session, results: Sequence[Finished], now: datetime) -> set[str]:
    """Write results and their attempts; return the ids written, without those whose claim was lost."""
    kept: set[str] = set()
    for day in {result.day for result in results}:
        of_day = [result for result in results if result.day == day]
        written = _write(session, of_day, day, now)
        attempts = [_attempt(r) for r in of_day if r.started_at and r.id in written]
        if attempts:
            _NOTE_ATTEMPTS.run(session, attempts, day=day)
        kept |= written
    return kept


def note_attempts(session: Session, tried: Sequence[tuple[str, date, int]], result: Finished) -> None:
    """Note for deliveries, each with its day and the attempt's number, the attempt that `result` tells of."""
    for day in {day for _id, day, _number in tried}:
        rows = [(id_, number, *_attempt(result)[2:]) for id_, of, number in tried if of == day]
        _NOTE_ATTEMPTS.run(session, rows, day=day)


def _write(session: Session, results: Sequence[Finished], day: date, now: datetime) -> set[str]:
    """Write the results of a day; what was delivered, nearly all, in a statement that takes less with it."""
    delivered = [(r.id, r.claim_id) for r in results if r.state is DeliveryState.DELIVERED]
    others = [_result_row(r, now) for r in results if r.state is not DeliveryState.DELIVERED]
    written = {row[0] for row in _DELIVER.run(session, delivered, day=day, now=now)} if delivered else set()
    return written | {row[0] for row in _FINISH.run(session, others, day=day)} if others else written


def _result_row(result: Finished, now: datetime) -> tuple[Any, ...]:
    ended = result.state not in UNFINISHED
    return (
        result.id,
        result.claim_id,
        result.state.value,
        result.reason.value if result.reason else None,
        result.due_at,
        result.enqueue_after,
        now if ended else None,
        result.step,
        result.slot_at,
        1 if result.started_at else 0,
        1 if ended else 0,
    )


def _attempt(result: Finished) -> tuple[Any, ...]:
    return (
        result.id,
        result.attempt,
        result.started_at,
        result.duration_ms,
        result.status,
        result.reason.value if result.reason else None,
        result.excerpt,
        result.due_at,
    )


_END = BulkStatement("DELETE FROM batches WHERE claim_id {among}", {"claim_id": "text"})


def end(session: Session, claim_ids: Sequence[str]) -> None:
    """Delete batches that are dealt with."""
    if claim_ids:
        _END.run(session, [(claim_id,) for claim_id in claim_ids])


def renew(session: Session, claim_ids: Sequence[str], now: datetime) -> None:
    """Move the deadlines of claims on while their deliveries are being sent."""
    session.execute(
        update(BatchRow)
        .where(BatchRow.claim_id.in_(claim_ids), BatchRow.state == BatchState.CLAIMED)
        .values(claim_deadline=now + CLAIM_LENGTH)
        .execution_options(synchronize_session=False)
    )


def return_lost(session: Session, now: datetime) -> int:
    """Make pending again what was claimed too long ago, or by a process that is silent."""
    return _unclaim(
        session,
        or_(BatchRow.claim_deadline <= now, BatchRow.claimed_by.not_in(alive(session, now))),
    )


def return_claims_of(session: Session, instance: str) -> int:
    """Make pending again what a process that ends has claimed."""
    return _unclaim(session, BatchRow.claimed_by == instance)


def _unclaim(session: Session, which: ColumnElement[bool]) -> int:
    """Let batches wait again, with those of their deliveries that were not finished; return how many."""
    lost = (
        select(BatchRow)
        .where(BatchRow.state == BatchState.CLAIMED, which)
        .order_by(BatchRow.id)
        .with_for_update(skip_locked=True)
    )
    returned = 0
    for batch in session.execute(lost).scalars():
        returned += _unclaim_deliveries(session, batch)
        batch.state, batch.claim_id, batch.claimed_by = BatchState.WAITING, None, None
        batch.claim_deadline = None
    return returned


def _unclaim_deliveries(session: Session, batch: BatchRow) -> int:
    statement = (
        update(Delivery)
        .where(Delivery.article_day == batch.article_day, Delivery.id.in_(batch.delivery_ids))
        .where(Delivery.claim_id == batch.claim_id, Delivery.state == DeliveryState.SENDING)
        .values(state=DeliveryState.PENDING, claim_id=None)
        .returning(Delivery.id)
        .execution_options(synchronize_session=False)
    )
    return len(session.execute(statement).all())
