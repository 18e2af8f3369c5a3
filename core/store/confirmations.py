"""Mails that ask whether an address wants what a channel sends: limited, and waiting to be sent."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import and_, delete, func, select, update
from sqlalchemy.orm import Session

from core.errors import Reason
from core.ids import new_id
from core.store.models import Channel, Confirmation, Subscription
from core.store.notices import next_try
from core.store.states import ChannelState

KEPT = timedelta(days=30)
APART = timedelta(minutes=10)
MOST_OF_ACCOUNT = 5  # in 30 days, to one address
MOST_OF_ALL = 10  # in a day, to one address
DAY = timedelta(days=1)
TOPICS_SHOWN = 5


@dataclass(frozen=True)
class DueConfirmation:
    """A confirmation mail to be sent now: its channel, and what that channel follows.

    The channel is None where it is gone, has another address or was confirmed meanwhile.
    """

    confirmation: Confirmation
    channel: Channel | None
    queries: Sequence[str]
    queries_total: int


def request(session: Session, channel: Channel, now: datetime) -> datetime | None:
    """Have an unverified channel's address asked; return when that may be done, if not now.

    The address is asked at most 5 times in 30 days by one account, 10 minutes apart, and 10 times in a day
    by all.
    """
    asked = session.execute(
        select(Confirmation.account_id, Confirmation.requested_at)
        .where(Confirmation.target_hash == channel.target_hash, Confirmation.requested_at > now - KEPT)
        .order_by(Confirmation.requested_at)
    ).all()
    of_account = [row.requested_at for row in asked if row.account_id == channel.account_id]
    allowed_at = next_allowed(of_account, [row.requested_at for row in asked], now)
    if allowed_at > now:
        return allowed_at
    session.add(
        Confirmation(
            id=new_id("cfm"),
            account_id=channel.account_id,
            channel_id=channel.id,
            target_hash=channel.target_hash,
            requested_at=now,
            tries=0,
            due_at=now,
        )
    )
    session.flush()
    return None


def next_allowed(of_account: Sequence[datetime], of_all: Sequence[datetime], now: datetime) -> datetime:
    """Return from when on an address may be asked again, by when it was asked; both lists ascend."""
    allowed = now
    if of_account:
        allowed = max(allowed, of_account[-1] + APART)
    if len(of_account) >= MOST_OF_ACCOUNT:
        allowed = max(allowed, of_account[-MOST_OF_ACCOUNT] + KEPT)
    if len(of_all) >= MOST_OF_ALL:
        allowed = max(allowed, of_all[-MOST_OF_ALL] + DAY)
    return allowed


def latest(session: Session, channel_id: str) -> Confirmation | None:
    """Return what is known of the mail that a channel's address was last asked by."""
    which = select(Confirmation).where(Confirmation.channel_id == channel_id)
    return session.execute(which.order_by(Confirmation.id.desc()).limit(1)).scalar()


def take_due(session: Session, now: datetime, limit: int, of_account: int) -> list[DueConfirmation]:
    """Return mails that are due, the longest waiting first, so many of one account at most."""
    rank = func.row_number().over(partition_by=Confirmation.account_id, order_by=Confirmation.due_at)
    due = select(Confirmation.id, rank.label("rank")).where(Confirmation.due_at <= now).subquery()
    which = (
        select(Confirmation, Channel)
        .join(due, and_(due.c.id == Confirmation.id, due.c.rank <= of_account))
        .join(Channel, Channel.id == Confirmation.channel_id, isouter=True)
        .order_by(Confirmation.due_at)
        .limit(limit)
    )
    return [_with_queries(session, row[0], row[1]) for row in session.execute(which)]


def _with_queries(session: Session, confirmation: Confirmation, channel: Channel | None) -> DueConfirmation:
    if channel is None or not _still_asked(confirmation, channel):
        return DueConfirmation(confirmation, None, [], 0)
    followed = Subscription.channel_id == channel.id
    total = session.execute(select(func.count()).select_from(Subscription).where(followed)).scalar_one()
    first = select(Subscription.query).where(followed).order_by(Subscription.number).limit(TOPICS_SHOWN)
    return DueConfirmation(confirmation, channel, session.execute(first).scalars().all(), total)


def _still_asked(confirmation: Confirmation, channel: Channel) -> bool:
    unverified = channel.state == ChannelState.UNVERIFIED
    return unverified and channel.target_hash == confirmation.target_hash


def mark_sent(session: Session, confirmation_id: str, now: datetime) -> None:
    """Note that a mail is on its way."""
    _set(session, confirmation_id, sent_at=now, due_at=None, problem=None, tries=Confirmation.tries + 1)


def postpone(session: Session, confirmation: Confirmation, problem: str, now: datetime) -> datetime | None:
    """Note that a try failed; return when the next is due, None once that was the last."""
    due_at = next_try(confirmation.tries + 1, now)
    _set(session, confirmation.id, problem=problem, due_at=due_at, tries=Confirmation.tries + 1)
    return due_at


def close(session: Session, confirmation_id: str, problem: str) -> None:
    """Note why a mail is not sent, or why it did not arrive."""
    _set(session, confirmation_id, problem=problem, due_at=None)


def note_bounce(session: Session, channel: Channel) -> None:
    """Note that the mail which asked an unverified channel's address came back."""
    asked = latest(session, channel.id)
    if asked is not None:
        close(session, asked.id, f"{Reason.BOUNCED}: the mail came back")


def _set(session: Session, confirmation_id: str, **values: object) -> None:
    session.execute(
        update(Confirmation)
        .where(Confirmation.id == confirmation_id)
        .values(values)
        .execution_options(synchronize_session=False)
    )


def forget_old(session: Session, now: datetime) -> None:
    """Delete what counts no more, except the consents that were given to channels that still exist."""
    exists = select(Channel.id).where(Channel.id == Confirmation.channel_id).exists()
    old = and_(Confirmation.requested_at <= now - KEPT, Confirmation.due_at.is_(None))
    session.execute(
        delete(Confirmation)
        .where(old, ~(Confirmation.confirmed_at.is_not(None) & exists))
        .execution_options(synchronize_session=False)
    )
