"""The ports of source kinds: what to GET for a source, and how to read what came back.

A kind is one module of this package with a `KIND`. It is pure: whoever polls makes the requests.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, runtime_checkable

from core.errors import ClarionError, Reason
from fetcher.dates import retry_after

LONGEST_PAUSE_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class Item:
    """One article as a source shows it at present; `publisher` only where it is not the source itself.

    `title` and `summary` are plain text, `title` is never blank; `url` and `image` are absolute.
    `has_bad_date` says that there is a date, but none that can be true.
    """

    title: str
    summary: str = ""
    guid: str | None = None
    url: str | None = None
    published_at: datetime | None = None
    language: str | None = None
    categories: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    image: str | None = None
    publisher: str | None = None
    has_bad_date: bool = False


@dataclass(frozen=True, slots=True)
class FetchRequest:
    """A GET to make; `credentials` are headers for the host of `url` alone, never for a redirect's.

    With `guid` it brings that one item, and is not made where the item is known already.
    """

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    credentials: Mapping[str, str] = field(default_factory=dict, repr=False)
    guid: str | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """An answer to a GET: the address after redirects, headers by lower-case name, the body unpacked.

    `permanent_url` is the address to ask from now on, where permanent redirects led to one.
    """

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    permanent_url: str | None = None

    @property
    def content_type(self) -> str:
        """The `Content-Type` header, empty if there was none."""
        return self.headers.get("content-type", "")


@dataclass(frozen=True, slots=True)
class NotModified:
    """An answer 304: the source has nothing new. The fields are those of `Document`."""

    url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    permanent_url: str | None = None


Fetched = Document | NotModified


@dataclass(frozen=True, slots=True)
class FeedHints:
    """What a feed says of itself: how long to wait between polls, its hub (WebSub) and its own address."""

    interval_seconds: float | None = None
    hub: str | None = None
    self_url: str | None = None


@dataclass(frozen=True, slots=True)
class ParsedDocument:
    """What a document says; `more` are further GETs of this poll, each read by `parse` in its turn."""

    items: tuple[Item, ...]
    title: str | None = None
    language: str | None = None
    more: tuple[FetchRequest, ...] = ()
    hints: FeedHints = FeedHints()


class SourceError(ClarionError):
    """A source cannot be read at present: in words for its owner, and how long to leave it alone."""

    def __init__(self, reason: Reason, words: str, pause_seconds: float | None = None) -> None:
        super().__init__(reason, words, pause_seconds)
        self.reason = reason
        self.words = words
        self.pause_seconds = pause_seconds

    def __str__(self) -> str:
        return self.words


class SourceKind(Protocol):
    """A kind of source, such as `feed`."""

    @property
    def name(self) -> str:
        """What the API calls this kind."""

    @property
    def default_interval_seconds(self) -> int | None:
        """How often to poll a source that does not say; None for a kind that is not polled."""

    @property
    def example_url(self) -> str:
        """An address of this kind, to show people what is meant."""

    def check(self, url: str) -> None:
        """Raise ValueError, in words for people, if `url` cannot be a source of this kind."""


@runtime_checkable
class PolledKind(SourceKind, Protocol):
    """A kind whose sources are asked for their articles."""

    @property
    def default_interval_seconds(self) -> int:
        """How often to poll a source that does not say."""

    @property
    def shortest_interval_seconds(self) -> int:
        """How often to poll a source that publishes much; only its owner may want it more often."""

    def request(
        self, url: str, etag: str | None, last_modified: str | None, secrets: Mapping[str, str]
    ) -> FetchRequest:
        """Return the first GET of a poll; raise SourceError if a secret it needs is not there."""

    def parse(self, document: Document, now: datetime) -> ParsedDocument:
        """Read an answer of any status other than 304; raise SourceError if it is not what it should be."""


def conditional_headers(etag: str | None, last_modified: str | None) -> dict[str, str]:
    """Return the headers that ask for a document only if it changed (RFC 9110, section 13.1)."""
    headers = {"If-None-Match": etag, "If-Modified-Since": last_modified}
    return {name: value for name, value in headers.items() if value}


def require_success(document: Document, now: datetime) -> None:
    """Raise SourceError unless the status is 2xx; 429 and 503 carry the pause the server asks for."""
    status = document.status
    if 200 <= status < 300:
        return
    reason, words = _status_in_words(status)
    raise SourceError(reason, words, pause_asked(document, now) if status in (429, 503) else None)


def pause_asked(document: Document, now: datetime) -> float | None:
    """Return the seconds `Retry-After` asks for, at most a day."""
    seconds = retry_after(document.headers.get("retry-after"), now)
    return None if seconds is None else min(seconds, LONGEST_PAUSE_SECONDS)


def _status_in_words(status: int) -> tuple[Reason, str]:
    special = {
        401: (Reason.STATUS_4XX, "The server wants a login (status 401)"),
        403: (Reason.STATUS_4XX, "The server refuses access (status 403)"),
        404: (Reason.STATUS_4XX, "There is nothing at this address (status 404)"),
        410: (Reason.GONE, "The server says that this address is gone for good (status 410)"),
        429: (Reason.THROTTLED, "The server asks for fewer requests (status 429)"),
        503: (Reason.THROTTLED, "The server is not available at present (status 503)"),
    }
    if status in special:
        return special[status]
    if status >= 500:
        return Reason.STATUS_5XX, f"The server failed (status {status})"
    if status >= 400:
        return Reason.STATUS_4XX, f"The server refused the request (status {status})"
    return Reason.STATUS_3XX, f"The server redirects without end or gives no document (status {status})"
