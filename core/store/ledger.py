"""The ledger of deliveries: made, claimed and finished in bulk; the database is the truth."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, or_, select, tuple_, update
from sqlalchemy.orm import Session

from core.errors import Reason
from core.ids import new_ids
from core.store.bulk import BulkStatement
from core.store.instances import alive
from core.store.models import Delivery
from core.store.states import INBOX_QUEUE, UNFINISHED, DeliveryState

ENQUEUE_AGAIN_AFTER = timedelta(seconds=60)
CLAIM_LENGTH = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """A row to be made: one version of one article for one channel."""

    channel_id: str
    account_id: str
    queue: str
    event: str
    state: DeliveryState
    matched: list[list[str]]
    matched_total: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Deliveries of one queue and one day, the content of one task message."""

    queue: str
    day: date
    ids: list[str]


@dataclass(frozen=True, slots=True)
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
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Finished:
    """How a claimed delivery ended for now; `started_at` is None when nothing was tried."""

    id: str
    state: DeliveryState
    reason: Reason | None
    due_at: datetime | None = None
    attempt: int = 0
    started_at: datetime | None = None
    duration_ms: int = 0
    status: int | None = None
    excerpt: str | None = None


_MAKE = BulkStatement(
    """
    INSERT INTO deliveries (
        id, article_day, account_id, channel_id, queue, article_id, version, event, matched, matched_total,
        state, attempts, due_at, enqueue_after, created_at, finished_at)
    SELECT
        r.id, :day, r.account_id, r.channel_id, r.queue, :article_id, :version, r.event, r.matched{json},
        r.matched_total, r.state, 0, r.due_at, :enqueue_after, :now, r.finished_at
    FROM {rows}
    WHERE true
    ON CONFLICT DO NOTHING
    RETURNING id, queue, state
    """,
    {
        "id": "text",
        "account_id": "text",
        "channel_id": "text",
        "queue": "text",
        "event": "text",
        "matched": "text",
        "matched_total": "integer",
        "state": "text",
        "due_at": "timestamptz",
        "finished_at": "timestamptz",
    },
)


def make(
    session: Session, article_id: str, version: int, day: date, rows: Sequence[NewDelivery], now: datetime
) -> list[Batch]:
    """Insert rows, leaving out those that exist; return what must be enqueued after the commit."""
    if not rows:
        return []
    ids = new_ids("dlv", len(rows))
    made = _MAKE.run(
        session,
        [_new_row(id_, row, now) for id_, row in zip(ids, rows, strict=True)],
        day=day,
        article_id=article_id,
        version=version,
        enqueue_after=now + ENQUEUE_AGAIN_AFTER,
        now=now,
    )
    return batches((row.queue, day, row.id) for row in made if row.state == DeliveryState.PENDING)


def _new_row(id_: str, row: NewDelivery, now: datetime) -> tuple[Any, ...]:
    done = row.queue == INBOX_QUEUE
    state = DeliveryState.DELIVERED if done else row.state
    return (
        id_,
        row.account_id,
        row.channel_id,
        row.queue,
        row.event,
        json.dumps(row.matched, ensure_ascii=False),
        row.matched_total,
        state.value,
        now if state == DeliveryState.PENDING else None,
        now if done else None,
    )


def batches(rows: Iterable[tuple[str, date, str]], size: int = 200) -> list[Batch]:
    """Group (queue, day, id) into batches of at most `size`."""
    groups: dict[tuple[str, date], list[str]] = {}
    for queue, day, delivery_id in rows:
        groups.setdefault((queue, day), []).append(delivery_id)
    return [
        Batch(queue, day, ids[start : start + size])
        for (queue, day), ids in groups.items()
        for start in range(0, len(ids), size)
    ]


_TOLD = BulkStatement(
    """
    SELECT channel_id, max(version) FROM deliveries
    WHERE article_id = :article_id AND article_day = :day AND channel_id {among}
    GROUP BY channel_id
    """,
    {"channel_id": "text"},
)


def channels_told(session: Session, article_id: str, day: date, channel_ids: Sequence[str]) -> dict[str, int]:
    """Return, of the given channels, those with a row for this article, and its newest version."""
    rows = _TOLD.run(session, [(id_,) for id_ in channel_ids], article_id=article_id, day=day)
    return {row[0]: row[1] for row in rows}


def supersede(
    session: Session, article_id: str, day: date, version: int, channel_ids: Sequence[str], now: datetime
) -> None:
    """Cancel the unfinished rows of older versions for channels that get a newer one."""
    if not channel_ids:
        return
    older = (
        Delivery.article_id == article_id,
        Delivery.article_day == day,
        Delivery.version < version,
        Delivery.channel_id.in_(channel_ids),
    )
    _cancel(session, and_(*older), Reason.SUPERSEDED, now)


def cancel_channel(session: Session, channel_id: str, reason: Reason, now: datetime) -> None:
    """Cancel everything unfinished of a channel."""
    _cancel(session, Delivery.channel_id == channel_id, reason, now)


def _cancel(session: Session, which: ColumnElement[bool], reason: Reason, now: datetime) -> None:
    session.execute(
        update(Delivery)
        .where(which, Delivery.state.in_(UNFINISHED))
        .values(state=DeliveryState.CANCELLED, reason=reason, claim_id=None, due_at=None, finished_at=now)
        .execution_options(synchronize_session=False)
    )


def hold_channel(session: Session, channel_id: str) -> None:
    """Keep back what is pending for a channel that was paused or disabled."""
    session.execute(
        update(Delivery)
        .where(Delivery.channel_id == channel_id, Delivery.state == DeliveryState.PENDING)
        .values(state=DeliveryState.HELD)
        .execution_options(synchronize_session=False)
    )


def release_channel(session: Session, channel_id: str, now: datetime) -> None:
    """Let go what was held for a channel that is active again; the sweep enqueues it."""
    session.execute(
        update(Delivery)
        .where(Delivery.channel_id == channel_id, Delivery.state == DeliveryState.HELD)
        .values(state=DeliveryState.PENDING, due_at=now, enqueue_after=now)
        .execution_options(synchronize_session=False)
    )


# `IS TRUE` keeps PostgreSQL from planning around anything but the ids: of a partition that is filling up its
# statistics know nothing, and it would read all that is due, or all there is, to find two hundred rows.
_CLAIM = BulkStatement(
    f"""
    UPDATE deliveries
    SET state = 'sending', claim_id = :claim_id, claimed_by = :instance, claim_deadline = :deadline
    WHERE article_day = :day AND id {{among}}
        AND state = 'pending' AND (due_at <= :now) IS TRUE
    RETURNING {", ".join(Claimed.__dataclass_fields__)}
    """,  # noqa: S608 (names of our own)
    {"id": "text"},
)


def claim(
    session: Session, day: date, ids: Sequence[str], claim_id: str, instance: str, now: datetime
) -> list[Claimed]:
    """Take what is still pending and due of a batch; nobody else can until the claim ends."""
    rows = _CLAIM.run(
        session,
        [(id_,) for id_ in ids],
        day=day,
        claim_id=claim_id,
        instance=instance,
        deadline=now + CLAIM_LENGTH,
        now=now,
    )
    return [_claimed(row) for row in rows]


def _claimed(row: Any) -> Claimed:
    values = row._mapping
    if isinstance(row.matched, str):  # SQLite has neither JSON nor times of its own
        values = dict(values) | {
            "matched": json.loads(row.matched),
            "article_day": date.fromisoformat(row.article_day),
            "created_at": datetime.fromisoformat(row.created_at),
        }
    return Claimed(**values)


def renew_claim(session: Session, claim_id: str, now: datetime) -> None:
    """Move a claim's deadline on while its deliveries are being sent."""
    session.execute(
        update(Delivery)
        .where(Delivery.claim_id == claim_id, Delivery.state == DeliveryState.SENDING)
        .values(claim_deadline=now + CLAIM_LENGTH)
        .execution_options(synchronize_session=False)
    )


_RESULTS = {
    "id": "text",
    "state": "text",
    "reason": "text",
    "due_at": "timestamptz",
    "finished_at": "timestamptz",
    "tried": "integer",
}
_FINISH = BulkStatement(
    """
    UPDATE deliveries
    SET state = r.state, reason = r.reason, due_at = r.due_at, enqueue_after = r.due_at,
        finished_at = r.finished_at, attempts = deliveries.attempts + r.tried,
        claim_id = NULL, claimed_by = NULL, claim_deadline = NULL
    FROM {rows}
    WHERE deliveries.id = r.id AND deliveries.article_day = :day AND (deliveries.claim_id = :claim_id) IS TRUE
    RETURNING deliveries.id
    """,
    _RESULTS,
)
_NOTE_ATTEMPTS = BulkStatement(
    """
    INSERT INTO attempts (
        delivery_id, article_day, number, started_at, duration_ms, status, reason, excerpt)
    SELECT r.id, :day, r.number, r.started_at, r.duration_ms, r.status, r.reason, r.excerpt
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
    },
)


def finish(session: Session, day: date, claim_id: str, results: Sequence[Finished], now: datetime) -> int:
    """Write results and their attempts; return how many, leaving out those whose claim was lost."""
    if not results:
        return 0
    rows = [_result_row(result, now) for result in results]
    kept = {id_ for (id_,) in _FINISH.run(session, rows, day=day, claim_id=claim_id)}
    attempts = [_attempt(result) for result in results if result.id in kept and result.started_at]
    if attempts:
        _NOTE_ATTEMPTS.run(session, attempts, day=day)
    return len(kept)


def _result_row(result: Finished, now: datetime) -> tuple[Any, ...]:
    ended = result.state not in UNFINISHED
    reason = result.reason.value if result.reason else None
    tried = 1 if result.started_at else 0
    return (result.id, result.state.value, reason, result.due_at, now if ended else None, tried)


def _attempt(result: Finished) -> tuple[Any, ...]:
    return (
        result.id,
        result.attempt,
        result.started_at,
        result.duration_ms,
        result.status,
        result.reason.value if result.reason else None,
        result.excerpt,
    )


def take_due(session: Session, now: datetime, limit: int = 2_000) -> list[Batch]:
    """Return what is due and not in the broker, moving its `enqueue_after` on; enqueue after the commit."""
    due = (
        select(Delivery.id, Delivery.article_day)
        .where(Delivery.state == DeliveryState.PENDING)
        .where(Delivery.due_at <= now, Delivery.enqueue_after <= now)
        .order_by(Delivery.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    statement = (
        update(Delivery)
        .where(tuple_(Delivery.id, Delivery.article_day).in_(select(due.c.id, due.c.article_day)))
        .values(enqueue_after=now + ENQUEUE_AGAIN_AFTER)
        .returning(Delivery.queue, Delivery.article_day, Delivery.id)
        .execution_options(synchronize_session=False)
    )
    return batches((row.queue, row.article_day, row.id) for row in session.execute(statement))


def give_back_to_sweep(session: Session, unsent: Iterable[Batch], now: datetime) -> None:
    """Let the sweep enqueue at once what could not be enqueued."""
    for batch in unsent:
        session.execute(
            update(Delivery)
            .where(Delivery.id.in_(batch.ids), Delivery.article_day == batch.day)
            .values(enqueue_after=now)
            .execution_options(synchronize_session=False)
        )


def return_lost_claims(session: Session, now: datetime) -> int:
    """Make pending again what was claimed too long ago, or by a process that is silent."""
    lost = or_(Delivery.claim_deadline <= now, Delivery.claimed_by.not_in(alive(session, now)))
    return _unclaim(session, lost, now)


def return_claims_of(session: Session, instance: str, now: datetime) -> int:
    """Make pending again what a process that ends has claimed."""
    return _unclaim(session, Delivery.claimed_by == instance, now)


def _unclaim(session: Session, which: ColumnElement[bool], now: datetime) -> int:
    statement = (
        update(Delivery)
        .where(Delivery.state == DeliveryState.SENDING, which)
        .values(
            state=DeliveryState.PENDING,
            claim_id=None,
            claimed_by=None,
            claim_deadline=None,
            due_at=now,
            enqueue_after=now,
        )
        .returning(Delivery.id)
        .execution_options(synchronize_session=False)
    )
    return len(session.execute(statement).all())
