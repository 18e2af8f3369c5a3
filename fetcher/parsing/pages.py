"""Web pages: which feeds they name, and which of their links look like feeds."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from lxml import etree

from core.text import one_line, storable
from fetcher.parsing.encoding import decode
from fetcher.urls import resolve

READ_CHARACTERS = 1_000_000
MOST_LINKS = 20
TITLE_LIMIT = 200

_FEED_TYPES = frozenset(
    f"application/{name}" for name in ("rss+xml", "atom+xml", "rdf+xml", "feed+json", "json", "xml")
) | {"text/xml"}
_FEED_ADDRESS = re.compile(r"(?i)(?:^|[/.?&=_-])(?:rss2?|atom|feeds?|rdf)(?:$|[/.?&=_-])|\.xml$")
_FEED_WORDS = frozenset({"rss", "rss2", "atom", "feed", "feeds", "rdf"})
_MOST_WORDS = 4  # of a link such as "Subscribe via RSS", and not of a headline about feeds
_WORD = re.compile(r"[^\W_]+")
_NO_ADDRESS = re.compile(r"(?i)\s*(?:mailto|javascript|data|tel):")


@dataclass(frozen=True)
class Link:
    """Where a feed may be, and what the page calls it."""

    url: str
    title: str = ""


@dataclass(frozen=True)
class PageLinks:
    """What a page says of its feeds: by link elements, and by links for people."""

    declared: tuple[Link, ...]
    shown: tuple[Link, ...]


def page_links(body: bytes, content_type: str, url: str) -> PageLinks:
    """Return what a page at `url` names, of its first million characters; never raises, whatever it is.

    Link elements count as HTML (section 4.6.7.1) has them, and addresses as seen from its `base`.
    """
    text = storable(decode(body, content_type)[:READ_CHARACTERS])
    found = _Collector()
    # Named, so that what the page says of its encoding, which is read already, counts no more.
    parser = etree.HTMLParser(target=found, encoding="utf-8", remove_comments=True, remove_pis=True)
    try:
        parser.feed(text.encode())
        parser.close()
    except (etree.LxmlError, AssertionError):
        pass  # what was found before counts
    base = resolve(url, found.base) or url
    return PageLinks(_absolute(base, found.declared), _absolute(base, found.shown))


def _absolute(base: str, links: list[tuple[str, str]]) -> tuple[Link, ...]:
    resolved = ((resolve(base, href), title) for href, title in links)
    distinct: dict[str, Link] = {}
    for url, title in resolved:
        if url:
            distinct.setdefault(url.partition("#")[0], Link(url.partition("#")[0], one_line(title)))
    return tuple(distinct.values())[:MOST_LINKS]


class _Collector:
    """Is told of a page's elements, and keeps no more than the first few links of each sort."""

    def __init__(self) -> None:
        self.base: str | None = None
        self.declared: list[tuple[str, str]] = []
        self.shown: list[tuple[str, str]] = []
        self._href: str | None = None
        self._words = ""

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        """Note a base, a feed's link element, or where a link for people begins."""
        href = attributes.get("href", "")
        if tag == "base" and self.base is None and href:
            self.base = href
        elif tag == "link" and _is_feed_link(attributes) and len(self.declared) < 10 * MOST_LINKS:
            self.declared.append((href, attributes.get("title", "")[:TITLE_LIMIT]))
        elif tag == "a" and href and not _NO_ADDRESS.match(href):
            self._href, self._words = href, ""

    def data(self, text: str) -> None:
        """Gather the words of a link."""
        if self._href is not None and len(self._words) < TITLE_LIMIT:
            self._words += text[:TITLE_LIMIT]

    def end(self, tag: str) -> None:
        """Keep a link for people that looks like one to a feed."""
        if tag == "a" and self._href is not None:
            href, self._href = self._href[:4_000], None
            words = one_line(self._words[:TITLE_LIMIT])
            if _is_likely(href, words) and len(self.shown) < 10 * MOST_LINKS:
                self.shown.append((href, words))

    def close(self) -> None:
        """Return nothing: everything is noted already."""


def _is_likely(href: str, words: str) -> bool:
    said = _WORD.findall(words.casefold())
    named = len(said) <= _MOST_WORDS and not _FEED_WORDS.isdisjoint(said)
    return named or bool(_FEED_ADDRESS.search(href))


def _is_feed_link(attributes: Mapping[str, str]) -> bool:
    relations = attributes.get("rel", "").lower().split()
    kind = attributes.get("type", "").partition(";")[0].strip().lower()
    return bool(attributes.get("href")) and (
        ("alternate" in relations and kind in _FEED_TYPES) or relations == ["feed"]
    )
