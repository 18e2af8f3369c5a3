"""What sources have shown: the outbox from which articles are published."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, tuple_, update
from sqlalchemy.orm import Session

from core.message import ArticleMessage
from core.store.models import Entry

OUTBOX_BATCH = 200


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
    if not sent:
        return
    keys = [(item.source_id, item.producer_id, item.version) for item in sent]
    session.execute(
        update(Entry)
        .where(tuple_(Entry.source_id, Entry.producer_id, Entry.version).in_(keys))
        .values(published=True)
        .execution_options(synchronize_session=False)
    )


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
