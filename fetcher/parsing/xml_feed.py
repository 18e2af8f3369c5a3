"""RSS 0.9x to 2.0, RDF and Atom, turned into items: strictly where that is possible, else leniently."""

import re
from datetime import datetime

from core.errors import Reason
from core.text import SUMMARY_LIMIT, one_line, plain_text, shorten, storable
from fetcher.dates import parse_date
from fetcher.parsing.hints import read_hints
from fetcher.parsing.lenient_xml import NotAFeed, read_leniently
from fetcher.parsing.nodes import language_tag
from fetcher.parsing.raw import RawEntry, RawFeed
from fetcher.parsing.repair import escaped_ampersands, from_start, well_formed_characters
from fetcher.parsing.selection import distinct, first, newest
from fetcher.parsing.strict_xml import read_strictly
from fetcher.parsing.titles import plain_title, title_from, without_publisher
from fetcher.sources.base import Item, ParsedDocument, SourceError
from fetcher.urls import resolve

MARKUP_LIMIT = 200_000
MOST_NAMES = 200

_PAGE = re.compile(r"(?is)^(?:\s|<\?xml[^>]*>|<!--.*?-->)*<(?:!doctype\s+html|html)\b")
_MAIL_ADDRESS = re.compile(r"\s*[<(]?[^\s<>()]{1,64}@[^\s<>()]{1,255}[>)]?\s*")


def parse_xml(document: str, url: str, now: datetime) -> ParsedDocument:
    """Read a feed found at `url`, as far as it is readable; raise SourceError if it is not a feed."""
    if _PAGE.match(document[:4_096]):
        raise SourceError(Reason.PROTOCOL, "This is a web page (HTML), not a feed")
    try:
        feed = read_strictly(document, url) or _read_repaired(document, url)
    except NotAFeed as error:
        raise SourceError(Reason.PROTOCOL, str(error)) from error
    language = language_tag(feed.language)
    items = (_item(entry, feed.base, language, now) for entry in feed.entries)
    title = plain_title(feed.title) or None
    hints = read_hints(feed.hints, url)
    return ParsedDocument(newest(item for item in items if item), title, language, hints=hints)


def _read_repaired(document: str, url: str) -> RawFeed:
    mended = escaped_ampersands(well_formed_characters(document))
    return read_strictly(from_start(mended), url) or read_leniently(mended, url)


def _item(entry: RawEntry, base: str, language: str | None, now: datetime) -> Item | None:
    base = entry.base or base
    url = first(resolve(base, address) for address in entry.addresses)
    summary = _summary(entry)
    publisher = plain_title(entry.publisher) or None
    title = without_publisher(plain_title(entry.title), publisher) or title_from(summary, url)
    if not title:
        return None
    published_at = first(parse_date(date, now) for date in entry.dates)
    return Item(
        title=title,
        summary=summary,
        guid=one_line(entry.guid) or None,
        url=url,
        published_at=published_at,
        language=language_tag(entry.language) or language,
        categories=_categories(entry),
        authors=distinct(_name(author) for author in entry.authors[:MOST_NAMES]),
        image=first(resolve(base, address) for address in entry.images),
        publisher=publisher,
        has_bad_date=published_at is None and any(entry.dates),
    )


def _summary(entry: RawEntry) -> str:
    texts = (plain_text(storable(part[:MARKUP_LIMIT])) for part in entry.parts if part)
    return shorten(first(texts) or "", SUMMARY_LIMIT)


def _categories(entry: RawEntry) -> tuple[str, ...]:
    names = (plain_title(category) for category in entry.categories[:MOST_NAMES])
    return distinct(name for name in names if "://" not in name)


def _name(author: str) -> str:
    """Return the name in forms such as `ann@site.example (Ann)`, empty if there is only an address."""
    name = _MAIL_ADDRESS.sub(" ", plain_title(author)).strip()
    return name[1:-1].strip() if name.startswith("(") and name.endswith(")") else name
