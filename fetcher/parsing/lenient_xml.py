"""Feeds that are not well-formed, or of unusual shape, as feedparser reads them."""

from collections.abc import Iterator

from fetcher.parsing.bounded import Reading, read_xml
from fetcher.parsing.nodes import Node, child, children, get, text
from fetcher.parsing.raw import RawEntry, RawFeed, RawHints
from fetcher.urls import resolve


class NotAFeed(ValueError):
    """A document is no feed, or nothing of it can be read; in words for the owner of its source."""


def read_leniently(document: str, url: str) -> RawFeed:
    """Read a feed found at `url` as far as it is readable; raise NotAFeed if it is none."""
    try:
        reading = read_xml(document)
    except MemoryError:
        raise
    except Exception as error:  # feedparser lets out whatever its handlers raise on hostile documents
        raise NotAFeed(f"The feed cannot be read: {type(error).__name__}") from error
    if not reading.version and not any(get(one, "title") or get(one, "link") for one in reading.entries):
        raise NotAFeed("This is neither RSS, Atom nor JSON Feed")
    if not reading.well_formed and not reading.entries:
        raise NotAFeed("The feed is damaged or cut off before its first item")
    return _feed(reading, url)


def _feed(reading: Reading, url: str) -> RawFeed:
    channel = reading.channel
    is_atom = reading.version.startswith("atom")
    return RawFeed(
        base=url if is_atom else resolve(url, get(channel, "link")) or url,
        title=text(channel, "title"),
        language=text(channel, "language") or None,
        entries=[_entry(entry) for entry in reading.entries],
        hints=RawHints(
            ttl=text(channel, "ttl"),
            update_period=text(channel, "sy_updateperiod"),
            update_frequency=text(channel, "sy_updatefrequency"),
            links=tuple((text(link, "rel"), text(link, "href")) for link in children(channel, "links")),
        ),
    )


def _entry(entry: Node) -> RawEntry:
    return RawEntry(
        title=text(entry, "title"),
        parts=_parts(entry),
        guid=text(entry, "id"),
        addresses=tuple(_addresses(entry)),
        dates=tuple(text(entry, name) for name in ("published", "created", "updated")),
        language=text(child(entry, "title_detail"), "language") or None,
        categories=tuple(text(tag, "label") or text(tag, "term") for tag in children(entry, "tags")),
        authors=tuple(text(author, "name") for author in children(entry, "authors")),
        images=tuple(_images(entry)),
        publisher=text(child(entry, "source"), "title"),
    )


def _parts(entry: Node) -> Iterator[str]:
    yield text(entry, "summary")
    yield from (text(part, "value") for part in children(entry, "content"))


def _addresses(entry: Node) -> Iterator[str]:
    link = text(entry, "feedburner_origlink") or text(entry, "link")
    if link == text(entry, "id") and "://" not in link:
        return  # a guid that nobody marked as no permalink
    yield link
    for one in children(entry, "links"):
        if text(one, "rel") in ("", "alternate"):
            yield text(one, "href")


def _images(entry: Node) -> Iterator[str]:
    yield from (text(one, "url") for one in children(entry, "media_content") if _is_picture(one))
    enclosures = (one for one in children(entry, "links") if text(one, "rel") == "enclosure")
    yield from (text(one, "href") for one in enclosures if _is_picture(one))
    yield from (text(one, "url") for one in children(entry, "media_thumbnail"))
    yield text(child(entry, "image"), "href")


def _is_picture(node: Node) -> bool:
    return text(node, "medium") == "image" or text(node, "type").startswith("image/")
