"""Whether channels can be reached: since when one has only failed, and when it is disabled for that."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import literal, select
from sqlalchemy.orm import Session

from core.errors import Reason
from core.store import channels, ledger, notices
from core.store.models import Channel, Delivery
from core.store.notices import NoticeKind
from core.store.states import ChannelState, DeliveryState


@dataclass(slots=True)
class Tried:
    """What a channel's tries of a moment came to; `failing_since` is what was known of it before.

    `said` is what a service named as the cause.
    """

    channel_id: str
    delivered: bool
    reason: Reason | None
    failing_since: datetime | None
    said: str | None = None


def worth_noting(tried: Iterable[Tried], now: datetime, patience: timedelta) -> list[Tried]:
    """Return what changes a channel's health: first failures, recoveries, 410s, and failing for too long."""
    noted: dict[str, Tried] = {}
    for one in tried:
        if (
            one.reason is Reason.GONE
            or (one.failing_since is None) != one.delivered
            or _too_long(one, now, patience)
        ):
            known = noted.get(one.channel_id)
            if known is None or _rank(one) > _rank(known):
                noted[one.channel_id] = one
    return list(noted.values())


def _too_long(one: Tried, now: datetime, patience: timedelta) -> bool:
    return not one.delivered and one.failing_since is not None and one.failing_since <= now - patience


def _rank(one: Tried) -> int:
    """Of one channel, a 410 counts first, then a success, then a failure."""
    return 2 if one.reason is Reason.GONE else int(one.delivered)


def note(
    session: Session, locked: Iterable[Channel], tried: Iterable[Tried], now: datetime, patience: timedelta
) -> list[Channel]:
    """Write what `worth_noting` found to channels that this transaction has locked; return those disabled."""
    by_id = {one.channel_id: one for one in tried}
    disabled = []
    for channel in locked:
        one = by_id.get(channel.id)
        if one is None:
            continue
        if one.delivered:
            channel.failing_since = None
        elif one.reason is Reason.GONE:
            disabled += _disable(session, channel, Reason.GONE, now, one.said)
        elif _only_failed(session, channel, now - patience):
            disabled += _disable(session, channel, Reason.FAILING, now)
        elif channel.failing_since is None:
            channel.failing_since = now
    session.flush()
    return disabled


def bounce(session: Session, channel: Channel, now: datetime) -> None:
    """Disable a locked mail channel, if it is active, whose address took a mail and sent it back for good."""
    _disable(session, channel, Reason.BOUNCED, now)
    session.flush()


def _only_failed(session: Session, channel: Channel, since: datetime) -> bool:
    """Tell whether a channel has failed all the time, asking the ledger for a success not noted here."""
    if channel.failing_since is None or channel.failing_since > since:
        return False
    success = select(literal(1)).where(
        Delivery.channel_id == channel.id,
        Delivery.state == DeliveryState.DELIVERED,
        Delivery.finished_at >= channel.failing_since,
    )
    if session.execute(success.limit(1)).scalar() is None:
        return True
    channel.failing_since = None
    return False


def _disable(
    session: Session, channel: Channel, reason: Reason, now: datetime, said: str | None = None
) -> list[Channel]:
    if channel.state != ChannelState.ACTIVE:
        return []
    if reason is Reason.GONE:
        ledger.cancel_channel(session, channel.id, reason, now)
    channels.set_state(session, channel, ChannelState.DISABLED, reason.value, now)
    words = _SAID if said else _WORDS[reason]
    notices.record(
        session,
        account_id=channel.account_id,
        channel_id=channel.id,
        kind=NoticeKind.CHANNEL_DISABLED,
        reason=reason,
        text=words.format(kind=channel.kind, id=channel.id, said=said),
        now=now,
    )
    return [channel]


_WORDS = {
    Reason.GONE: "The receiver of the {kind} channel {id} answered 410 Gone: it is disabled, and what was "
    "pending for it is cancelled.",
    Reason.BOUNCED: "A mail of the {kind} channel {id} came back for good: it is disabled, and what "
    "matches is held.",
    Reason.FAILING: "The {kind} channel {id} has only failed for days: it is disabled, and what "
    "matches is held.",
}
_SAID = (
    "The service behind the {kind} channel {id} takes nothing for it any more (it says: {said}): the channel "
    "is disabled, and what was pending for it is cancelled."
)
