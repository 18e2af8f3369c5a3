"""Messages that tell several deliveries of a channel: who is in one is written before it is sent.

All stand in the channel's line (`core.store.turns`). Its head is the one that is claimed, tried and waited
for; the others, parked behind it under the same `message_id`, share what becomes of it. When the head is
cancelled, the next of them leads the same message.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, select, tuple_, update
from sqlalchemy.orm import Session

from core.errors import Reason
from core.store import claims, ledger
from core.store.claims import Claimed, Finished
from core.store.models import Channel, Delivery
from core.store.states import UNFINISHED, DeliveryState
from core.store.turns import STRICT

_COLUMNS = [getattr(Delivery, field.name) for field in fields(Claimed)]
_PARKED = (DeliveryState.PENDING, DeliveryState.HELD)


@dataclass(frozen=True, slots=True)
class Led:
    """How the head of a message ended, for those that are told with it."""

    channel_id: str
    message_id: str
    head: Finished


def collapses(channel: Channel) -> bool:
    """Tell whether bursts for a channel are collapsed: they are told in the order of its line."""
    return channel.ordering == STRICT and bool(channel.collapse_seconds)


def begin(session: Session, head: Claimed, message_id: str) -> None:
    """Give the message that a claimed delivery leads its id; lock the channel before."""
    head.message_id = message_id
    session.execute(
        update(Delivery)
        .where(Delivery.id == head.id, Delivery.article_day == head.article_day)
        .values(message_id=message_id)
        .execution_options(synchronize_session=False)
    )


def join(session: Session, head: Claimed, most: int) -> None:
    """Have the next in the line told with its head, up to `most`; lock the channel before."""
    waiting = (
        select(Delivery.id, Delivery.article_day)
        .where(
            Delivery.channel_id == head.channel_id,
            Delivery.sequence > head.sequence,
            Delivery.state == DeliveryState.PENDING,
            Delivery.message_id.is_(None),
        )
        .order_by(Delivery.sequence)
        .limit(most)
    )
    joining = [(row.id, row.article_day) for row in session.execute(waiting)]
    if joining:
        session.execute(
            update(Delivery)
            .where(tuple_(Delivery.id, Delivery.article_day).in_(joining))
            .where(Delivery.state == DeliveryState.PENDING, Delivery.message_id.is_(None))
            .values(message_id=head.message_id, due_at=None, enqueue_after=None)
            .execution_options(synchronize_session=False)
        )


def others(session: Session, head: Claimed) -> list[Claimed]:
    """Return what is told with a delivery, in order."""
    statement = select(*_COLUMNS).where(*_with(head.channel_id, head.message_id, head.id))
    rows = session.execute(statement.order_by(Delivery.sequence))
    return [Claimed(*row) for row in rows]


def leave_out(session: Session, refused: Sequence[Claimed], now: datetime) -> None:
    """Cancel what nobody is subscribed to any more, so that a message does not tell it."""
    if refused:
        ledger.cancel_deliveries(
            session, [(row.id, row.article_day) for row in refused], Reason.UNSUBSCRIBED, now
        )


def follow(session: Session, led: Iterable[Led], now: datetime) -> None:
    """Write for all that were told with a head what came of its try."""
    for one in led:
        result = one.head
        told = session.execute(
            update(Delivery)
            .where(*_with(one.channel_id, one.message_id, result.id))
            .values(**_shared(result, now), attempts=Delivery.attempts + 1)
            .returning(Delivery.id, Delivery.article_day, Delivery.attempts)
            .execution_options(synchronize_session=False)
        )
        claims.note_attempts(session, [(row.id, row.article_day, row.attempts) for row in told], result)


def _shared(result: Finished, now: datetime) -> dict[str, Any]:
    """Return the columns that follow the head's; while it is tried again, the others stay parked."""
    reason = result.reason.value if result.reason else None
    if result.state in UNFINISHED:
        return {"reason": reason, "step": result.step}
    return {
        "state": result.state.value,
        "reason": reason,
        "finished_at": now,
        "sequence": None,
        "due_at": None,
    }


def _with(channel_id: str, message_id: str | None, head_id: str) -> tuple[ColumnElement[bool], ...]:
    return (
        Delivery.channel_id == channel_id,
        Delivery.sequence.is_not(None),
        Delivery.message_id == message_id,
        Delivery.id != head_id,
        Delivery.state.in_(_PARKED),
    )
