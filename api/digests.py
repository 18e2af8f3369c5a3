"""Digests of subscriptions: what waits for them when their schedule changes, and telling it now."""

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from api.problems import conflict, invalid
from api.services import Services
from core.digest_schedule import DigestSchedule, next_due, schedule_of
from core.store import digests
from core.store.models import Channel, Subscription
from core.store.partitions import ensure_partition
from core.store.states import INBOX_QUEUE, ChannelState


def schedule_view(written: str | None) -> dict[str, Any] | None:
    """Return a stored schedule as it is shown; `weekday` is there where it is weekly."""
    if written is None:
        return None
    schedule = schedule_of(written)
    shown = {"every": schedule.every.value, "at": f"{schedule.at:%H:%M}", "timezone": schedule.timezone}
    return shown | ({"weekday": schedule.weekday} if schedule.weekday else {})


def require_sent_to(channel: Channel) -> None:
    """Raise Problem 422 for an inbox, in which everything is there at once."""
    if channel.queue == INBOX_QUEUE:
        raise invalid("schedule", "what is read, not sent, has no digests: leave it out")


def due_now(services: Services, schedule: DigestSchedule | None) -> datetime:
    """Return when what waits is told by a schedule: now, if it is told at once.

    To be called outside of transactions, as it makes the ledger ready for a digest of that instant.
    """
    now = services.clock.now()
    due = next_due(schedule, now) if schedule else now
    ensure_partition(services.store, due.date())
    return due


def follow_schedule(
    session: Session, channel: Channel, subscription: Subscription, due: datetime, now: datetime
) -> None:
    """Have what waits for a digest of a subscription told by its new schedule; lock the channel before."""
    digests.move(session, channel, subscription, due, now, only_forward=False)


def tell_now(
    session: Session, channel: Channel, subscription: Subscription, due: datetime, now: datetime
) -> int:
    """Have what waits for a digest of a subscription told now; return how many articles that are.

    The channel must be locked. Raises Problem 409 where nothing waits, or nothing is sent.
    """
    if channel.state != ChannelState.ACTIVE:
        raise conflict(f"The channel is {channel.state}: nothing is sent to it.")
    articles = digests.move(session, channel, subscription, due, now, only_forward=True)
    if not articles:
        raise conflict("Nothing waits for a digest of this subscription.")
    return articles
