"""JSON Feed 1.0 and 1.1 (https://www.jsonfeed.org/version/1.1/)."""

import re
from datetime import datetime

from core.errors import Reason
from core.text import SUMMARY_LIMIT, one_line, plain_text, shorten, storable
from fetcher.dates import parse_date
from fetcher.parsing.hints import with_links
from fetcher.parsing.nodes import Node, child, children, get, json_object, language_tag, text, whole_objects
from fetcher.parsing.selection import distinct, first, newest
from fetcher.parsing.titles import plain_title, title_from
from fetcher.sources.base import FeedHints, Item, ParsedDocument, SourceError
from fetcher.urls import resolve

_VERSION = re.compile(r'"version"\s*:\s*"https?:\\?/\\?/(?:www\.)?jsonfeed\.org\\?/version\\?/1')


def parse_json(document: str, url: str, now: datetime) -> ParsedDocument:
    """Read a JSON Feed found at `url`, as far as it is whole; raise SourceError if it is not one."""
    if not _VERSION.search(document):
        raise SourceError(Reason.PROTOCOL, "This is JSON, but not a JSON Feed")
    feed = json_object(document) or _readable_part(document)
    base = resolve(url, get(feed, "home_page_url")) or url
    items = (_item(node, feed, base, now) for node in children(feed, "items"))
    title = plain_title(text(feed, "title")) or None
    language, hints = language_tag(get(feed, "language")), with_links(FeedHints(), _links(feed), url)
    return ParsedDocument(newest(item for item in items if item), title, language, hints=hints)


def _links(feed: Node) -> list[tuple[str, str]]:
    hubs = [("hub", text(hub, "url")) for hub in children(feed, "hubs") if text(hub, "type") == "WebSub"]
    return [*hubs, ("self", text(feed, "feed_url"))]


def _readable_part(document: str) -> Node:
    items = whole_objects(document, "items")
    if not items:
        raise SourceError(Reason.PROTOCOL, "The feed is damaged or cut off before its first item")
    return {"items": items}


def _item(node: Node, feed: Node, base: str, now: datetime) -> Item | None:
    url = resolve(base, get(node, "url")) or resolve(base, get(node, "external_url"))
    summary = _summary(node)
    title = plain_title(text(node, "title")) or title_from(summary, url)
    if not title:
        return None
    dates = [get(node, name) for name in ("date_published", "date_modified")]
    published_at = first(parse_date(date, now) for date in dates)
    return Item(
        title=title,
        summary=summary,
        guid=_identifier(get(node, "id")),
        url=url,
        published_at=published_at,
        language=language_tag(get(node, "language")) or language_tag(get(feed, "language")),
        categories=_tags(node),
        authors=_authors(node) or _authors(feed),
        image=first(resolve(base, get(node, name)) for name in ("image", "banner_image")),
        has_bad_date=published_at is None and any(dates),
    )


def _identifier(value: object) -> str | None:
    # By the letter of the specification an item without an id is to be discarded; it is news nonetheless.
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return one_line(storable(str(value))) or None


def _summary(node: Node) -> str:
    parts = (text(node, name) for name in ("summary", "content_text", "content_html"))
    return shorten(first(plain_text(storable(part)) for part in parts) or "", SUMMARY_LIMIT)


def _tags(node: Node) -> tuple[str, ...]:
    tags = get(node, "tags")
    return (
        distinct(plain_title(tag) for tag in tags if isinstance(tag, str)) if isinstance(tags, list) else ()
    )


def _authors(node: Node) -> tuple[str, ...]:
    everyone = [*children(node, "authors"), child(node, "author")]
    return distinct(plain_title(text(author, "name")) for author in everyone)
