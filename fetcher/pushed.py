"""Taking the documents that hubs pushed, the way what a poll finds is taken."""

from collections.abc import Mapping

import structlog
from sqlalchemy.orm import Session

from core.clock import Clock
from core.errors import Unavailable
from core.store import hubs
from core.store.engine import Store
from core.store.leases import Grant, check
from core.store.models import PushedDocument, Source
from core.store.states import SourceState
from fetcher import outcomes
from fetcher.outbox import Outbox
from fetcher.reading import News, Parse
from fetcher.recording import Recorded, record
from fetcher.sources.base import Document, PolledKind, SourceError

log = structlog.get_logger()


class PushedDocuments:
    """The leader's duty to take what was pushed, the oldest first; every write checks its token."""

    def __init__(
        self, store: Store, kinds: Mapping[str, PolledKind], parse: Parse, outbox: Outbox, clock: Clock
    ) -> None:
        self._store, self._kinds, self._parse = store, kinds, parse
        self._outbox, self._clock = outbox, clock

    def __call__(self, grant: Grant) -> None:
        """Take every document that waits."""
        while True:
            with self._store.read() as session:
                waiting = hubs.waiting(session)
            if not waiting:
                return
            for document in waiting:
                self._take(document, grant)

    def _take(self, pushed: PushedDocument, grant: Grant) -> None:
        """Record what is new and forget the document in one transaction, then publish."""
        with self._store.read() as session:
            source = session.get(Source, pushed.source_id)
        news = self._read(source, pushed) if source is not None else None
        with self._store.write() as session:
            check(session, grant)
            hubs.remove(session, pushed.id)
            row = session.get(Source, pushed.source_id, with_for_update=True)
            if row is None or news is None or row.state != SourceState.ACTIVE:
                return
            recorded = self._record(session, row, news)
        if recorded.waiting:
            self._outbox.publish(recorded.waiting, grant)
        log.info("pushed", source=pushed.source_id, new=len(recorded.waiting))

    def _record(self, session: Session, row: Source, news: News) -> Recorded:
        now = self._clock.now()
        recorded = record(session, row, news, now, backfill=len(news.items))
        outcomes.pushed(row, recorded.new, now)
        return recorded

    def _read(self, source: Source, pushed: PushedDocument) -> News | None:
        kind = self._kinds.get(source.kind)
        if kind is None:
            return None
        document = Document(source.url, 200, {"content-type": pushed.content_type}, pushed.body)
        try:
            parsed = self._parse(kind, document, self._clock.now())
        except Unavailable:
            raise
        except SourceError as error:
            log.warning("a pushed document is of no use", source=source.id, problem=error.words)
            return None
        except Exception:
            # It would be as unreadable the next time, and hold up what came after it.
            log.exception("a pushed document could not be read", source=source.id)
            return None
        return News(parsed.items, parsed.title, source.etag, source.last_modified, parsed.hints)
