"""Finding the feeds of a web page: few requests, spaced, under one deadline, through the guarded way out."""

import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar
from urllib.parse import urljoin, urlsplit

import structlog

from core.clock import Clock
from core.egress import GuardedSession, masked_url
from core.errors import Reason
from fetcher.fetching import fetch
from fetcher.hosts import HostGate
from fetcher.known_sites import known_feeds
from fetcher.parsing.pages import Link, PageLinks, page_links
from fetcher.sources.base import Document, Fetched, ParsedDocument, PolledKind, SourceError, require_success

log = structlog.get_logger()

T = TypeVar("T")


class Run(Protocol):
    """Calls an importable function with arguments that can be pickled."""

    def __call__(self, function: Callable[..., T], *arguments: object) -> T:
        """Return what the function returns; raises what it raises, and SourceError if it takes too much."""


DEADLINE_SECONDS = 20.0
ONE_REQUEST_SECONDS = 8.0
MOST_REQUESTS = 14
MOST_DECLARED, MOST_SHOWN = 6, 3
WELL_KNOWN = ("feed", "rss.xml", "atom.xml", "feed.xml", "index.xml", "rss", "feed.json")

_ADDRESS, _SITE, _LINK, _ANCHOR, _PATH = "address", "site", "link", "anchor", "path"
_WAYS = (_ADDRESS, _LINK, _SITE, _ANCHOR, _PATH)  # the surest first
_COMMENTS = re.compile(r"(?i)\bcomments?\b")
_ROOT = re.compile(rb"(?i)<(rss|feed|rdf:rdf)[\s>]")
_FORMATS = {b"rss": "rss", b"feed": "atom", b"rdf:rdf": "rdf"}


@dataclass(frozen=True)
class FoundFeed:
    """A feed that was fetched and read.

    `format` is `rss`, `atom`, `rdf` or `json`; `found_by` is `address`, `link`, `site`, `anchor` or `path`.
    """

    url: str
    title: str | None
    kind: str
    format: str
    items: int
    newest_at: datetime | None
    found_by: str


@dataclass(frozen=True)
class _Candidate:
    url: str
    found_by: str
    title: str = ""


class FeedFinder:
    """Looks for feeds on behalf of people who wait; may be used by several threads.

    Documents of strangers are read by `run`, which may call a function in a process that can be killed.
    """

    def __init__(
        self,
        session: GuardedSession,
        kind: PolledKind,
        clock: Clock,
        gate: HostGate,
        *,
        run: Run,
        monotonic: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._session, self._kind, self._clock, self._gate, self._run = session, kind, clock, gate, run
        self._monotonic, self._pause = monotonic, pause

    def find(self, url: str) -> list[FoundFeed]:
        """Return the feeds of a page, the best first; only `url` itself where that is a feed.

        Takes about 20 seconds at most. Raises SourceError, in words for people, where the page cannot be had.
        """
        return _Search(self).run(url)

    def ask(self, url: str, until: float) -> Document:
        """GET an address once its host may be asked; raises SourceError, also where no time is left."""
        while wait := self._gate.enter(url, url, self._monotonic()):
            if self._monotonic() + wait >= until:
                raise SourceError(Reason.TIMEOUT, "There was no time left to ask")
            self._pause(wait)
        try:
            answer = self._fetch(url, until)
        finally:
            self._gate.leave(url)
        if not isinstance(answer, Document):
            raise SourceError(Reason.PROTOCOL, "The server did not send a document")
        require_success(answer, self._clock.now())
        return answer

    def _fetch(self, url: str, until: float) -> Fetched:
        seconds = min(ONE_REQUEST_SECONDS, until - self._monotonic())
        if seconds <= 0:
            raise SourceError(Reason.TIMEOUT, "There was no time left to ask")
        return fetch(self._session, self._kind.request(url, None, None, {}), seconds)

    def read(self, document: Document) -> ParsedDocument:
        """Read a document as a feed; raises SourceError where it is none."""
        return self._safely(document, self._kind.parse, document, self._clock.now())

    def links(self, page: Document) -> PageLinks:
        """Read a document as a web page; raises SourceError where that fails."""
        return self._safely(page, page_links, page.body, page.content_type, page.url)

    def _safely(self, document: Document, function: Callable[..., T], *arguments: object) -> T:
        try:
            return self._run(function, *arguments)
        except SourceError:
            raise
        except Exception as error:
            log.exception("a document could not be read", url=masked_url(document.url))
            raise SourceError(Reason.INTERNAL, "Reading the document failed; see the API's log") from error

    def end(self) -> float:
        """Return until when a search that begins now may last."""
        return self._monotonic() + DEADLINE_SECONDS

    @property
    def kind(self) -> str:
        """The kind of source that is found."""
        return self._kind.name


class _Search:
    """One search: what was found so far, and how many requests it may still make."""

    def __init__(self, finder: FeedFinder) -> None:
        self._finder = finder
        self._until = finder.end()
        self._requests = MOST_REQUESTS
        self._tried: set[str] = set()
        self._found: dict[str, FoundFeed] = {}

    def run(self, url: str) -> list[FoundFeed]:
        address = _Candidate(url, _ADDRESS)
        try:
            page = self._get(address)
        except SourceError:
            # Some sites show their pages to browsers only, and their feeds to everyone.
            self._try(_known(url))
            if not self._found:
                raise
            return self._best_first()
        if not self._verify(address, page):
            self._look_around(page)
        return self._best_first()

    def _look_around(self, page: Document) -> None:
        """Try what a page names; and only where that is nothing, what it may have all the same."""
        links = self._links(page)
        self._try([*_candidates(links.declared[:MOST_DECLARED], _LINK), *_known(page.url)])
        if not self._found:
            self._try(_candidates(links.shown[:MOST_SHOWN], _ANCHOR))
        if not self._found:
            self._try_until_found(_usual(page.url))

    def _links(self, page: Document) -> PageLinks:
        try:
            return self._finder.links(page)
        except SourceError:
            return PageLinks((), ())  # usual addresses remain

    def _try(self, candidates: Iterable[_Candidate]) -> None:
        for candidate in candidates:
            try:
                self._verify(candidate, self._get(candidate))
            except SourceError:
                continue  # no feed, which is what was to be found out

    def _try_until_found(self, candidates: Iterable[_Candidate]) -> None:
        for candidate in candidates:
            self._try([candidate])
            if self._found:
                return

    def _get(self, candidate: _Candidate) -> Document:
        if candidate.url in self._tried or not self._requests:
            raise SourceError(Reason.TIMEOUT, "Enough was asked")
        self._tried.add(candidate.url)
        self._requests -= 1
        return self._finder.ask(candidate.url, self._until)

    def _verify(self, candidate: _Candidate, document: Document) -> bool:
        """Note a document that is a feed; return whether it is."""
        try:
            parsed = self._finder.read(document)
        except SourceError:
            return False
        self._found.setdefault(document.url, _found(candidate, document, parsed, self._finder.kind))
        return True

    def _best_first(self) -> list[FoundFeed]:
        return sorted(self._found.values(), key=_rank)


def _found(candidate: _Candidate, document: Document, parsed: ParsedDocument, kind: str) -> FoundFeed:
    dates = [item.published_at for item in parsed.items if item.published_at]
    return FoundFeed(
        url=document.url if _same_host(candidate.url, document.url) else candidate.url,
        title=parsed.title or candidate.title or None,
        kind=kind,
        format=_format(document.body),
        items=len(parsed.items),
        newest_at=max(dates, default=None),
        found_by=candidate.found_by,
    )


def _rank(feed: FoundFeed) -> tuple[bool, bool, int]:
    """Return a key that sorts the best first: with articles, no comments, found the surest way."""
    comments = bool(_COMMENTS.search(f"{feed.title} {urlsplit(feed.url).path}"))
    return comments, not feed.items, _WAYS.index(feed.found_by)


def _same_host(one: str, other: str) -> bool:
    return urlsplit(one).hostname == urlsplit(other).hostname


def _format(body: bytes) -> str:
    root = _ROOT.search(body[:4_096].replace(b"\0", b""))
    return _FORMATS[root[1].lower()] if root else "json"


def _known(url: str) -> Iterator[_Candidate]:
    return (_Candidate(feed, _SITE) for feed in known_feeds(url))


def _candidates(links: Iterable[Link], found_by: str) -> list[_Candidate]:
    return [_Candidate(link.url, found_by, link.title) for link in links]


def _usual(url: str) -> Iterator[_Candidate]:
    """Return the usual addresses of feeds: beside the page first, then those of the whole site."""
    beside = urljoin(url, ".")
    folders = dict.fromkeys((beside, urljoin(url, "/")))
    names = WELL_KNOWN if len(folders) == 1 else WELL_KNOWN[: len(WELL_KNOWN) // 2 + 1]
    return (_Candidate(urljoin(folder, name), _PATH) for folder in folders for name in names)
