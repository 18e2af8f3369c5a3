"""Well-formed RSS, RDF and Atom, read from libxml2's tree."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import lru_cache, reduce
from urllib.parse import urljoin

from lxml import etree

from fetcher.parsing.raw import RawEntry, RawFeed, RawHints
from fetcher.parsing.selection import first
from fetcher.urls import resolve

# The prefix under which elements of a namespace are known here. RSS and Atom share one, as they do in feeds.
_PREFIXES = {
    "http://www.w3.org/2005/atom": "",
    "http://purl.org/atom/ns#": "",
    "http://purl.org/rss/1.0/": "",
    "http://purl.org/net/rss1.1#": "",
    "http://my.netscape.com/rdf/simple/0.9/": "",
    "http://backend.userland.com/rss2": "",
    "http://backend.userland.com/rss": "",
    "http://blogs.law.harvard.edu/tech/rss": "",
    "http://purl.org/dc/elements/1.1/": "dc:",
    "http://purl.org/dc/terms/": "dcterms:",
    "http://purl.org/rss/1.0/modules/content/": "content:",
    "http://purl.org/rss/1.0/modules/syndication/": "sy:",
    "http://search.yahoo.com/mrss": "media:",
    "http://search.yahoo.com/mrss/": "media:",
    "http://www.itunes.com/dtds/podcast-1.0.dtd": "itunes:",
    "http://rssnamespace.org/feedburner/ext/1.0": "feedburner:",
    "http://www.w3.org/1999/xhtml": "xhtml:",
}
_XML = "{http://www.w3.org/XML/1998/namespace}"
_ABOUT = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}about"
_DATES = (
    "pubdate", "published", "issued", "dcterms:issued", "dcterms:created", "created", "dc:date", "updated",
    "modified", "dcterms:modified",
)  # fmt: skip
_PARTS = (
    "description", "summary", "dc:description", "content:encoded", "content", "xhtml:body", "itunes:summary",
    "media:description",
)  # fmt: skip
_AUTHORS = ("author", "dc:creator", "itunes:author")
_PAGES = (None, "text/html", "application/xhtml+xml")

Fields = defaultdict[str, list[etree._Element]]


def read_strictly(document: str, url: str) -> RawFeed | None:
    """Read a feed found at `url`; None if it is not well-formed, has a document type, or an unknown shape.

    Nothing is fetched and no entity expanded. A document that might hold items elsewhere than feeds have
    them is left to more lenient readers too.
    """
    root = _root(document)
    if root is None or etree.QName(root).localname.lower() not in ("rss", "rdf", "feed"):
        return None
    around = _fields(root)
    channel = next(iter(around["channel"]), None)
    inside = _fields(channel) if channel is not None else around
    items = [*inside["item"], *inside["entry"], *(around["item"] if inside is not around else ())]
    if not items and ("<item" in document or "<entry" in document):
        return None
    return _feed(root, channel, inside, items, url)


def _root(document: str) -> etree._Element | None:
    # Entities would be expanded in attributes whatever the options say.
    if "<!ENTITY" in document:
        return None
    parser = etree.XMLParser(
        encoding="utf-8",  # the text's own declaration speaks of the bytes that it was decoded from
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        remove_comments=True,
        remove_pis=True,
        huge_tree=False,
    )
    try:
        root = etree.fromstring(document.encode("utf-8", "replace"), parser)
    except etree.XMLSyntaxError:
        return None
    return None if root.getroottree().docinfo.doctype else root


def _feed(
    root: etree._Element,
    channel: etree._Element | None,
    fields: Fields,
    items: list[etree._Element],
    url: str,
) -> RawFeed:
    base = _base_of_feed(root, channel, fields, url)
    declared = (_text(one) for name in ("language", "dc:language") for one in fields[name])
    return RawFeed(
        base=base,
        title=_title(fields),
        language=first(declared) or _language(channel) or _language(root),
        entries=[_entry(item, base) for item in items],
        hints=RawHints(
            ttl=_first_text(fields, "ttl"),
            update_period=_first_text(fields, "sy:updateperiod"),
            update_frequency=_first_text(fields, "sy:updatefrequency"),
            links=tuple((link.get("rel", ""), link.get("href", "")) for link in fields["link"]),
        ),
    )


def _base_of_feed(root: etree._Element, channel: etree._Element | None, fields: Fields, url: str) -> str:
    stated = [one for one in (root, channel) if one is not None and one.get(f"{_XML}base")]
    if stated or channel is None:
        return reduce(_within, stated, url)
    return resolve(url, first(_text(link) for link in fields["link"])) or url


def _entry(item: etree._Element, outer: str) -> RawEntry:
    fields = _fields(item)
    title = next(iter(fields["title"]), None)
    return RawEntry(
        title=_title(fields),
        parts=_parts(fields),
        guid=_first_text(fields, "guid", "id") or item.get(_ABOUT, ""),
        addresses=tuple(_addresses(fields)),
        dates=tuple(_text(one) for name in _DATES for one in fields[name]),
        language=_language(title) or _language(item),
        categories=tuple(_categories(fields)),
        authors=tuple(_author(one) for name in _AUTHORS for one in fields[name]),
        images=tuple(_images(fields)),
        publisher=first(_publisher(one) for one in fields["source"]) or "",
        base=_within(outer, item),
    )


@lru_cache(maxsize=4_096)
def _name(tag: object) -> str:
    """Return the name under which an element is known here, empty if its namespace is not."""
    namespace, _, local = tag.rpartition("}") if isinstance(tag, str) else ("", "", "")
    prefix = _PREFIXES.get(namespace[1:].lower()) if namespace else ""
    return "" if prefix is None else prefix + local.lower()


def _fields(element: etree._Element) -> Fields:
    fields: Fields = defaultdict(list)
    for child in _spread(element):
        fields[_name(child.tag)].append(child)
    return fields


def _spread(element: etree._Element) -> Iterator[etree._Element]:
    """Yield the children, and those of Media RSS's groups, which say nothing by themselves."""
    for child in element:
        yield child
        if len(child) and _name(child.tag) in ("media:group", "media:content"):
            yield from _spread(child)


def _text(element: etree._Element) -> str:
    return ("".join(element.itertext()) if len(element) else element.text or "").strip()


def _first_text(fields: Fields, *names: str) -> str:
    return first(_text(one) for name in names for one in fields[name]) or ""


def _title(fields: Fields) -> str:
    return _first_text(fields, "title", "dc:title", "media:title")


def _language(element: etree._Element | None) -> str | None:
    return None if element is None else element.get(f"{_XML}lang")


def _within(outer: str, element: etree._Element) -> str:
    """Return what addresses in an element are relative to (XML Base)."""
    return resolve(outer, element.get(f"{_XML}base")) or outer


def _parts(fields: Fields) -> Iterator[str]:
    return (_markup(one) for name in _PARTS for one in fields[name] if _is_text(one))


def _is_text(element: etree._Element) -> bool:
    kind = element.get("type", "").lower()
    return "/" not in kind or kind.startswith("text/") or kind.endswith(("xml", "html"))


def _markup(element: etree._Element) -> str:
    text = element.text or ""
    inner = (etree.tostring(child, encoding="unicode", with_tail=True) for child in element)
    return "".join([text, *inner]) if len(element) else text


def _addresses(fields: Fields) -> Iterator[str]:
    links = fields["link"]
    yield from (_text(one) for one in (*fields["feedburner:origlink"], *links) if not one.get("href"))
    alternates = [one for one in links if one.get("href") and one.get("rel", "alternate") == "alternate"]
    for one in sorted(alternates, key=lambda link: link.get("type") not in _PAGES):
        yield urljoin(one.get(f"{_XML}base", "").strip(), one.get("href").strip())
    for guid in fields["guid"]:
        if guid.get("isPermaLink", "true").strip().lower() != "false" and "://" in _text(guid):
            yield _text(guid)
    yield from (_text(one) for one in fields["id"] if "://" in _text(one))


def _categories(fields: Fields) -> Iterator[str]:
    for one in (*fields["category"], *fields["dc:subject"], *fields["media:category"]):
        yield one.get("label") or one.get("term") or _text(one)


def _author(element: etree._Element) -> str:
    names = (_text(child) for child in element if _name(child.tag) == "name")
    return (first(names) or "") if len(element) else _text(element)


def _publisher(source: etree._Element) -> str:
    return _title(_fields(source)) if len(source) else _text(source)


def _images(fields: Fields) -> Iterator[str]:
    yield from _pictures(fields["media:content"], "url")
    yield from _pictures(fields["enclosure"], "url")
    yield from _pictures((one for one in fields["link"] if one.get("rel") == "enclosure"), "href")
    yield from (one.get("url", "") for one in fields["media:thumbnail"])
    yield from (one.get("href", "") for one in (*fields["itunes:image"], *fields["image"]))


def _pictures(elements: Iterable[etree._Element], attribute: str) -> Iterator[str]:
    for one in elements:
        if one.get("medium") == "image" or one.get("type", "").startswith("image/"):
            yield one.get(attribute, "")
