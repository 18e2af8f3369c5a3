"""Strict order: a channel's next delivery goes out only after the one before it has ended.

Deliveries of such a channel are numbered as the ledger commits them. `sequence` is the place in the line of
those that have not ended; the head of the line may be sent, the others are parked (pending, without
`due_at`). Every change of a line happens under the lock of its channel's row.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import and_, func, select, tuple_, update
from sqlalchemy.orm import Session

from core.store.batches import Due
from core.store.bulk import BulkStatement
from core.store.models import Channel, Delivery
from core.store.states import DeliveryState

STRICT = "strict"


def lock(session: Session, channel_ids: Iterable[str]) -> list[Channel]:
    """Return those of the channels that exist, locked until the transaction ends, always in one order."""
    wanted = sorted(set(channel_ids))
    if not wanted:
        return []
    statement = select(Channel).where(Channel.id.in_(wanted)).order_by(Channel.id).with_for_update()
    return list(session.execute(statement.execution_options(populate_existing=True)).scalars())


class BriefChannel(NamedTuple):
    """What a channel's lock is mostly taken for."""

    state: str
    digested_until: datetime | None


_LOCK = BulkStatement(
    "SELECT id, state, digested_until FROM channels WHERE id {among} ORDER BY id {lock}",
    {"id": "text"},
    {"lock": {"postgresql": "FOR UPDATE", "sqlite": ""}},
)


def lock_brief(session: Session, channel_ids: Iterable[str]) -> dict[str, BriefChannel]:
    """Lock channels as `lock` does, of which there may be thousands, and return little of each."""
    rows = _LOCK.run(session, [(id_,) for id_ in sorted(channel_ids)])
    return {row.id: BriefChannel(row.state, _moment(row.digested_until)) for row in rows}


def _moment(stored: datetime | str | None) -> datetime | None:
    return datetime.fromisoformat(stored) if isinstance(stored, str) else stored


def numbers(session: Session, channel_ids: Sequence[str]) -> dict[str, int]:
    """Give each channel's next delivery its place in the line."""
    taken: dict[str, int] = {}
    for channel in lock(session, channel_ids):
        channel.last_sequence += 1
        taken[channel.id] = channel.last_sequence
    session.flush()
    return taken


_LINE_UP = BulkStatement(
    """
    UPDATE deliveries
    SET sequence = r.sequence, enqueue_after = NULL,
        due_at = CASE WHEN deliveries.state = 'pending' THEN NULL ELSE deliveries.due_at END
    FROM {rows}
    WHERE deliveries.id = r.id AND deliveries.channel_id = :channel_id
    """,
    {"id": "text", "sequence": "bigint"},
)


def line_up(session: Session, channel: Channel, delivery_ids: Sequence[str]) -> None:
    """Put deliveries that are in no line at the end of their channel's, which must be locked."""
    places = [(id_, channel.last_sequence + place) for place, id_ in enumerate(delivery_ids, start=1)]
    if places:
        _LINE_UP.run(session, places, channel_id=channel.id)
    channel.last_sequence += len(places)
    session.flush()


def heads(session: Session, channel_ids: Iterable[str]) -> dict[str, int]:
    """Return the sequence of the first delivery in each channel's line; lock the channels before."""
    statement = (
        select(Delivery.channel_id, func.min(Delivery.sequence))
        .where(Delivery.channel_id.in_(list(channel_ids)), Delivery.sequence.is_not(None))
        .group_by(Delivery.channel_id)
    )
    return {channel_id: first for channel_id, first in session.execute(statement) if first is not None}


def call_next(session: Session, channel_ids: Iterable[str], now: datetime) -> list[Due]:
    """Make the parked heads of lines due and return them for a batch; lock the channels before."""
    first = heads(session, channel_ids)
    if not first:
        return []
    statement = (
        update(Delivery)
        .where(tuple_(Delivery.channel_id, Delivery.sequence).in_(list(first.items())))
        .where(Delivery.state == DeliveryState.PENDING, Delivery.due_at.is_(None))
        .values(due_at=now)
        .returning(Delivery.id, Delivery.account_id, Delivery.queue, Delivery.article_day)
        .execution_options(synchronize_session=False)
    )
    return [Due(row.id, row.account_id, row.queue, row.article_day) for row in session.execute(statement)]


def stopped_lines(session: Session) -> list[str]:
    """Return the channels whose line has a parked head, which nobody has called; not locked."""
    first = (
        select(Delivery.channel_id, func.min(Delivery.sequence).label("sequence"))
        .where(Delivery.sequence.is_not(None))
        .group_by(Delivery.channel_id)
        .subquery()
    )
    statement = (
        select(Delivery.channel_id)
        .join(first, and_(Delivery.channel_id == first.c.channel_id, Delivery.sequence == first.c.sequence))
        .where(Delivery.state == DeliveryState.PENDING, Delivery.due_at.is_(None))
    )
    return list(session.execute(statement).scalars())
