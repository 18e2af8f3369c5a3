"""The kind `newsapi`: NewsAPI.org version 2 and servers that answer like it (https://newsapi.org/docs)."""

import re
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import parse_qs, urlsplit

from core.errors import Reason
from core.text import SUMMARY_LIMIT, plain_text, shorten, storable
from fetcher.dates import parse_date
from fetcher.parsing.encoding import decode
from fetcher.parsing.nodes import Node, child, children, get, json_object, language_tag, text
from fetcher.parsing.selection import newest
from fetcher.parsing.titles import plain_title, title_from, without_publisher
from fetcher.sources.base import (
    Document,
    FetchRequest,
    Item,
    ParsedDocument,
    SourceError,
    pause_asked,
    require_success,
)
from fetcher.urls import canonical_url, check_web_address, host_of, resolve

SECRET = "newsapi_key"  # noqa: S105 (the name under which the key is handed in)

_REMOVED = "[Removed]"
_CUT_OFF = re.compile(r"\s*\[\+\d+ chars\]\s*$")
_KEY_ADVICE = "set CLARION_NEWSAPI_KEY"
_HOUR = 3_600.0
# https://newsapi.org/docs/errors; quotas are counted over 12 and 24 hours.
_ERRORS: dict[str, tuple[Reason, str, float | None]] = {
    "apiKeyExhausted": (Reason.THROTTLED, "The quota of the NewsAPI key is used up", 6 * _HOUR),
    "rateLimited": (Reason.THROTTLED, "NewsAPI asks for fewer requests", _HOUR),
    "apiKeyInvalid": (Reason.MISCONFIGURED, f"NewsAPI does not know the key: {_KEY_ADVICE}", None),
    "apiKeyMissing": (Reason.MISCONFIGURED, f"NewsAPI wants a key: {_KEY_ADVICE}", None),
    "apiKeyDisabled": (Reason.MISCONFIGURED, f"The NewsAPI key has been disabled: {_KEY_ADVICE}", None),
    "parameterInvalid": (Reason.MISCONFIGURED, "NewsAPI does not accept a parameter of the address", None),
    "parametersMissing": (Reason.MISCONFIGURED, "NewsAPI misses a parameter in the address", None),
    "sourcesTooMany": (Reason.MISCONFIGURED, "The address names more sources than NewsAPI takes", None),
    "sourceDoesNotExist": (Reason.MISCONFIGURED, "The address names a source NewsAPI does not have", None),
}


class NewsApiKind:
    """Reads one page of articles per poll; the address of a source is the endpoint with its query."""

    name = "newsapi"
    default_interval_seconds = 1_800
    shortest_interval_seconds = 1_800  # the quota of a key is for all of its sources
    example_url = "https://newsapi.org/v2/top-headlines?country=us"

    def check(self, url: str) -> None:
        """Raise ValueError, in words for people, if `url` is no endpoint or holds the key."""
        check_web_address(url)
        if any(name.lower() == "apikey" for name in parse_qs(urlsplit(url).query, keep_blank_values=True)):
            raise ValueError(f"the key must not stand in the address: {_KEY_ADVICE}")

    def request(
        self, url: str, etag: str | None, last_modified: str | None, secrets: Mapping[str, str]
    ) -> FetchRequest:
        """Return the GET, with the key of `secrets`; raise SourceError if there is none."""
        key = secrets.get(SECRET)
        if not key:
            raise SourceError(Reason.MISCONFIGURED, f"There is no NewsAPI key for this source: {_KEY_ADVICE}")
        return FetchRequest(url, {"Accept": "application/json"}, {"X-Api-Key": key})

    def parse(self, document: Document, now: datetime) -> ParsedDocument:
        """Read the articles; raise SourceError for the API's own errors, and with the pause they ask for."""
        answer = json_object(decode(document.body, document.content_type))
        if answer is not None and get(answer, "status") == "error":
            raise _error(answer, document, now)
        require_success(document, now)
        if answer is None or not isinstance(get(answer, "articles"), list):
            raise SourceError(Reason.PROTOCOL, "The answer is not a list of articles as NewsAPI gives it")
        language = _language_asked(document.url)
        items = (_item(node, document.url, language, now) for node in children(answer, "articles"))
        return ParsedDocument(newest(item for item in items if item), None, language)


def _error(answer: Node, document: Document, now: datetime) -> SourceError:
    code = text(answer, "code")
    if code in _ERRORS:
        reason, words, pause = _ERRORS[code]
        return SourceError(reason, words, (pause_asked(document, now) or pause) if pause else None)
    words = f"NewsAPI answers with an error: {plain_title(code)[:100] or 'without a code'}"
    if document.status in (429, 503):
        return SourceError(Reason.THROTTLED, words, pause_asked(document, now))
    failed = document.status >= 500 or code == "unexpectedError"
    return SourceError(Reason.STATUS_5XX if failed else Reason.REJECTED, words)


def _language_asked(url: str) -> str | None:
    asked = parse_qs(urlsplit(url).query).get("language", [""])
    return language_tag(asked[0])


def _item(node: Node, base: str, language: str | None, now: datetime) -> Item | None:
    publisher = plain_title(text(child(node, "source"), "name")) or None
    if _REMOVED in (text(node, "title").strip(), publisher):
        return None
    url, summary = resolve(base, get(node, "url")), _summary(node)
    heading = without_publisher(plain_title(text(node, "title")), publisher, host_of(url))
    title = heading or title_from(summary, url)
    if not title:
        return None
    date = get(node, "publishedAt")
    published_at = parse_date(date, now)
    return Item(
        title=title,
        summary=summary,
        guid=canonical_url(url) if url else None,
        url=url,
        published_at=published_at,
        language=language,
        authors=_authors(node),
        image=resolve(base, get(node, "urlToImage")),
        publisher=publisher,
        has_bad_date=published_at is None and bool(date),
    )


def _summary(node: Node) -> str:
    description = plain_text(storable(text(node, "description")))
    if description in ("", _REMOVED):
        description = _CUT_OFF.sub("", plain_text(storable(text(node, "content"))))
    return shorten("" if description == _REMOVED else description, SUMMARY_LIMIT)


def _authors(node: Node) -> tuple[str, ...]:
    author = plain_title(text(node, "author"))
    # Some publishers put the address of a profile there.
    return (author,) if author and "://" not in author else ()


KIND = NewsApiKind()
