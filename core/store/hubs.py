"""Hubs that push a source's news (WebSub): what is asked of them, and the documents they sent."""

import secrets
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from core.ids import new_id
from core.store.models import HubSubscription, PushedDocument, Source

MOST_WAITING = 100
ANSWER_WITHIN = timedelta(hours=1)
AFTER_A_REFUSAL = timedelta(days=1)
SHORTEST_BACKOFF, LONGEST_BACKOFF = timedelta(minutes=10), timedelta(days=1)
SHORTEST_LEASE, LONGEST_LEASE = timedelta(minutes=10), timedelta(days=30)
RENEWED_AFTER = 0.75  # of a lease


class HubState(StrEnum):
    """How far a subscription at a hub got."""

    WANTED = "wanted"
    ACTIVE = "active"
    REFUSED = "refused"


@dataclass(frozen=True)
class Asked:
    """One request to a hub, committed before it is sent: a hub may verify before it answers."""

    source_id: str
    hub: str
    topic: str
    callback: str
    secret: str


def note(
    session: Session, source_id: str, hub: str, topic: str, seal: Callable[[str], str], now: datetime
) -> None:
    """Have a hub asked for a source, unless it was; `seal` encrypts the secret of its signatures."""
    row = session.get(HubSubscription, source_id, with_for_update=True)
    if row is not None and (row.hub, row.topic) == (hub, topic):
        return
    if row is not None:
        session.delete(row)
        session.flush()
    session.add(
        HubSubscription(
            source_id=source_id,
            hub=hub,
            topic=topic,
            callback=secrets.token_urlsafe(24),
            secret=seal(secrets.token_hex(32)),
            state=HubState.WANTED,
            next_step_at=now,
            failures=0,
            created_at=now,
        )
    )


def forget(session: Session, source_id: str) -> None:
    """Drop the subscription of a source that names no hub any more; the hub learns it at its next push."""
    session.execute(delete(HubSubscription).where(HubSubscription.source_id == source_id))


def of_sources(session: Session, source_ids: Collection[str]) -> dict[str, HubSubscription]:
    """Return the subscriptions of those of the sources that name a hub."""
    which = select(HubSubscription).where(HubSubscription.source_id.in_(source_ids))
    return {row.source_id: row for row in session.execute(which).scalars()}


def is_pushed(session: Session, source_id: str, now: datetime) -> bool:
    """Tell whether a hub pushes the source's news at present."""
    row = session.get(HubSubscription, source_id)
    return row is not None and row.state == HubState.ACTIVE and not _has_lapsed(row, now)


def ask_due(session: Session, now: datetime, limit: int = 20) -> list[Asked]:
    """Take the subscriptions that are to be asked for, or renewed, now; the caller sends what is returned."""
    which = select(HubSubscription).where(HubSubscription.next_step_at <= now)
    rows = session.execute(which.order_by(HubSubscription.next_step_at).limit(limit).with_for_update())
    return [_ask(session, row, now) for row in rows.scalars()]


def _ask(session: Session, row: HubSubscription, now: datetime) -> Asked:
    if row.state == HubState.ACTIVE and _has_lapsed(row, now):
        row.state = HubState.WANTED
        _poll_again(session, row.source_id, now)
    if row.asked_at is not None:  # the last request was never verified
        row.failures += 1
        row.last_error = "The hub accepted the request, but did not verify it within an hour"
    row.asked_at, row.next_step_at = now, _next_step(row, now + max(ANSWER_WITHIN, _backoff(row.failures)))
    return Asked(row.source_id, row.hub, row.topic, row.callback, row.secret)


def note_failure(session: Session, asked: Asked, words: str, now: datetime) -> None:
    """Record that a hub did not accept a request, and when it is asked again."""
    row = session.get(HubSubscription, asked.source_id, with_for_update=True)
    if row is None or row.callback != asked.callback or row.asked_at is None:
        return
    row.failures += 1
    row.asked_at, row.last_error = None, words
    row.next_step_at = _next_step(row, now + _backoff(row.failures))


def find(session: Session, callback: str, *, lock: bool = False) -> HubSubscription | None:
    """Return the subscription whose callback address was called."""
    which = select(HubSubscription).where(HubSubscription.callback == callback)
    return session.execute(which.with_for_update() if lock else which).scalar_one_or_none()


def verify(row: HubSubscription, lease: timedelta, now: datetime) -> None:
    """Record that the hub verified what was asked."""
    kept = min(max(lease, SHORTEST_LEASE), LONGEST_LEASE)
    row.state, row.asked_at, row.failures, row.last_error = HubState.ACTIVE, None, 0, None
    row.lease_until, row.next_step_at = now + kept, now + kept * RENEWED_AFTER


def refuse(session: Session, row: HubSubscription, reason: str, now: datetime) -> None:
    """Record that the hub denies the subscription; it is asked again a day later, and the source polled."""
    if row.state == HubState.ACTIVE:
        _poll_again(session, row.source_id, now)
    row.state, row.asked_at, row.lease_until = HubState.REFUSED, None, None
    row.last_error, row.next_step_at = reason, now + AFTER_A_REFUSAL


def keep(session: Session, source_id: str, content_type: str, body: bytes, now: datetime) -> bool:
    """Store a pushed document for the leader, unless too many wait; return whether it was."""
    which = select(func.count()).select_from(PushedDocument).where(PushedDocument.source_id == source_id)
    if session.execute(which).scalar_one() >= MOST_WAITING:
        return False
    session.add(
        PushedDocument(
            id=new_id("psh"), source_id=source_id, content_type=content_type, body=body, received_at=now
        )
    )
    return True


def waiting(session: Session, limit: int = 20) -> list[PushedDocument]:
    """Return the oldest documents that the leader has not taken."""
    return list(session.execute(select(PushedDocument).order_by(PushedDocument.id).limit(limit)).scalars())


def remove(session: Session, document_id: str) -> None:
    """Forget a document that was taken."""
    session.execute(delete(PushedDocument).where(PushedDocument.id == document_id))


def _has_lapsed(row: HubSubscription, now: datetime) -> bool:
    return row.lease_until is None or row.lease_until <= now


def _next_step(row: HubSubscription, planned: datetime) -> datetime:
    """Return when to act next: as planned, or as soon as a lease that is being renewed ends."""
    lease_ends = row.lease_until if row.state == HubState.ACTIVE else None
    return min(planned, lease_ends) if lease_ends is not None else planned


def _poll_again(session: Session, source_id: str, now: datetime) -> None:
    """Have a source polled that was asked only daily because it was pushed."""
    unasked = (Source.id == source_id, Source.next_poll_at > now)
    session.execute(update(Source).where(*unasked).values(next_poll_at=now))


def _backoff(failures: int) -> timedelta:
    return min(SHORTEST_BACKOFF * 2.0 ** min(max(failures - 1, 0), 20), LONGEST_BACKOFF)
