"""Storing what is new of what a source shows."""

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.orm import Session

from core.message import SourceRef
from core.store import entries
from core.store.entries import Change, Shown, Unpublished
from core.store.models import Source
from core.text import shorten
from fetcher.identity import (
    Decision,
    Identified,
    KnownEntry,
    New,
    Updated,
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
    """Store what is new in the transaction, which must hold the source's row locked against another such.

    The first time only the newest `backfill` are told.
    """
    shown = entries.shown_among(session, source.id, sorted(candidate_ids(news.items)))
    known = {
        id_: KnownEntry(one.version, one.seen_hashes, one.last_seen_at, one.link)
        for id_, one in shown.items()
    }
    identified = identify(news.items, known)
    silent: set[str] = set()
    if source.last_success_at is None:
        silent = {one.entry_id for one in select_backfill(identified, backfill).recorded}
    found = _Found(SourceRef(id=source.id, name=name_of(source, news)), shown, silent, now)
    for one in identified:
        found.take(one, decide(known.get(one.entry_id), one.item, now))
    found.store(session)
    return Recorded(found.waiting(), len(found.new), not all(one.published for one in shown.values()))


@dataclass(frozen=True, slots=True)
class _Found:
    """What a document says that is not stored yet, one item after the other."""

    source: SourceRef
    shown: Mapping[str, Shown]
    silent: Container[str]
    now: datetime
    new: list[Change] = field(default_factory=list)
    changed: list[Change] = field(default_factory=list)
    seen_again: dict[str, str | None] = field(default_factory=dict)

    def take(self, one: Identified, decision: Decision) -> None:
        """Note what is to be stored of an item."""
        if isinstance(decision, New):
            self.new.append(self._change(one, decision))
        elif isinstance(decision, Updated):
            self.changed.append(self._change(one, decision))
        elif decision.touch:
            self.seen_again[one.entry_id] = link_of(one.item)

    def _change(self, one: Identified, decision: New | Updated) -> Change:
        id_, message = one.entry_id, None
        if id_ not in self.silent:
            first_seen_at = self.shown[id_].first_seen_at if id_ in self.shown else self.now
            source = self.source
            message = to_message(one.item, source.id, source.name, id_, decision.version, first_seen_at)
        return Change(id_, decision.version, link_of(one.item), decision.seen_hashes, message)

    def store(self, session: Session) -> None:
        """Write it all."""
        entries.add(session, self.source.id, self.new, self.now)
        entries.change(session, self.source.id, self.changed, self.now)
        entries.touch(session, self.source.id, self.seen_again, self.now)

    def waiting(self) -> list[Unpublished]:
        """Return what is to be told, new articles first."""
        return [
            Unpublished(self.source.id, one.producer_id, one.version, one.message)
            for one in (*self.new, *self.changed)
            if one.message is not None
        ]


def name_of(source: Source, news: News) -> str:
    """Return the name that somebody gave the source, else the document's own title."""
    unnamed = source.name in ("", source.url, host_of(source.url))
    return shorten(news.title, 200) if news.title and unnamed else source.name
