"""Subscriptions: stored queries, and who gets what they match."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.digest_schedule import DigestSchedule, schedule_of
from core.ids import new_id
from core.store.bulk import BulkStatement
from core.store.models import Subscription
from core.store.revisions import log_changes
from core.store.states import ChannelState

LOOKUP_SIZE = 10_000


@dataclass(frozen=True)
class NewSubscription:
    """A checked query for a channel; `canonical` is what the matching index gets."""

    query: str
    canonical: str
    topic: bool
    sources: list[str] | None = None
    languages: list[str] | None = None
    updates: bool = False
    once_per_story: bool = False
    schedule: DigestSchedule | None = None


@dataclass(slots=True)
class Recipient:
    """A matched subscription with its channel, as planning needs them."""

    id: str
    query: str
    updates: bool
    account_id: str
    channel_id: str
    queue: str
    channel_state: ChannelState
    ordering: str = "any"
    once_per_story: bool = False
    schedule: DigestSchedule | None = None


def add(
    session: Session, account_id: str, channel_id: str, new: NewSubscription, now: datetime
) -> Subscription:
    """Insert a subscription and log the change."""
    subscription = Subscription(
        id=new_id("sub"),
        account_id=account_id,
        channel_id=channel_id,
        query=new.query,
        topic=new.topic,
        canonical=new.canonical,
        sources=new.sources,
        languages=new.languages,
        updates=new.updates,
        once_per_story=new.once_per_story,
        schedule=_written(new.schedule),
        created_at=now,
        updated_at=now,
    )
    session.add(subscription)
    session.flush()
    log_changes(session, [subscription.number])
    return subscription


def change(session: Session, subscription: Subscription, new: NewSubscription, now: datetime) -> None:
    """Replace a subscription's query and filters and log the change."""
    subscription.query, subscription.canonical, subscription.topic = new.query, new.canonical, new.topic
    subscription.sources, subscription.languages = new.sources, new.languages
    subscription.updates, subscription.once_per_story = new.updates, new.once_per_story
    subscription.schedule = _written(new.schedule)
    subscription.updated_at = now
    log_changes(session, [subscription.number])


def _written(schedule: DigestSchedule | None) -> str | None:
    return schedule.written() if schedule else None


def find(
    session: Session, account_id: str, subscription_id: str, *, lock: bool = False
) -> Subscription | None:
    """Return an account's subscription, locked until the transaction ends if `lock`."""
    which = select(Subscription).where(
        Subscription.id == subscription_id, Subscription.account_id == account_id
    )
    return session.execute(which.with_for_update() if lock else which).scalar_one_or_none()


def by_id(session: Session, account_id: str, subscription_ids: Sequence[str]) -> dict[str, Subscription]:
    """Return those of the given subscriptions that the account has, by id."""
    which = Subscription.id.in_(subscription_ids), Subscription.account_id == account_id
    return {found.id: found for found in session.execute(select(Subscription).where(*which)).scalars()}


def to_topic(session: Session, channel_id: str, canonical: str) -> list[Subscription]:
    """Return a channel's subscriptions to a topic, which is known by its canonical query."""
    which = select(Subscription).where(
        Subscription.channel_id == channel_id, Subscription.topic, Subscription.canonical == canonical
    )
    return list(session.execute(which.order_by(Subscription.number).with_for_update()).scalars())


def remove(session: Session, subscription: Subscription) -> None:
    """Delete a subscription and log the change."""
    log_changes(session, [subscription.number])
    session.delete(subscription)


_RECIPIENTS = BulkStatement(
    """
    SELECT s.id, s.query, s.updates, s.account_id, s.channel_id, c.queue, c.state,
        c.ordering, s.once_per_story, s.schedule
    FROM subscriptions AS s JOIN channels AS c ON c.id = s.channel_id
    WHERE s.number {among} AND (CAST(:owner AS text) IS NULL OR s.account_id = :owner)
    ORDER BY s.number
    """,
    {"number": "bigint"},
)


def recipients(session: Session, numbers: Sequence[int], owner: str | None) -> list[Recipient]:
    """Return the matched subscriptions that exist still and may see an article of `owner`.

    An article without owner is the installation's, which every account sees.
    """
    found: list[Recipient] = []
    for chunk in _chunks(numbers):
        rows = _RECIPIENTS.run(session, [(number,) for number in chunk], owner=owner)
        found.extend(map(_recipient, rows))
    return found


def _recipient(row: Any) -> Recipient:
    return Recipient(
        id=row[0],
        query=row[1],
        updates=bool(row[2]),
        account_id=row[3],
        channel_id=row[4],
        queue=row[5],
        channel_state=ChannelState(row[6]),
        ordering=row[7],
        once_per_story=bool(row[8]),
        schedule=schedule_of(row[9]) if row[9] else None,
    )


_EXISTING = BulkStatement("SELECT id FROM subscriptions WHERE id {among}", {"id": "text"})


def existing(session: Session, subscription_ids: Iterable[str]) -> set[str]:
    """Return those of the given subscriptions that were not deleted."""
    rows = _EXISTING.run(session, [(id_,) for id_ in set(subscription_ids)])
    return {id_ for (id_,) in rows}


def _chunks(numbers: Sequence[int]) -> Iterable[list[int]]:
    plain = [int(number) for number in numbers]
    return (plain[start : start + LOOKUP_SIZE] for start in range(0, len(plain), LOOKUP_SIZE))
