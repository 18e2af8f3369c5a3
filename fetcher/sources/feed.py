"""The kind `feed`: RSS, RDF, Atom and JSON Feed at any web address."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from core.errors import Reason
from fetcher.parsing.encoding import decode
from fetcher.parsing.hints import header_links, with_links
from fetcher.parsing.json_feed import parse_json
from fetcher.parsing.xml_feed import parse_xml
from fetcher.sources.base import (
    Document,
    FeedHints,
    FetchRequest,
    ParsedDocument,
    SourceError,
    conditional_headers,
    require_success,
)
from fetcher.urls import check_web_address

_ACCEPT = (
    "application/atom+xml, application/rss+xml, application/feed+json, application/rdf+xml;q=0.9, "
    "application/xml;q=0.8, text/xml;q=0.8, application/json;q=0.7, */*;q=0.1"
)


class FeedKind:
    """Reads one feed document per poll."""

    name = "feed"
    default_interval_seconds = 900
    shortest_interval_seconds = 300
    example_url = "https://news.example.com/feed.xml"

    def check(self, url: str) -> None:
        """Raise ValueError, in words for people, if no feed can be at `url`."""
        check_web_address(url)

    def request(
        self, url: str, etag: str | None, last_modified: str | None, secrets: Mapping[str, str]
    ) -> FetchRequest:
        """Return the GET of the feed, conditional on what was last seen."""
        return FetchRequest(url, {"Accept": _ACCEPT, **conditional_headers(etag, last_modified)})

    def parse(self, document: Document, now: datetime) -> ParsedDocument:
        """Read the feed; raise SourceError for other statuses than 2xx and for what is no feed."""
        require_success(document, now)
        text = decode(document.body, document.content_type).lstrip("\ufeff \t\r\n\0")
        if not text.strip():
            raise SourceError(Reason.PROTOCOL, "The server sent an empty document")
        dialect = parse_json if text.startswith(("{", "[")) else parse_xml
        return _with_header(dialect(text, document.url, now), document)


def _with_header(parsed: ParsedDocument, document: Document) -> ParsedDocument:
    """Let a `Link` header speak before the document does (WebSub, section 4)."""
    links = header_links(document.headers.get("link", ""))
    stated = with_links(FeedHints(parsed.hints.interval_seconds), links, document.url)
    hub, own = stated.hub or parsed.hints.hub, stated.self_url or parsed.hints.self_url
    return replace(parsed, hints=replace(stated, hub=hub, self_url=own)) if links else parsed


KIND = FeedKind()
