"""Batches: which deliveries one task message names, and how many of them an account has in the broker.

A batch is a row from before it is enqueued until all its deliveries are dealt with, so no message that the
broker loses is missed, and a backlog waits here, where accounts can take turns, not in the broker.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any
from zlib import crc32

from sqlalchemy import insert, select, text, update
from sqlalchemy.orm import Session

from core.ids import new_ids
from core.store.bulk import BulkStatement
from core.store.models import Batch as Row

BATCH_SIZE = 1000
ENQUEUE_AGAIN_AFTER = timedelta(seconds=60)
SHARED = ""
SHARED_MOST = 20  # what an account may have in a batch with others
IN_BROKER = {False: 3, True: 1}  # first tries and retries: 4 of an account and kind together
_LOCKS = 64
_LOCK_SPACE = 0x62617463

Lane = tuple[str, str, bool]
"""Account (or SHARED), queue, and whether it is for retries."""


class BatchState(StrEnum):
    """Where a batch stands."""

    WAITING = "waiting"
    ENQUEUED = "enqueued"
    CLAIMED = "claimed"


@dataclass(frozen=True, slots=True)
class Batch:
    """What one task message names."""

    id: str
    queue: str
    day: date
    ids: list[str]


@dataclass(slots=True)
class Due:
    """A delivery that must get into the broker."""

    id: str
    account_id: str
    queue: str
    day: date
    retry: bool = False


def put(session: Session, due: Iterable[Due], now: datetime) -> list[Batch]:
    """Make batches of deliveries; return those that must be enqueued after the commit, the rest wait."""
    groups = list(_grouped(due))
    if not groups:
        return []
    values = [
        {
            "id": id_,
            "account_id": account,
            "queue": queue,
            "article_day": day,
            "delivery_ids": ids,
            "retry": retry,
            "state": BatchState.WAITING,
            "created_at": now,
        }
        for id_, ((account, queue, retry), day, ids) in zip(new_ids("bat", len(groups)), groups, strict=True)
    ]
    session.execute(insert(Row), values)
    return promote(session, {lane for lane, _day, _ids in groups}, now)


def _grouped(due: Iterable[Due]) -> Iterator[tuple[Lane, date, list[str]]]:
    by_account: dict[tuple[str, date, bool], dict[str, list[str]]] = {}
    for row in due:
        accounts = by_account.setdefault((row.queue, row.day, row.retry), {})
        accounts.setdefault(row.account_id, []).append(row.id)
    for (queue, day, retry), accounts in by_account.items():
        alone = len(accounts) == 1
        shared: list[str] = []
        for account, ids in accounts.items():
            if len(ids) > SHARED_MOST or alone:
                yield from (((account, queue, retry), day, part) for part in _parts(ids))
            else:
                shared += ids
        yield from (((SHARED, queue, retry), day, part) for part in _parts(shared))


def _parts(ids: list[str]) -> Iterator[list[str]]:
    return (ids[start : start + BATCH_SIZE] for start in range(0, len(ids), BATCH_SIZE))


_PROMOTE = BulkStatement(
    """
    UPDATE batches SET state = 'enqueued', enqueue_after = :again
    WHERE state = 'waiting' AND id IN (
        SELECT ranked.id FROM (
            SELECT b.id, b.account_id, b.queue, b.retry, row_number() OVER (
                PARTITION BY b.account_id, b.queue, b.retry ORDER BY b.id) AS place
            FROM {rows} JOIN batches AS b
                ON b.account_id = r.account_id AND b.queue = r.queue AND b.retry = (r.retry = 1)
            WHERE b.state = 'waiting'
        ) AS ranked
        WHERE ranked.place <= (CASE WHEN ranked.retry THEN :retries ELSE :firsts END) - (
            SELECT count(*) FROM batches AS busy
            WHERE busy.account_id = ranked.account_id AND busy.queue = ranked.queue
                AND busy.retry = ranked.retry AND busy.state = 'enqueued')
    )
    RETURNING id, queue, article_day, delivery_ids
    """,
    {"account_id": "text", "queue": "text", "retry": "integer"},
)


def promote(session: Session, lanes: Iterable[Lane], now: datetime) -> list[Batch]:
    """Mark as enqueued what of the given lanes has a place in the broker; enqueue it after the commit."""
    wanted = sorted(set(lanes))
    if not wanted:
        return []
    _lock(session, wanted)
    rows = _PROMOTE.run(
        session,
        [(account, queue, int(retry)) for account, queue, retry in wanted],
        again=now + ENQUEUE_AGAIN_AFTER,
        firsts=IN_BROKER[False],
        retries=IN_BROKER[True],
    )
    return _in_order(rows)


def _lock(session: Session, lanes: Iterable[Lane]) -> None:
    """Let nobody else count what these lanes have in the broker until the transaction ends."""
    if session.get_bind().dialect.name != "postgresql":
        return
    keys = sorted({crc32(f"{account} {queue}".encode()) % _LOCKS for account, queue, _retry in lanes})
    session.execute(
        text("SELECT pg_advisory_xact_lock(:space, key) FROM unnest(CAST(:keys AS integer[])) AS key"),
        {"space": _LOCK_SPACE, "keys": keys},
    )


def _in_order(rows: Iterable[Any]) -> list[Batch]:
    return sorted(map(_batch, rows), key=lambda batch: batch.id)


def _batch(row: Any) -> Batch:
    day = row.article_day if isinstance(row.article_day, date) else date.fromisoformat(row.article_day)
    ids = json.loads(row.delivery_ids) if isinstance(row.delivery_ids, str) else row.delivery_ids
    return Batch(row.id, row.queue, day, ids)


def promote_waiting(session: Session, now: datetime) -> list[Batch]:
    """Promote what waits of all lanes, for where the message that would have drawn it was lost."""
    waiting = select(Row.account_id, Row.queue, Row.retry).where(Row.state == BatchState.WAITING).distinct()
    lanes = [(row.account_id, row.queue, row.retry) for row in session.execute(waiting)]
    return promote(session, lanes, now)


def take_lost(session: Session, now: datetime) -> list[Batch]:
    """Return enqueued batches that nobody has taken for a minute, to be enqueued again."""
    lost = (
        select(Row.id)
        .where(Row.state == BatchState.ENQUEUED, Row.enqueue_after <= now)
        .with_for_update(skip_locked=True)
        .cte("lost")
    )
    statement = (
        update(Row)
        .where(Row.id.in_(select(lost.c.id)))
        .values(enqueue_after=now + ENQUEUE_AGAIN_AFTER)
        .returning(Row.id, Row.queue, Row.article_day, Row.delivery_ids)
        .execution_options(synchronize_session=False)
    )
    return _in_order(session.execute(statement))


def give_back(session: Session, batch_ids: Sequence[str]) -> None:
    """Let enqueued batches wait again; the sweep promotes them."""
    session.execute(
        update(Row)
        .where(Row.id.in_(batch_ids), Row.state == BatchState.ENQUEUED)
        .values(state=BatchState.WAITING, enqueue_after=None)
        .execution_options(synchronize_session=False)
    )
