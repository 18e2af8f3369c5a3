"""One poll of one source: fetched, decided, committed to the outbox, published, and only then ticked off."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy.orm import Session

from core.clock import Clock
from core.egress import GuardedSession
from core.store import due_sources, entries, host_cooldowns, hubs
from core.store.engine import Store
from core.store.entries import Unpublished
from core.store.leases import Grant, check
from core.store.models import Source
from core.store.states import SourceState
from fetcher import outcomes
from fetcher.hosts import HostGate
from fetcher.outbox import Outbox
from fetcher.reading import HostBusy, Parse, PollFailed, Reader, Reading
from fetcher.recording import Recorded, record
from fetcher.sources.base import FeedHints, PolledKind

log = structlog.get_logger()

# A longer wait than that is written down, so that it needs no room here and is seen by everyone.
LONGEST_WAIT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class _Seen:
    """A source as a poll finds it, and until when its hosts are, or were, left alone."""

    source: Source
    cooled_until: datetime | None


class Poller:
    """Polls sources on behalf of the leader; every write checks the leader's token.

    With `seal`, which encrypts secrets, hubs that sources name are noted, to be asked to push.
    """

    def __init__(
        self,
        store: Store,
        session: GuardedSession,
        kinds: Mapping[str, PolledKind],
        outbox: Outbox,
        clock: Clock,
        *,
        parse: Parse,
        secrets: Mapping[str, str],
        gate: HostGate,
        backfill: int,
        seal: Callable[[str], str] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self._kinds, self._outbox, self._clock = store, kinds, outbox, clock
        self._gate, self._backfill, self._monotonic = gate, backfill, monotonic
        self._seal = seal
        self._reader = Reader(
            store, session, kinds, gate, clock, parse=parse, secrets=secrets, monotonic=monotonic
        )

    def poll(self, source_id: str, grant: Grant) -> float | None:
        """Poll a source; return the seconds, at most two, to wait first where its host cannot be asked now.

        Raises LeaseLost when somebody else leads, Unavailable while the database is away.
        """
        seen = self._look_up(source_id)
        if seen is None:
            return None
        source, now = seen.source, self._clock.now()
        if seen.cooled_until is not None and seen.cooled_until > now:
            self._postpone(source, grant, outcomes.later((seen.cooled_until - now).total_seconds(), now))
            return None
        wait = self._gate.enter(source.id, source.url, self._monotonic())
        if not wait:
            try:
                self._poll(seen, grant)
            except HostBusy as busy:
                wait = busy.seconds
            finally:
                self._gate.leave(source.id)
        return self._waiting(source, grant, wait)

    def _look_up(self, source_id: str) -> _Seen | None:
        with self._store.read() as session:
            source = session.get(Source, source_id)
            if source is None or source.kind not in self._kinds or source.state != SourceState.ACTIVE:
                return None
            hosts = self._gate.hosts_of(source.id, source.url)
            return _Seen(source, host_cooldowns.cooled_until(session, hosts))

    def _waiting(self, source: Source, grant: Grant, seconds: float) -> float | None:
        if seconds <= LONGEST_WAIT_SECONDS:
            return seconds or None
        self._postpone(source, grant, self._clock.now() + timedelta(seconds=seconds))
        return None

    def _postpone(self, source: Source, grant: Grant, until: datetime) -> None:
        with self._store.write() as session:
            check(session, grant)
            due_sources.postpone(session, source, until)

    def _poll(self, seen: _Seen, grant: Grant) -> None:
        try:
            reading = self._reader.read(seen.source)
        except PollFailed as failure:
            self._note_failure(seen.source, grant, failure)
        else:
            self._take(seen, grant, reading)

    def _take(self, seen: _Seen, grant: Grant, reading: Reading) -> None:
        """Commit what is new, publish it, and move the source on once everything is confirmed.

        What is not to be published needs no second transaction.
        """
        with self._locked(seen.source, grant) as (session, row):
            if row is None:
                return
            recorded = self._record(session, seen.source, reading)
            if not recorded.waiting:
                self._end(session, row, seen, reading, recorded, [])
                return
        confirmed = self._outbox.send(recorded.waiting)
        with self._locked(seen.source, grant) as (session, row):
            if row is not None:
                self._end(session, row, seen, reading, recorded, confirmed)

    @contextmanager
    def _locked(self, source: Source, grant: Grant) -> Iterator[tuple[Session, Source | None]]:
        """Open a transaction of the leader with the source's row locked, None if it was deleted.

        It waits for a hub's push of the same source that is being recorded.
        """
        with self._store.write() as session:
            check(session, grant)
            yield session, session.get(Source, source.id, with_for_update=True)

    def _record(self, session: Session, source: Source, reading: Reading) -> Recorded:
        if reading.news is None:
            return Recorded([], 0)
        return record(session, source, reading.news, self._clock.now(), self._backfill)

    def _end(
        self,
        session: Session,
        row: Source,
        seen: _Seen,
        reading: Reading,
        recorded: Recorded,
        confirmed: Sequence[Unpublished],
    ) -> None:
        entries.mark_published(session, confirmed)
        published = len(confirmed) == len(recorded.waiting) and not recorded.left
        if published:
            self._tick_off(session, row, seen, reading, recorded)
        else:
            source = seen.source
            outcomes.unpublished(row, source, self._kinds[source.kind], self._clock.now())
        log.info("polled", source=row.id, new=len(recorded.waiting), published=published)

    def _tick_off(
        self, session: Session, row: Source, seen: _Seen, reading: Reading, recorded: Recorded
    ) -> None:
        now, source = self._clock.now(), seen.source
        if reading.news is not None and self._seal is not None:
            self._note_hub(session, row, reading.news.hints, self._seal)
        outcomes.succeeded(session, row, source, reading, recorded.new, self._kinds[source.kind], now)
        if seen.cooled_until is not None:
            host_cooldowns.warm(session, self._gate.hosts_of(source.id, source.url), now)

    def _note_hub(self, session: Session, row: Source, hints: FeedHints, seal: Callable[[str], str]) -> None:
        if hints.hub is None:
            hubs.forget(session, row.id)
        else:
            hubs.note(session, row.id, hints.hub, hints.self_url or row.url, seal, self._clock.now())

    def _note_failure(self, source: Source, grant: Grant, failure: PollFailed) -> None:
        with self._locked(source, grant) as (session, row):
            if row is None:
                return
            outcomes.failed(session, row, source, failure, self._clock.now())
        error = failure.error
        log.warning("poll failed", source=source.id, reason=error.reason, problem=error.words)
