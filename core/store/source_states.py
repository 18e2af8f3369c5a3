"""What becomes of sources: disabled, enabled, moved, merged, removed."""

from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from core.errors import Reason
from core.ids import new_id
from core.store import notices
from core.store.models import Source
from core.store.notices import NoticeKind
from core.store.sources import owned_by
from core.store.states import SourceState


def disable(session: Session, source: Source, reason: Reason, text: str, now: datetime) -> bool:
    """Poll a source no more, and have its owner told once; False if it was not polled anyway."""
    if source.state != SourceState.ACTIVE:
        return False
    source.state, source.state_reason = SourceState.DISABLED, reason.value
    source.next_poll_at, source.updated_at = None, now
    notices.record(
        session,
        account_id=source.account_id,
        source_id=source.id,
        kind=NoticeKind.SOURCE_DISABLED,
        reason=reason,
        text=text,
        now=now,
    )
    return True


def enable(source: Source, now: datetime) -> None:
    """Poll a source again, at once; what it failed at before counts no more."""
    source.state, source.state_reason, source.failures = SourceState.ACTIVE, None, 0
    source.next_poll_at = source.updated_at = now


def move(session: Session, source: Source, url: str, now: datetime) -> Source:
    """Give a source another address, or merge it into the owner's source there; return the one that goes on.

    The old address stays with a merged source, so that whoever adds it again finds the one that moved.
    """
    source.moving_to = None
    there = select(Source).where(owned_by(source.account_id), Source.url == url)
    found = session.execute(there).scalar_one_or_none()
    if found is None:
        _leave_behind(session, source, url, now)
        return source
    other = survivor(session, found)
    if other.id == source.id:
        _exchange(session, source, found)
    elif other.kind == source.kind:
        _merge(session, source, other, now)
        return other
    return source


def _leave_behind(session: Session, source: Source, url: str, now: datetime) -> None:
    old, source.url = source.url, url
    session.flush()
    stand_in = Source(
        id=new_id("src"),
        account_id=source.account_id,
        kind=source.kind,
        url=old,
        name=source.name,
        failures=0,
        created_at=now,
        updated_at=now,
    )
    session.add(stand_in)
    _retire(stand_in, source, now)


def _exchange(session: Session, source: Source, merged: Source) -> None:
    """Give a source back an address that stayed with one merged into it."""
    old, new = source.url, merged.url
    merged.url = f"moved:{merged.id}"
    session.flush()
    source.url = new
    session.flush()
    merged.url = old


def survivor(session: Session, source: Source) -> Source:
    """Return the source into which one was merged, else itself."""
    return session.get_one(Source, source.merged_into) if source.merged_into else source


def _merge(session: Session, source: Source, other: Source, now: datetime) -> None:
    """Let `other` go on for both.

    The entries of `source` stay: they say what was told under its name (`core.store.articles.origin_of`).
    """
    values = {"merged_into": other.id, "updated_at": now}
    session.execute(update(Source).where(Source.merged_into == source.id).values(values))
    _retire(source, other, now)
    other.absorbed = True
    if other.state == SourceState.DISABLED:
        enable(other, now)  # its address was just read


def _retire(source: Source, other: Source, now: datetime) -> None:
    source.state, source.state_reason, source.merged_into = SourceState.MERGED, "moved", other.id
    source.next_poll_at, source.updated_at = None, now


def remove(session: Session, source: Source) -> None:
    """Delete a source with those that were merged into it; articles stay."""
    session.execute(delete(Source).where(Source.merged_into == source.id))
    session.delete(source)
