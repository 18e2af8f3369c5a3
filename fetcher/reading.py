"""Asking a source what it shows: the requests of one poll, and what came of them."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from core.clock import Clock
from core.egress import GuardedSession
from core.errors import Reason, Unavailable
from core.store import entries
from core.store.engine import Store
from core.store.models import Source
from fetcher.fetching import fetch
from fetcher.freshness import fresh_for
from fetcher.hosts import HostGate, host_name
from fetcher.identity import guid_identity
from fetcher.sources.base import (
    Document,
    FeedHints,
    Fetched,
    FetchRequest,
    Item,
    NotModified,
    ParsedDocument,
    PolledKind,
    SourceError,
)

log = structlog.get_logger()

MOST_REQUESTS = 100
MORE_SECONDS = 60.0  # what is left then, the next poll asks for
LONGEST_VALIDATOR = 1_000
GONE = 410
TOO_MANY_REQUESTS = 429

Parse = Callable[[PolledKind, Document, datetime], ParsedDocument]


@dataclass(frozen=True, slots=True)
class News:
    """What a source shows now, and what to send along to learn whether that has changed."""

    items: tuple[Item, ...]
    title: str | None
    etag: str | None
    last_modified: str | None
    hints: FeedHints


@dataclass(frozen=True, slots=True)
class Reading:
    """What a source answered, without `news` that nothing changed; `bound` where it was given a key."""

    news: News | None
    cached_seconds: int | None
    permanent_url: str | None
    bound: bool


class HostBusy(Exception):
    """A poll was redirected to a host that may not be asked for so many seconds."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class PollFailed(Exception):
    """A source could not be read; `gone` for good, or because of the host `throttled_by`."""

    def __init__(self, error: SourceError, *, gone: bool = False, throttled_by: str | None = None) -> None:
        super().__init__(error)
        self.error = error
        self.gone = gone
        self.throttled_by = throttled_by


class Reader:
    """Reads sources, each host behind the gate."""

    def __init__(
        self,
        store: Store,
        session: GuardedSession,
        kinds: Mapping[str, PolledKind],
        gate: HostGate,
        clock: Clock,
        *,
        parse: Parse,
        secrets: Mapping[str, str],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self._session, self._kinds, self._gate = store, session, kinds, gate
        self._clock, self._parse, self._secrets, self._monotonic = clock, parse, secrets, monotonic

    def read(self, source: Source) -> Reading:
        """Ask a source that the gate has let in; raises PollFailed, and HostBusy from a redirect."""
        try:
            return self._read(source)
        except (PollFailed, HostBusy, Unavailable):
            raise
        except SourceError as error:
            raise PollFailed(error) from error
        except Exception as error:
            log.exception("a document could not be read", source=source.id)
            words = "Reading the document failed; see the fetcher's log"
            raise PollFailed(SourceError(Reason.INTERNAL, words)) from error

    def _read(self, source: Source) -> Reading:
        kind = self._kinds[source.kind]
        # An account's own source may be at the account's own server, which must not learn our keys.
        secrets = self._secrets if source.account_id is None else {}
        first = kind.request(source.url, source.etag, source.last_modified, secrets)
        answer = self._ask(source, first)
        news = None
        if isinstance(answer, Document):
            parsed = self._parsed(kind, answer, first=True)
            items = parsed.items + self._read_more(source, kind, parsed)
            news = News(items, parsed.title, *_validators(answer), parsed.hints)
        cached = fresh_for(answer.headers, self._clock.now())
        return Reading(news, cached, answer.permanent_url, bound=bool(first.credentials))

    def _ask(self, source: Source, request: FetchRequest) -> Fetched:
        answer = fetch(self._session, request, before_hop=lambda url: self._pass_on(source, url))
        if host_name(answer.url) == host_name(source.url):
            self._gate.stays(source.id)
        return answer

    def _pass_on(self, source: Source, url: str) -> None:
        wait = self._gate.enter_beyond(source.id, url, self._monotonic())
        if wait:
            raise HostBusy(wait)

    def _parsed(self, kind: PolledKind, answer: Document, *, first: bool = False) -> ParsedDocument:
        try:
            return self._parse(kind, answer, self._clock.now())
        except SourceError as error:
            throttled_by = host_name(answer.url) if answer.status == TOO_MANY_REQUESTS else None
            gone = first and answer.status == GONE
            raise PollFailed(error, gone=gone, throttled_by=throttled_by) from error

    def _read_more(self, source: Source, kind: PolledKind, parsed: ParsedDocument) -> tuple[Item, ...]:
        waiting = self._unknown(source, parsed.more)
        items: list[Item] = []
        enough = self._monotonic() + MORE_SECONDS
        for _ in range(MOST_REQUESTS):
            if not waiting or self._monotonic() > enough:
                break
            further = self._read_one(source, kind, waiting.pop(0))
            items.extend(further.items)
            waiting.extend(further.more)
        return tuple(items)

    def _unknown(self, source: Source, requests: Sequence[FetchRequest]) -> list[FetchRequest]:
        """Return the requests without those for one item that the source has shown before."""
        ids = [guid_identity(request.guid) if request.guid else "" for request in requests]
        if not any(ids):
            return list(requests)
        with self._store.read() as session:
            known = entries.known_among(session, source.id, sorted(set(ids) - {""}))
        return [request for request, id_ in zip(requests, ids, strict=True) if id_ not in known]

    def _read_one(self, source: Source, kind: PolledKind, request: FetchRequest) -> ParsedDocument:
        answer = self._ask(source, request)
        return ParsedDocument(()) if isinstance(answer, NotModified) else self._parsed(kind, answer)


def _validators(answer: Document) -> tuple[str | None, str | None]:
    return _validator(answer.headers.get("etag")), _validator(answer.headers.get("last-modified"))


def _validator(value: str | None) -> str | None:
    """Return a header's value if it may be stored, and sent back as it came."""
    if not value or len(value) > LONGEST_VALIDATOR or not value.isprintable() or value != value.strip():
        return None
    return value
