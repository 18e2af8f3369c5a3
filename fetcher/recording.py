"""Storing what is new of what a source shows."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from core.ids import new_id
from core.message import SourceRef
from core.store import entries
from core.store.entries import Unpublished
from core.store.models import Entry, Source
from core.text import shorten
from fetcher.identity import (
    Identified,
    KnownEntry,
    New,
    Unchanged,
    candidate_ids,
    decide,
    identify,
    link_of,
    select_backfill,
    to_message,
)
from fetcher.reading import News
from fetcher.urls import host_of


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a poll has put into the outbox, and how many articles were never seen before.

    Something is `left` where the source shows what an earlier poll has put there and no broker has confirmed.
    """

    waiting: list[Unpublished]
    new: int
    left: bool = False


def record(session: Session, source: Source, news: News, now: datetime, backfill: int) -> Recorded:
    """Store what is new in the transaction; the first time only the newest `backfill` are told."""
    rows = entries.entries_of(session, source.id, sorted(candidate_ids(news.items)))
    known = {
        id_: KnownEntry(row.version, tuple(row.seen_hashes), row.last_seen_at, row.link)
        for id_, row in rows.items()
    }
    left = not all(row.published for row in rows.values())
    identified = identify(news.items, known)
    silent: set[str] = set()
    if source.last_success_at is None:
        silent = {one.entry_id for one in select_backfill(identified, backfill).recorded}
    shown = SourceRef(id=source.id, name=name_of(source, news))
    changed = (_record_one(session, shown, rows, known, one, now) for one in identified)
    waiting = [
        entries.as_unpublished(entry)
        for entry in changed
        if entry is not None and not _silenced(entry, entry.producer_id in silent)
    ]
    return Recorded(waiting, sum(one.entry_id not in known for one in identified), left)


def _record_one(
    session: Session,
    source: SourceRef,
    rows: Mapping[str, Entry],
    known: Mapping[str, KnownEntry],
    one: Identified,
    now: datetime,
) -> Entry | None:
    """Store what is new of one item; return its row if there is something to tell."""
    entry = rows.get(one.entry_id)
    decision = decide(known.get(one.entry_id), one.item, now)
    if isinstance(decision, Unchanged):
        if entry is not None and decision.touch:
            entry.last_seen_at, entry.link = now, link_of(one.item)
        return None
    first_seen_at = entry.first_seen_at if entry else now
    message = to_message(one.item, source.id, source.name, one.entry_id, decision.version, first_seen_at)
    if entry is None or isinstance(decision, New):
        entry = entries.new_entry(source.id, new_id("art"), message, list(decision.seen_hashes), now)
        entry.link = link_of(one.item)
        session.add(entry)
    else:
        entry.version, entry.message, entry.published = decision.version, message.as_json(), False
        entry.seen_hashes, entry.link = list(decision.seen_hashes), link_of(one.item)
        entry.last_seen_at = entry.changed_at = now
    return entry


def _silenced(entry: Entry, silent: bool) -> bool:
    """Record an entry as seen without telling it, where `silent`."""
    if silent:
        entry.message, entry.published = None, True
    return silent


def name_of(source: Source, news: News) -> str:
    """Return the name that somebody gave the source, else the document's own title."""
    unnamed = source.name in ("", source.url, host_of(source.url))
    return shorten(news.title, 200) if news.title and unnamed else source.name
