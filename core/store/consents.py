"""What the reader of a mail channel decides about it, whoever's account it belongs to.

Channels must be locked where they are changed.
"""

from datetime import datetime

from sqlalchemy import delete, select, tuple_, update
from sqlalchemy.orm import Session

from core.errors import Reason
from core.store import channels, confirmations, ledger
from core.store.models import Attempt, Channel, Confirmation, Delivery, Subscription
from core.store.revisions import log_changes
from core.store.states import BY_READER, ChannelState


def is_wanted(session: Session, channel_id: str, target_hash: str) -> bool:
    """Tell whether mail may go to a channel at that address at this moment."""
    row = session.execute(
        select(Channel.state, Channel.target_hash).where(Channel.id == channel_id)
    ).one_or_none()
    return row is not None and (row.state, row.target_hash) == (ChannelState.ACTIVE, target_hash)


def confirm(session: Session, channel: Channel, now: datetime) -> None:
    """Begin to send, or begin again, where only the reader's word was missing; repeating changes nothing."""
    if channel.state != ChannelState.UNVERIFIED:
        return
    channels.set_state(session, channel, ChannelState.ACTIVE, None, now)
    asked = confirmations.latest(session, channel.id)
    if asked is not None:
        asked.confirmed_at, asked.due_at = now, None
    session.flush()


def leave(session: Session, channel: Channel, now: datetime) -> None:
    """Send nothing any more until the reader says otherwise; what is on its way is cancelled."""
    channel.state, channel.state_reason = ChannelState.UNVERIFIED, Reason.UNSUBSCRIBED
    channel.updated_at = now
    ledger.cancel_channel(session, channel.id, Reason.UNSUBSCRIBED, now)
    session.flush()


def has_left(channel: Channel) -> bool:
    """Tell whether the reader has unsubscribed."""
    return (channel.state, channel.state_reason) == (ChannelState.UNVERIFIED, Reason.UNSUBSCRIBED)


def pause(session: Session, channel: Channel, now: datetime) -> None:
    """Keep back what comes until the reader wants it; does nothing where nothing is sent anyway."""
    if channel.state == ChannelState.ACTIVE:
        channels.set_state(session, channel, ChannelState.PAUSED, BY_READER, now)


def resume(session: Session, channel: Channel, now: datetime) -> None:
    """Send again what the reader has paused; what its account has paused stays paused."""
    if is_paused_by_reader(channel):
        channels.set_state(session, channel, ChannelState.ACTIVE, None, now)


def is_paused_by_reader(channel: Channel) -> bool:
    """Tell whether it is the reader who wants nothing at present."""
    return (channel.state, channel.state_reason) == (ChannelState.PAUSED, BY_READER)


def subscriptions_of(session: Session, channel: Channel) -> list[Subscription]:
    """Return what the channel's reader follows."""
    which = select(Subscription).where(Subscription.channel_id == channel.id)
    return list(session.execute(which.order_by(Subscription.number)).scalars())


def drop(session: Session, channel: Channel, subscription_id: str) -> None:
    """End one of the reader's subscriptions; one that is not there is no matter."""
    which = select(Subscription).where(
        Subscription.channel_id == channel.id, Subscription.id == subscription_id
    )
    subscription = session.execute(which).scalar_one_or_none()
    if subscription is not None:
        log_changes(session, [subscription.number])
        session.delete(subscription)
        session.flush()


def erase(session: Session, channel: Channel, now: datetime) -> None:
    """Delete a channel with all that is known of its reader.

    What remains for 30 days is a hash of the address, and that it was asked, so that asking stays limited.
    """
    which = select(Delivery.id, Delivery.article_day).where(Delivery.channel_id == channel.id)
    attempts = tuple_(Attempt.delivery_id, Attempt.article_day).in_(which)
    for statement in (
        delete(Attempt).where(attempts),
        delete(Delivery).where(Delivery.channel_id == channel.id),
        update(Confirmation)
        .where(Confirmation.channel_id == channel.id)
        .values(due_at=None, problem=None, confirmed_at=None),
    ):
        session.execute(statement.execution_options(synchronize_session=False))
    channels.remove(session, channel, now)
