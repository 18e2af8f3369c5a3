"""Articles that accounts publish themselves: recorded in the outbox before anything else."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.ids import new_id
from core.message import ArticleMessage
from core.store.entries import entries_of, new_entry
from core.store.models import Entry, Source
from core.store.sources import visible_to


def record(session: Session, message: ArticleMessage, source_id: str, now: datetime) -> tuple[Entry, bool]:
    """Put a message into the outbox; return its row, and whether the message was new.

    A version that is not newer than the one stored changes nothing. Raises sqlalchemy's IntegrityError where
    another transaction was first: do it again.
    """
    entry = entries_of(session, source_id, [message.id]).get(message.id)
    if entry is None:
        entry = new_entry(source_id, new_id("art"), message, [], now)
        session.add(entry)
        session.flush()
        return entry, True
    if message.version <= entry.version:
        return entry, False
    entry.version, entry.message, entry.published = message.version, message.as_json(), False
    entry.last_seen_at = entry.changed_at = now
    return entry, True


def find(session: Session, account_id: str, article_id: str) -> Entry | None:
    """Return the outbox row of an article that an account may see."""
    which = select(Entry).join(Source, Source.id == Entry.source_id)
    which = which.where(Entry.article_id == article_id, visible_to(account_id))
    return session.execute(which.limit(1)).scalar_one_or_none()
