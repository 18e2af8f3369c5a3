"""One poll of one source: fetched, decided, committed to the outbox, published, and only then ticked off."""

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy.orm import Session

from core.clock import Clock
from core.egress import GuardedSession
from core.errors import Reason, Unavailable
from core.ids import new_id
from core.message import SourceRef
from core.store import entries
from core.store.engine import Store
from core.store.entries import Unpublished
from core.store.leases import Grant, check
from core.store.models import Entry, Source
from core.text import shorten
from fetcher.fetching import fetch
from fetcher.identity import (
    Identified,
    KnownEntry,
    New,
    Unchanged,
    candidate_ids,
    decide,
    identify,
    select_backfill,
    to_message,
)
from fetcher.outbox import Outbox
from fetcher.sources.base import (
    Document,
    Fetched,
    FetchRequest,
    Item,
    NotModified,
    ParsedDocument,
    SourceError,
    SourceKind,
)
from fetcher.spacing import HostSpacing
from fetcher.urls import host_of

log = structlog.get_logger()

JITTER = 0.1
SHORTEST_BACKOFF_SECONDS = 60
LONGEST_BACKOFF_SECONDS = 86_400
MOST_REQUESTS = 100
LONGEST_VALIDATOR = 1_000

Parse = Callable[[SourceKind, Document, datetime], ParsedDocument]


@dataclass(frozen=True)
class Reading:
    """What one poll brought: the items, and what to remember once they are published."""

    items: tuple[Item, ...]
    title: str | None
    etag: str | None
    last_modified: str | None


class Poller:
    """Polls sources on behalf of the leader; every write checks the leader's token."""

    def __init__(
        self,
        store: Store,
        session: GuardedSession,
        kinds: Mapping[str, SourceKind],
        outbox: Outbox,
        clock: Clock,
        *,
        parse: Parse,
        secrets: Mapping[str, str],
        spacing: HostSpacing,
        backfill: int,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self._session, self._kinds, self._outbox = store, session, kinds, outbox
        self._parse = parse
        self._clock, self._secrets, self._spacing, self._backfill = clock, secrets, spacing, backfill
        self._monotonic = monotonic
        self._chance = random.Random()

    def poll(self, source_id: str, grant: Grant) -> float | None:
        """Poll a source; return the seconds to wait first where its host was asked only just now.

        Raises LeaseLost when somebody else leads, Unavailable while the database is away.
        """
        with self._store.read() as session:
            source = session.get(Source, source_id)
        if source is None or source.kind not in self._kinds:
            return None
        wait = self._spacing.wait_before(source.id, source.url, self._monotonic())
        if wait:
            return wait
        try:
            reading = self._read_safely(source)
        except SourceError as error:
            self._note_failure(source, grant, error)
        else:
            self._take(source, grant, reading)
        return None

    def _read_safely(self, source: Source) -> Reading | None:
        try:
            return self._read(source)
        except (SourceError, Unavailable):
            raise
        except Exception as error:
            log.exception("a document could not be read", source=source.id)
            raise SourceError(
                Reason.INTERNAL, "Reading the document failed; see the fetcher's log"
            ) from error

    def _read(self, source: Source) -> Reading | None:
        """Fetch and parse; None when the source says that nothing changed."""
        kind = self._kinds[source.kind]
        # An account's own source may be at the account's own server, which must not learn our keys.
        secrets = self._secrets if source.account_id is None else {}
        first = kind.request(source.url, source.etag, source.last_modified, secrets)
        answer = fetch(self._session, first)
        if isinstance(answer, NotModified):
            return None
        parsed = self._parse(kind, answer, self._clock.now())
        items = parsed.items + self._read_more(kind, parsed)
        return Reading(items, parsed.title, *_validators(answer))

    def _read_more(self, kind: SourceKind, parsed: ParsedDocument) -> tuple[Item, ...]:
        waiting: list[FetchRequest] = list(parsed.more)
        items: list[Item] = []
        for _ in range(MOST_REQUESTS):
            if not waiting:
                break
            further = self._parse_one(kind, waiting.pop(0))
            items.extend(further.items)
            waiting.extend(further.more)
        return tuple(items)

    def _parse_one(self, kind: SourceKind, request: FetchRequest) -> ParsedDocument:
        answer: Fetched = fetch(self._session, request)
        if isinstance(answer, NotModified):
            return ParsedDocument(())
        return self._parse(kind, answer, self._clock.now())

    def _take(self, source: Source, grant: Grant, reading: Reading | None) -> None:
        """Commit what is new, publish it, and move the source on once everything is confirmed."""
        waiting: list[Unpublished] = []
        if reading is not None:
            with self._store.write() as session:
                check(session, grant)
                # Locked, for it may be deleted while this goes on.
                if session.get(Source, source.id, with_for_update={"read": True, "key_share": True}) is None:
                    return
                waiting = self._record(session, source, reading, self._clock.now())
        published = not waiting or self._outbox.publish(waiting, grant)
        with self._store.write() as session:
            check(session, grant)
            row = session.get(Source, source.id)
            if row is not None:
                self._tick_off(row, source, reading, published=published)
        log.info("polled", source=source.id, new=len(waiting), published=published)

    def _record(self, session: Session, source: Source, reading: Reading, now: datetime) -> list[Unpublished]:
        rows = entries.entries_of(session, source.id, sorted(candidate_ids(reading.items)))
        known = {id_: KnownEntry(e.version, tuple(e.seen_hashes), e.last_seen_at) for id_, e in rows.items()}
        identified = identify(reading.items, known)
        silent: set[str] = set()
        if source.last_success_at is None:
            silent = {one.entry_id for one in select_backfill(identified, self._backfill).recorded}
        shown = SourceRef(id=source.id, name=_name_of(source, reading))
        changed = (self._record_one(session, shown, rows, known, one, now) for one in identified)
        return [
            entries.as_unpublished(entry)
            for entry in changed
            if entry is not None and not _silenced(entry, entry.producer_id in silent)
        ]

    def _record_one(
        self,
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
                entry.last_seen_at = now
            return None
        first_seen_at = entry.first_seen_at if entry else now
        message = to_message(one.item, source.id, source.name, one.entry_id, decision.version, first_seen_at)
        if entry is None or isinstance(decision, New):
            entry = entries.new_entry(source.id, new_id("art"), message, list(decision.seen_hashes), now)
            session.add(entry)
        else:
            entry.version, entry.message, entry.published = decision.version, message.as_json(), False
            entry.seen_hashes = list(decision.seen_hashes)
            entry.last_seen_at = entry.changed_at = now
        return entry

    def _tick_off(self, row: Source, polled: Source, reading: Reading | None, *, published: bool) -> None:
        now = self._clock.now()
        if published:
            row.last_success_at, row.failures, row.last_error = now, 0, None
        if published and reading is not None:
            row.etag, row.last_modified = reading.etag, reading.last_modified
            row.name = _name_of(row, reading)
        self._plan_next(row, polled, now, self._interval(row) if published else SHORTEST_BACKOFF_SECONDS)

    def _note_failure(self, source: Source, grant: Grant, error: SourceError) -> None:
        now = self._clock.now()
        with self._store.write() as session:
            check(session, grant)
            row = session.get(Source, source.id)
            if row is None:
                return
            row.failures += 1
            row.last_error, row.last_error_at = error.words, now
            pause = max(error.pause_seconds or 0.0, _backoff(row.failures))
            self._plan_next(row, source, now, pause)
        log.warning("poll failed", source=source.id, reason=error.reason, problem=error.words)

    def _interval(self, row: Source) -> float:
        return float(row.interval_seconds or self._kinds[row.kind].default_interval_seconds)

    def _plan_next(self, row: Source, polled: Source, now: datetime, seconds: float) -> None:
        row.updated_at = now
        if row.next_poll_at != polled.next_poll_at:
            return  # asked for anew while this poll was under way
        jittered = seconds * self._chance.uniform(1, 1 + JITTER)
        row.next_poll_at = now + timedelta(seconds=jittered)


def _name_of(source: Source, reading: Reading) -> str:
    """Return the name that somebody gave the source, else the document's own title."""
    unnamed = source.name in ("", source.url, host_of(source.url))
    return shorten(reading.title, 200) if reading.title and unnamed else source.name


def _validators(answer: Document) -> tuple[str | None, str | None]:
    return _validator(answer.headers.get("etag")), _validator(answer.headers.get("last-modified"))


def _validator(value: str | None) -> str | None:
    """Return a header's value if it may be stored, and sent back as it came."""
    if not value or len(value) > LONGEST_VALIDATOR or not value.isprintable() or value != value.strip():
        return None
    return value


def _backoff(failures: int) -> float:
    return float(min(SHORTEST_BACKOFF_SECONDS * 2 ** min(failures - 1, 20), LONGEST_BACKOFF_SECONDS))


def _silenced(entry: Entry, silent: bool) -> bool:
    """Record an entry as seen without telling it, where `silent`."""
    if silent:
        entry.message, entry.published = None, True
    return silent
