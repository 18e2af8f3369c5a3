"""Digests: one delivery that tells what came for a channel until an instant.

A digest is a row of the ledger with the event `digest`, made with the first article that waits for its
instant, and due then like any other delivery. Its articles are rows that bear the same `digest_at` and are in
no batch. Whoever claims the digest collects them, under the lock of its channel: from then on they bear its
id as their `message_id`, and what becomes of the digest becomes of them.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, case, null, or_, update
from sqlalchemy.orm import Session

from core.errors import Reason
from core.ids import new_ids
from core.store.bulk import BulkStatement
from core.store.claims import Claimed, claimed_of
from core.store.matched import matched_by
from core.store.models import Channel, Delivery, Subscription
from core.store.states import ChannelState, DeliveryState

DIGEST = "digest"
SUBSCRIPTIONS_LISTED = 20


@dataclass(frozen=True, slots=True)
class NewDigest:
    """A digest that something waits for; its state is that of a new delivery of the channel."""

    account_id: str
    channel_id: str
    queue: str
    state: DeliveryState
    due_at: datetime


@dataclass(frozen=True, slots=True)
class EndedDigest:
    """How a claimed digest ended, for what it told or was to tell."""

    digest: Claimed
    state: DeliveryState
    reason: Reason | None


# Nobody knows of a digest that was cancelled before anything was collected: it is there again for whatever
# comes until its instant.
_OPEN = BulkStatement(
    """
    INSERT INTO deliveries (
        id, article_day, account_id, channel_id, queue, article_id, version, event, matched, matched_total,
        state, attempts, due_at, enqueue_after, digest_at, created_at)
    SELECT
        r.id, r.day, r.account_id, r.channel_id, r.queue, r.name, 1, 'digest', '[]'{json}, 1,
        r.state, 0, r.due_at, CASE WHEN r.state = 'pending' THEN r.due_at END, r.due_at, :now
    FROM {rows}
    WHERE true
    ON CONFLICT (article_id, channel_id, version, article_day) DO UPDATE
    SET state = excluded.state, reason = NULL, due_at = excluded.due_at,
        enqueue_after = excluded.enqueue_after, finished_at = NULL
    WHERE deliveries.state = 'cancelled' AND deliveries.message_id IS NULL
    """,
    {
        "id": "text",
        "day": "date",
        "account_id": "text",
        "channel_id": "text",
        "queue": "text",
        "name": "text",
        "state": "text",
        "due_at": "timestamptz",
    },
)


def open_digests(session: Session, digests: Sequence[NewDigest], now: datetime) -> None:
    """Make the digests that are missing: one for a channel and instant; lock the channels before.

    On PostgreSQL the partition of each one's day must be there.
    """
    if not digests:
        return
    ids = new_ids("dlv", len(digests))
    _OPEN.run(session, [_new_row(id_, one) for id_, one in zip(ids, digests, strict=True)], now=now)


def _new_row(id_: str, new: NewDigest) -> tuple[Any, ...]:
    return (
        id_,
        new.due_at.date(),
        new.account_id,
        new.channel_id,
        new.queue,
        _name(new.due_at),
        new.state.value,
        new.due_at,
    )


def _name(due_at: datetime) -> str:
    """Return what stands where other deliveries have their article: unique with channel and day."""
    return f"digest_{due_at:%Y%m%dT%H%M%S.%f}Z"


_COLLECT = BulkStatement(
    """
    UPDATE deliveries
    SET digest_at = r.digest_at, message_id = r.message_id, due_at = NULL,
        version = COALESCE((
            SELECT articles.version FROM articles
            WHERE articles.id = deliveries.article_id AND articles.version > deliveries.version
                AND NOT EXISTS (
                    SELECT 1 FROM deliveries AS told
                    WHERE told.article_id = deliveries.article_id AND told.channel_id = deliveries.channel_id
                        AND told.article_day = deliveries.article_day AND told.version = articles.version)
        ), deliveries.version)
    FROM {rows}
    WHERE deliveries.channel_id = r.channel_id AND deliveries.digest_at <= r.until
        AND (deliveries.message_id IS NULL AND deliveries.event <> 'digest'
            AND deliveries.state IN ('pending', 'held')) IS TRUE
    """,
    {"channel_id": "text", "digest_at": "timestamptz", "message_id": "text", "until": "timestamptz"},
)


_CLOSE = BulkStatement(
    """
    UPDATE channels SET digested_until = r.until FROM {rows}
    WHERE channels.id = r.channel_id AND COALESCE(channels.digested_until < r.until, true)
    """,
    {"channel_id": "text", "until": "timestamptz"},
)


def collect(session: Session, digests: Sequence[Claimed], now: datetime) -> None:
    """Put what is due into claimed digests that have collected nothing yet, with the newest version of each.

    The channels must be locked. All that waits until now goes into one: so after days of downtime a channel
    gets one digest, and the others of it find nothing.
    """
    first = {digest.channel_id: digest for digest in reversed(digests)}
    until = {id_: max(now, one.digest_at or now) for id_, one in first.items()}
    _CLOSE.run(session, list(until.items()))
    _COLLECT.run(session, [(id_, one.digest_at, one.id, until[id_]) for id_, one in sorted(first.items())])


_ITEMS = BulkStatement(
    f"""
    SELECT {", ".join(f"deliveries.{name}" for name in Claimed.__dataclass_fields__)}
    FROM {{rows}} JOIN deliveries
        ON deliveries.channel_id = r.channel_id AND deliveries.digest_at = r.digest_at
    WHERE (deliveries.message_id = r.message_id AND deliveries.event <> 'digest') IS TRUE
    """,  # noqa: S608 (names of our own)
    {"channel_id": "text", "digest_at": "timestamptz", "message_id": "text"},
)


def items(session: Session, digests: Iterable[Claimed]) -> dict[str, list[Claimed]]:
    """Return what digests have collected, by the digest's id, also what was superseded since.

    So a try tells what the one before has told.
    """
    keys = [(one.channel_id, one.digest_at, one.id) for one in digests]
    found: dict[str, list[Claimed]] = {id_: [] for _channel, _at, id_ in keys}
    for row in _ITEMS.run(session, keys):
        item = claimed_of(row)
        found[str(item.message_id)].append(item)
    return found


_MARK = BulkStatement(
    """
    UPDATE deliveries SET message_id = r.id, matched = r.matched{json}, matched_total = r.total
    FROM {rows}
    WHERE deliveries.id = r.id AND deliveries.article_day = r.day
    """,
    {"id": "text", "day": "date", "matched": "text", "total": "integer"},
)


def mark(session: Session, collected: Iterable[tuple[Claimed, Sequence[Claimed]]]) -> None:
    """Note of digests that they have collected, and which subscriptions their articles match."""
    rows = []
    for digest, told in collected:
        known = {id_: query for item in told for id_, query in item.matched}
        digest.message_id = digest.id
        digest.matched_total = max(len(known), *(item.matched_total for item in told))
        digest.matched = [[id_, query] for id_, query in known.items()][:SUBSCRIPTIONS_LISTED]
        matched = json.dumps(digest.matched, ensure_ascii=False)
        rows.append((digest.id, digest.article_day, matched, digest.matched_total))
    if rows:
        _MARK.run(session, rows)


_FOLLOW = BulkStatement(
    """
    UPDATE deliveries
    SET state = r.state, reason = r.reason, finished_at = :now, due_at = NULL, enqueue_after = NULL
    FROM {rows}
    WHERE deliveries.channel_id = r.channel_id AND deliveries.digest_at = r.digest_at
        AND (COALESCE(deliveries.message_id, '') = r.message_id AND deliveries.event <> 'digest'
            AND (deliveries.state IN ('pending', 'held')
                OR r.message_id <> '' AND deliveries.state <> 'cancelled')) IS TRUE
    """,
    {
        "channel_id": "text",
        "digest_at": "timestamptz",
        "message_id": "text",
        "state": "text",
        "reason": "text",
    },
)


def follow(session: Session, ended: Iterable[EndedDigest], now: datetime) -> None:
    """Write for what digests have collected, or what waits for them, what became of them."""
    rows = [
        (
            one.digest.channel_id,
            one.digest.digest_at,
            one.digest.message_id or "",
            one.state.value,
            one.reason.value if one.reason else None,
        )
        for one in ended
    ]
    if rows:
        _FOLLOW.run(session, rows, now=now)


def move(
    session: Session,
    channel: Channel,
    subscription: Subscription,
    due_at: datetime,
    now: datetime,
    *,
    only_forward: bool,
) -> int:
    """Have what waits for a channel's digest, and a subscription matched, told by the one at another instant.

    With `only_forward` nothing is moved to a later one; without, that which no other subscription matched
    is. What comes too late for a digest that is on its way gets one of its own. Returns how many articles
    were moved. The channel must be locked, the instant's partition there.
    """
    if channel.digested_until and due_at <= channel.digested_until:
        due_at = channel.digested_until + timedelta(microseconds=1)
    later = Delivery.digest_at > due_at
    which = later if only_forward else or_(later, Delivery.matched_total == 1)
    moved = session.execute(
        update(Delivery)
        .where(Delivery.channel_id == channel.id, _waiting(), which, matched_by(session, subscription.id))
        .values(digest_at=due_at, due_at=due_at)
        .returning(Delivery.id)
        .execution_options(synchronize_session=False)
    ).all()
    if moved:
        state = DeliveryState.PENDING if channel.state == ChannelState.ACTIVE else DeliveryState.HELD
        open_digests(session, [NewDigest(channel.account_id, channel.id, channel.queue, state, due_at)], now)
    return len(moved)


def _waiting() -> ColumnElement[bool]:
    return and_(
        is_item(),
        Delivery.message_id.is_(None),
        Delivery.state.in_((DeliveryState.PENDING, DeliveryState.HELD)),
    )


def is_item() -> ColumnElement[bool]:
    """Return the condition for deliveries that a digest tells."""
    return and_(Delivery.digest_at.is_not(None), Delivery.event != DIGEST)


def let_go(now: datetime) -> dict[str, Any]:
    """Return the columns of deliveries that may be sent from now on: at once, digests at their instant.

    What a digest tells waits for that.
    """
    due_at = case((Delivery.digest_at > now, Delivery.digest_at), else_=now)
    return {"due_at": due_at, "enqueue_after": case((is_item(), null()), else_=due_at), "slot_at": None}
