"""Sending again what has ended or waits: one delivery, or everything that a channel has missed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, null, or_, select, update
from sqlalchemy.orm import Session

from core.errors import Reason
from core.store import channels, collapsed, digests, turns
from core.store.models import Channel, Delivery
from core.store.states import ChannelState, DeliveryState

CHUNK = 10_000


def retry_delivery(session: Session, delivery: Delivery, channel: Channel, now: datetime) -> None:
    """Have a delivery sent again at once, or held where its channel is not sent to.

    Both rows must be locked, and the delivery not `sending`. One that waits is brought forward and keeps its
    place in the retry schedule; one that has ended starts it anew, out of line where order is strict.
    """
    if delivery.state == DeliveryState.PENDING and channel.state == ChannelState.ACTIVE:
        _bring_forward(delivery, now)
        return
    for name, value in _revived(channel, now).items():
        setattr(delivery, name, value)
    session.flush()
    session.refresh(delivery)


def _bring_forward(delivery: Delivery, now: datetime) -> None:
    if delivery.enqueue_after is None:
        return  # it is on its way, or waits for those before it
    if delivery.slot_at is not None and delivery.slot_at > now:
        return  # a new slot would be a later one
    delivery.due_at = delivery.enqueue_after = now
    delivery.slot_at = None


def recover_channel(session: Session, channel: Channel, since: datetime, now: datetime) -> int:
    """Revive what has failed, or was cancelled by a 410, since a time; return how many deliveries.

    The channel must be locked. A disabled one is made active; where it is not sent to for another cause, what
    is revived is held. Where bursts collapse, it goes to the end of the line, so that it is no flood.
    """
    if channel.state == ChannelState.DISABLED:
        channels.set_state(session, channel, ChannelState.ACTIVE, None, now)
    channel.failing_since = None
    session.flush()
    return _revive_missed(session, channel, since, now)


def _revive_missed(session: Session, channel: Channel, since: datetime, now: datetime) -> int:
    missed = _missed(channel, since)
    revived, after = 0, ""
    while last := _end_of_chunk(session, missed, after):
        changed = session.execute(
            update(Delivery)
            .where(*missed, Delivery.id > after, Delivery.id <= last)
            .values(**_revived(channel, now))
            .returning(Delivery.id, Delivery.digest_at)
            .execution_options(synchronize_session=False)
        )
        rows = changed.all()
        if collapsed.collapses(channel):
            turns.line_up(session, channel, sorted(row.id for row in rows if row.digest_at is None))
        revived += len(rows)
        after = last
    return revived


def _missed(channel: Channel, since: datetime) -> Sequence[ColumnElement[bool]]:
    gone = and_(Delivery.state == DeliveryState.CANCELLED, Delivery.reason == Reason.GONE)
    return (
        Delivery.channel_id == channel.id,
        or_(Delivery.state == DeliveryState.FAILED, gone),
        Delivery.finished_at >= since,
    )


def _end_of_chunk(session: Session, which: Sequence[ColumnElement[bool]], after: str) -> str | None:
    # Ranges of ids, not lists: each is read from the index on (channel_id, id), and none is read twice.
    chunk = select(Delivery.id).where(*which, Delivery.id > after).order_by(Delivery.id).limit(CHUNK)
    return session.execute(select(func.max(chunk.subquery().c.id))).scalar()


def _revived(channel: Channel, now: datetime) -> dict[str, Any]:
    """Return the columns of a delivery that begins anew; late results of earlier claims fit it no more.

    What a digest has collected stays in it: it is sent again as it was.
    """
    sent_to = channel.state == ChannelState.ACTIVE
    waits = {"due_at": None, "enqueue_after": None, "slot_at": None}
    return (digests.let_go(now) if sent_to else waits) | {
        "state": DeliveryState.PENDING if sent_to else DeliveryState.HELD,
        "reason": None,
        "step": 0,
        "sequence": None,
        "message_id": case((Delivery.digest_at.is_not(None), Delivery.message_id), else_=null()),
        "claim_id": None,
        "finished_at": None,
    }
