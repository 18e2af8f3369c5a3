"""RSS 0.9x to 2.0, RDF and Atom, as feedparser reads them, turned into items."""

import re
from datetime import datetime

from core.errors import Reason
from core.message import SUMMARY_LIMIT
from core.text import one_line, plain_text, shorten, storable
from fetcher.dates import from_utc_tuple, parse_date
from fetcher.parsing.bounded import RawFeed, read_xml
from fetcher.parsing.nodes import Node, child, children, get, language_tag, text
from fetcher.parsing.selection import distinct, first, newest
from fetcher.parsing.titles import plain_title, title_from, without_publisher
from fetcher.sources.base import Item, ParsedDocument, SourceError
from fetcher.urls import resolve

MARKUP_LIMIT = 200_000

_PAGE = re.compile(r"(?is)^(?:\s|<\?xml[^>]*>|<!--.*?-->)*<(?:!doctype\s+html|html)\b")
_REFERENCE = re.compile(r"&#(?:[xX]([0-9A-Fa-f]+)|([0-9]+));")
_MAIL_ADDRESS = re.compile(r"\s*[<(]?[^\s<>()]{1,64}@[^\s<>()]{1,255}[>)]?\s*")
_SURROGATE_PAIR = re.compile(r"[\ud800-\udbff][\udc00-\udfff]")
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def parse_xml(document: str, url: str, now: datetime) -> ParsedDocument:
    """Read a feed found at `url`, as far as it is readable; raise SourceError if it is not a feed."""
    if _PAGE.match(document[:4_096]):
        raise SourceError(Reason.PROTOCOL, "This is a web page (HTML), not a feed")
    feed = _read(document)
    if not feed.version and not any(get(entry, "title") or get(entry, "link") for entry in feed.entries):
        raise SourceError(Reason.PROTOCOL, "This is neither RSS, Atom nor JSON Feed")
    if not feed.well_formed and not feed.entries:
        raise SourceError(Reason.PROTOCOL, "The feed is damaged or cut off before its first item")
    language = language_tag(get(feed.channel, "language"))
    base = url if feed.version.startswith("atom") else resolve(url, get(feed.channel, "link")) or url
    items = (_item(entry, base, language, now) for entry in feed.entries)
    title = plain_title(text(feed.channel, "title")) or None
    return ParsedDocument(newest(item for item in items if item), title, language)


def _read(document: str) -> RawFeed:
    try:
        return read_xml(_well_formed_characters(document))
    except Exception as error:  # feedparser lets out whatever its handlers raise on hostile documents
        raise SourceError(Reason.PROTOCOL, f"The feed cannot be read: {type(error).__name__}") from error


def _well_formed_characters(document: str) -> str:
    """Replace the characters and references that no XML document may hold (XML 1.0, section 2.2)."""
    paired = _SURROGATE_PAIR.sub(_joined, _REFERENCE.sub(_readable_reference, document))
    return _NOT_XML.sub(" ", paired)


def _readable_reference(match: re.Match[str]) -> str:
    digits = match[1] or match[2]
    code = int(digits, 16 if match[1] else 10) if len(digits) < 9 else -1
    if 0xD800 <= code <= 0xDFFF:
        return chr(code)  # half of a character that was escaped as UTF-16; its other half follows
    return match[0] if 0 <= code <= 0x10FFFF and not _NOT_XML.match(chr(code)) else " "


def _joined(match: re.Match[str]) -> str:
    return match[0].encode("utf-16-le", "surrogatepass").decode("utf-16-le")


def _item(entry: Node, base: str, language: str | None, now: datetime) -> Item | None:
    url, guid = _address(entry, base), one_line(text(entry, "id")) or None
    summary = _summary(entry)
    publisher = plain_title(text(child(entry, "source"), "title")) or None
    title = without_publisher(plain_title(text(entry, "title")), publisher) or title_from(summary, url)
    if not title:
        return None
    return Item(
        title=title,
        summary=summary,
        guid=guid,
        url=url,
        published_at=_published_at(entry, now),
        language=language_tag(get(child(entry, "title_detail"), "language")) or language,
        categories=_categories(entry),
        authors=_authors(entry),
        image=_image(entry, base),
        publisher=publisher,
    )


def _address(entry: Node, base: str) -> str | None:
    link = get(entry, "feedburner_origlink") or get(entry, "link")
    if link and link == get(entry, "id") and "://" not in link:
        return None  # a guid that nobody marked as no permalink
    return resolve(base, link) or first(resolve(base, one.get("href")) for one in _alternates(entry))


def _alternates(entry: Node) -> list[Node]:
    return [link for link in children(entry, "links") if link.get("rel", "alternate") == "alternate"]


def _summary(entry: Node) -> str:
    parts = [text(entry, "summary"), *(text(part, "value") for part in children(entry, "content"))]
    texts = (plain_text(storable(part[:MARKUP_LIMIT])) for part in parts if part)
    return shorten(first(texts) or "", SUMMARY_LIMIT)


def _published_at(entry: Node, now: datetime) -> datetime | None:
    dates = (
        parse_date(get(entry, name), now) or from_utc_tuple(get(entry, f"{name}_parsed"), now)
        for name in ("published", "created", "updated")
    )
    return first(dates)


def _categories(entry: Node) -> tuple[str, ...]:
    names = (plain_title(tag.get("label") or tag.get("term") or "") for tag in children(entry, "tags"))
    return distinct(name for name in names if "://" not in name)


def _authors(entry: Node) -> tuple[str, ...]:
    return distinct(_name(text(author, "name")) for author in children(entry, "authors"))


def _name(author: str) -> str:
    """Return the name in forms such as `ann@site.example (Ann)`, empty if there is only an address."""
    name = _MAIL_ADDRESS.sub(" ", plain_title(author)).strip()
    return name[1:-1].strip() if name.startswith("(") and name.endswith(")") else name


def _image(entry: Node, base: str) -> str | None:
    thumbnails = [one.get("url") for one in children(entry, "media_thumbnail")]
    pictures = [one.get("url") for one in children(entry, "media_content") if _is_picture(one)]
    enclosures = [
        one.get("href")
        for one in children(entry, "links")
        if one.get("rel") == "enclosure" and _is_picture(one)
    ]
    own = [get(child(entry, "image"), "href")]
    return first(resolve(base, address) for address in (*pictures, *enclosures, *thumbnails, *own))


def _is_picture(node: Node) -> bool:
    return node.get("medium") == "image" or str(node.get("type", "")).startswith("image/")
