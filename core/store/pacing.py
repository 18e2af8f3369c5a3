"""What a channel's changed pace means for deliveries that wait by the old one."""

from datetime import datetime

from sqlalchemy import or_, update
from sqlalchemy.orm import Session

from core.store.models import Channel, Delivery
from core.store.states import DeliveryState


def forget_slots(session: Session, channel: Channel, now: datetime) -> None:
    """Have slots reserved anew, by a rate that was changed; the channel must be locked."""
    channel.next_slot_at = None
    session.execute(
        update(Delivery)
        .where(
            Delivery.channel_id == channel.id,
            Delivery.state == DeliveryState.PENDING,
            Delivery.slot_at.is_not(None),
        )
        .values(slot_at=None, due_at=now, enqueue_after=now)
        .execution_options(synchronize_session=False)
    )


def postpone(channel: Channel, until: datetime) -> None:
    """Give no slot before a time, as its receiver asked; the channel must be locked."""
    channel.next_slot_at = max(channel.next_slot_at or until, until)


def leave_line(session: Session, channel: Channel, now: datetime) -> None:
    """Let deliveries go that waited for their turn, of a channel whose order counts no more.

    One that waits for its retry keeps its time. The channel must be locked.
    """
    in_line = (
        update(Delivery)
        .where(Delivery.channel_id == channel.id, Delivery.sequence.is_not(None))
        .execution_options(synchronize_session=False)
    )
    may_go = or_(Delivery.due_at.is_(None), Delivery.due_at <= now)
    session.execute(
        in_line.where(Delivery.state == DeliveryState.PENDING, may_go).values(due_at=now, enqueue_after=now)
    )
    waiting = Delivery.state.in_((DeliveryState.PENDING, DeliveryState.HELD))
    session.execute(in_line.where(waiting).values(sequence=None, message_id=None))
