"""What sources have shown: the outbox from which articles are published."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.ids import new_ids
from core.message import ArticleMessage
from core.store.bulk import BulkStatement
from core.store.models import Entry

OUTBOX_BATCH = 200

_INSERT = BulkStatement(
    """
    INSERT INTO entries (
        source_id, producer_id, article_id, version, link, seen_hashes, message, published,
        first_seen_at, last_seen_at, changed_at)
    SELECT :source_id, r.producer_id, r.article_id, r.version, r.link, r.seen_hashes{json}, r.message{json},
        r.message IS NULL, :now, :now, :now
    FROM {rows}
    """,
    {
        "producer_id": "text",
        "article_id": "text",
        "version": "bigint",
        "link": "text",
        "seen_hashes": "text",
        "message": "text",
    },
)
_UPDATE = BulkStatement(
    """
    UPDATE entries SET version = r.version, link = r.link, seen_hashes = r.seen_hashes{json},
        message = r.message{json}, published = (r.message IS NULL), last_seen_at = :now, changed_at = :now
    FROM {rows}
    WHERE entries.source_id = :source_id AND entries.producer_id = r.producer_id
    """,
    {"producer_id": "text", "version": "bigint", "link": "text", "seen_hashes": "text", "message": "text"},
)
_TOUCH = BulkStatement(
    """
    UPDATE entries SET last_seen_at = :now, link = r.link FROM {rows}
    WHERE entries.source_id = :source_id AND entries.producer_id = r.producer_id
    """,
    {"producer_id": "text", "link": "text"},
)
_MARK_PUBLISHED = BulkStatement(
    """
    UPDATE entries SET published = true FROM {rows}
    WHERE entries.source_id = r.source_id AND entries.producer_id = r.producer_id
        AND entries.version = r.version
    """,
    {"source_id": "text", "producer_id": "text", "version": "bigint"},
)


@dataclass(frozen=True, slots=True)
class Unpublished:
    """A message that no broker has confirmed yet."""

    source_id: str
    producer_id: str
    version: int
    message: ArticleMessage


def entries_of(session: Session, source_id: str, producer_ids: Sequence[str]) -> dict[str, Entry]:
    """Return the known entries of a source among the given identities, locked."""
    which = select(Entry).where(Entry.source_id == source_id, Entry.producer_id.in_(producer_ids))
    rows = session.execute(which.order_by(Entry.producer_id).with_for_update()).scalars()
    return {entry.producer_id: entry for entry in rows}


@dataclass(frozen=True, slots=True)
class Shown:
    """What is known of an entry, but for its message."""

    version: int
    link: str | None
    seen_hashes: tuple[str, ...]
    published: bool
    first_seen_at: datetime
    last_seen_at: datetime


@dataclass(frozen=True, slots=True)
class Change:
    """What an entry says now, with every hash that it ever had; without a message nobody is told."""

    producer_id: str
    version: int
    link: str | None
    seen_hashes: tuple[str, ...]
    message: ArticleMessage | None


def shown_among(session: Session, source_id: str, producer_ids: Sequence[str]) -> dict[str, Shown]:
    """Return the known entries of a source among the given identities, which are not locked."""
    columns = (
        Entry.producer_id,
        Entry.version,
        Entry.link,
        Entry.seen_hashes,
        Entry.published,
        Entry.first_seen_at,
        Entry.last_seen_at,
    )
    which = select(*columns).where(Entry.source_id == source_id, Entry.producer_id.in_(producer_ids))
    return {
        producer_id: Shown(version, link, tuple(hashes), published, first_seen_at, last_seen_at)
        for producer_id, version, link, hashes, published, first_seen_at, last_seen_at in session.execute(
            which
        )
    }


def add(session: Session, source_id: str, changes: Sequence[Change], now: datetime) -> None:
    """Store entries that were never seen before."""
    if changes:
        ids = new_ids("art", len(changes))
        rows = [(one.producer_id, id_, *_values(one)) for id_, one in zip(ids, changes, strict=True)]
        _INSERT.run(session, rows, source_id=source_id, now=now)


def change(session: Session, source_id: str, changes: Sequence[Change], now: datetime) -> None:
    """Store what known entries say now."""
    if changes:
        rows = [(one.producer_id, *_values(one)) for one in changes]
        _UPDATE.run(session, rows, source_id=source_id, now=now)


def touch(session: Session, source_id: str, links: Mapping[str, str | None], now: datetime) -> None:
    """Note that known entries were seen again, and where they lead now."""
    if links:
        _TOUCH.run(session, list(links.items()), source_id=source_id, now=now)


def _values(one: Change) -> tuple[int, str | None, str, str | None]:
    message = None if one.message is None else json.dumps(one.message.as_json(), ensure_ascii=False)
    return one.version, one.link, json.dumps(one.seen_hashes), message


def known_among(session: Session, source_id: str, producer_ids: Sequence[str]) -> set[str]:
    """Return which of the given identities a source has shown."""
    which = select(Entry.producer_id).where(Entry.source_id == source_id, Entry.producer_id.in_(producer_ids))
    return set(session.execute(which).scalars())


def unpublished(
    session: Session, limit: int = OUTBOX_BATCH, changed_before: datetime | None = None
) -> list[Unpublished]:
    """Return the oldest messages of the outbox."""
    waiting = select(Entry).where(Entry.published.is_(False)).order_by(Entry.changed_at).limit(limit)
    if changed_before is not None:
        waiting = waiting.where(Entry.changed_at <= changed_before)
    return [as_unpublished(entry) for entry in session.execute(waiting).scalars()]


def as_unpublished(entry: Entry) -> Unpublished:
    """Return the message that an outbox row holds."""
    message = ArticleMessage.model_validate(entry.message)
    return Unpublished(entry.source_id, entry.producer_id, entry.version, message)


def mark_published(session: Session, sent: Sequence[Unpublished]) -> None:
    """Take confirmed messages out of the outbox, unless a newer version came meanwhile."""
    if sent:
        _MARK_PUBLISHED.run(session, [(item.source_id, item.producer_id, item.version) for item in sent])


def new_entry(
    source_id: str, article_id: str, message: ArticleMessage, hashes: list[str], now: datetime
) -> Entry:
    """Return a fresh outbox row for a message."""
    return Entry(
        source_id=source_id,
        producer_id=message.id,
        article_id=article_id,
        version=message.version,
        seen_hashes=hashes,
        message=message.as_json(),
        published=False,
        first_seen_at=now,
        last_seen_at=now,
        changed_at=now,
    )
