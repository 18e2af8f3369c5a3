"""The ledger of deliveries: rows made in bulk, held, released and cancelled; the database is the truth."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, select, tuple_, update
from sqlalchemy.orm import Session

from core.digest_schedule import DigestSchedule, earliest_due
from core.errors import Reason
from core.ids import new_ids
from core.store import batches, digests, turns
from core.store.batches import Batch, Due
from core.store.bulk import BulkStatement
from core.store.digests import NewDigest
from core.store.models import Delivery
from core.store.states import INBOX_QUEUE, UNFINISHED, ChannelState, DeliveryState
from core.store.turns import BriefChannel


@dataclass(slots=True)
class NewDelivery:
    """A row to be made: one version of one article for one channel.

    `digest_at` is the instant of the digest that tells it, the first one by its `schedules`.
    """

    channel_id: str
    account_id: str
    queue: str
    event: str
    state: DeliveryState
    matched: list[list[str]]
    matched_total: int
    strict: bool = False
    digest_at: datetime | None = None
    schedules: Sequence[DigestSchedule] = ()


_MAKE = BulkStatement(
    """
    INSERT INTO deliveries (
        id, article_day, account_id, channel_id, queue, article_id, version, event, matched, matched_total,
        state, attempts, due_at, digest_at, sequence, created_at, finished_at)
    SELECT
        r.id, :day, r.account_id, r.channel_id, r.queue, :article_id, :version, r.event, r.matched{json},
        r.matched_total, r.state, 0, r.due_at, r.digest_at, r.sequence, :now, r.finished_at
    FROM {rows}
    WHERE true
    ON CONFLICT DO NOTHING
    RETURNING id, account_id, queue, state
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
        "digest_at": "timestamptz",
        "sequence": "bigint",
        "finished_at": "timestamptz",
    },
)


def settled(session: Session, rows: Sequence[NewDelivery]) -> list[NewDelivery]:
    """Return planned rows, pending where their channel was resumed since; locks what `make` will need.

    What comes too late for a digest that is on its way waits for the next. To be called before anything of
    the ledger is changed: channels are locked before deliveries.
    """
    needed = [row for row in rows if row.strict or row.digest_at or row.state == DeliveryState.HELD]
    locked = turns.lock_brief(session, {row.channel_id for row in needed})
    return [_settled(row, locked.get(row.channel_id)) for row in rows]


def _settled(row: NewDelivery, channel: BriefChannel | None) -> NewDelivery:
    if channel is None:
        return row
    if row.state == DeliveryState.HELD and channel.state == ChannelState.ACTIVE:
        row = replace(row, state=DeliveryState.PENDING)
    until = channel.digested_until
    if row.digest_at and until and row.digest_at <= until:
        row = replace(row, digest_at=earliest_due(row.schedules, until))
    return row


def make(
    session: Session, article_id: str, version: int, day: date, rows: Sequence[NewDelivery], now: datetime
) -> list[Batch]:
    """Insert rows, leaving out those that exist; return what must be enqueued after the commit."""
    if not rows:
        return []
    turn = turns.numbers(session, [row.channel_id for row in rows if row.strict])
    ids = new_ids("dlv", len(rows))
    made = _MAKE.run(
        session,
        [_new_row(id_, row, turn.get(row.channel_id), now) for id_, row in zip(ids, rows, strict=True)],
        day=day,
        article_id=article_id,
        version=version,
        now=now,
    )
    digests.open_digests(session, [digest for row in rows if (digest := _digest_of(row))], now)
    waiting = {id_ for id_, row in zip(ids, rows, strict=True) if row.digest_at}
    pending = [r for r in made if r.state == DeliveryState.PENDING and r.id not in waiting]
    return batches.put(session, [Due(r.id, r.account_id, r.queue, day) for r in pending], now)


def _digest_of(row: NewDelivery) -> NewDigest | None:
    if row.digest_at is None:
        return None
    return NewDigest(row.account_id, row.channel_id, row.queue, row.state, row.digest_at)


def _new_row(id_: str, row: NewDelivery, sequence: int | None, now: datetime) -> tuple[Any, ...]:
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
        row.digest_at or (now if state == DeliveryState.PENDING else None),
        row.digest_at,
        sequence,
        now if done else None,
    )


# Looked up channel by channel: of a partition that is filling up PostgreSQL's statistics know nothing, and it
# would read all there is of the article for each part of a fan-out.
_TOLD = BulkStatement(
    """
    SELECT r.channel_id, (
        SELECT max(told.version) FROM deliveries AS told
        WHERE told.article_id = :article_id AND told.article_day = :day AND told.channel_id = r.channel_id)
    FROM {rows}
    """,
    {"channel_id": "text"},
)


def channels_told(session: Session, article_id: str, day: date, channel_ids: Sequence[str]) -> dict[str, int]:
    """Return, of the given channels, those with a row for this article, and its newest version."""
    rows = _TOLD.run(session, [(id_,) for id_ in channel_ids], article_id=article_id, day=day)
    return {row[0]: row[1] for row in rows if row[1] is not None}


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


def cancel_deliveries(
    session: Session, deliveries: Sequence[tuple[str, date]], reason: Reason, now: datetime
) -> None:
    """Cancel those of the given deliveries, each with its day, that are unfinished."""
    _cancel(session, tuple_(Delivery.id, Delivery.article_day).in_(deliveries), reason, now)


def _cancel(session: Session, which: ColumnElement[bool], reason: Reason, now: datetime) -> None:
    session.execute(
        update(Delivery)
        .where(which, Delivery.state.in_(UNFINISHED))
        .values(
            state=DeliveryState.CANCELLED,
            reason=reason,
            claim_id=None,
            due_at=None,
            enqueue_after=None,
            slot_at=None,
            sequence=None,
            finished_at=now,
        )
        .execution_options(synchronize_session=False)
    )


def hold_channel(session: Session, channel_id: str) -> None:
    """Keep back what is pending for a channel that was paused or disabled."""
    session.execute(
        update(Delivery)
        .where(Delivery.channel_id == channel_id, Delivery.state == DeliveryState.PENDING)
        .values(state=DeliveryState.HELD, enqueue_after=None)
        .execution_options(synchronize_session=False)
    )


def release_channel(session: Session, channel_id: str, now: datetime) -> None:
    """Let go what was held for a channel that is active again; the sweep enqueues it."""
    session.execute(
        update(Delivery)
        .where(Delivery.channel_id == channel_id, Delivery.state == DeliveryState.HELD)
        .values(state=DeliveryState.PENDING, **digests.let_go(now))
        .execution_options(synchronize_session=False)
    )


def take_due(session: Session, now: datetime, limit: int = 2_000) -> list[Due]:
    """Return deliveries that are due and in no batch, the longest due first; put them into one now."""
    due = (
        select(Delivery.id, Delivery.article_day)
        .where(Delivery.enqueue_after <= now, Delivery.state == DeliveryState.PENDING)
        .order_by(Delivery.enqueue_after)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    statement = (
        update(Delivery)
        .where(tuple_(Delivery.id, Delivery.article_day).in_(select(due.c.id, due.c.article_day)))
        .values(enqueue_after=None)
        .returning(Delivery.id, Delivery.account_id, Delivery.queue, Delivery.article_day, Delivery.attempts)
        .execution_options(synchronize_session=False)
    )
    return [
        Due(row.id, row.account_id, row.queue, row.article_day, retry=row.attempts > 0)
        for row in sorted(session.execute(statement), key=lambda row: str(row.id))
    ]
