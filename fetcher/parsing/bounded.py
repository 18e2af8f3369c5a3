"""Driving feedparser over text alone, with bounds where a hostile document would keep it busy for hours."""

import io
import xml.sax
from typing import Any
from xml.sax.handler import feature_external_ges, feature_namespaces
from xml.sax.xmlreader import AttributesNSImpl, InputSource

from feedparser.api import LooseFeedParser, StrictFeedParser
from feedparser.sanitizer import replace_doctype

MOST_ATTRIBUTES = 100
MOST_CATEGORIES = 200


class _Bounds:
    """Keeps small what feedparser handles in quadratic time."""

    def _sync_author_detail(self, key: str = "author") -> None:
        # Instead of searching for a mail address with an expression that backtracks without bounds.
        context = self._get_context()  # type: ignore[attr-defined]
        people = context.get(f"{key}s")
        if people and not people[-1] and isinstance(context.get(key), str):
            people[-1]["name"] = context[key]

    def _add_tag(self, term: object, scheme: object, label: object) -> None:
        tags = self._get_context().get("tags", ())  # type: ignore[attr-defined]
        if len(tags) < MOST_CATEGORIES:
            super()._add_tag(term, scheme, label)  # type: ignore[misc]


class _Strict(_Bounds, StrictFeedParser):  # type: ignore[misc]
    """Reads well-formed XML."""

    def startElementNS(self, name: Any, qname: Any, attrs: Any) -> None:  # noqa: N802 (SAX's name)
        bearable = len(attrs) <= MOST_ATTRIBUTES
        super().startElementNS(name, qname, attrs if bearable else AttributesNSImpl({}, {}))


class _Loose(_Bounds, LooseFeedParser):  # type: ignore[misc]
    """Reads what is meant to be XML."""

    def unknown_starttag(self, tag: str, attrs: list[tuple[str, str]]) -> None:
        super().unknown_starttag(tag, attrs[:MOST_ATTRIBUTES])


class Reading:
    """What feedparser made of a document: nodes of unknown shape, and whether it was well-formed."""

    def __init__(self, parser: Any, declared_version: str | None, *, well_formed: bool) -> None:
        self.channel: dict[str, Any] = parser.feeddata
        self.entries: list[dict[str, Any]] = parser.entries
        self.version: str = declared_version or parser.version or ""
        self.well_formed = well_formed


def read_xml(document: str) -> Reading:
    """Read a document, as XML if it is that, else as far as it resembles it.

    No address is visited and no file opened; entities other than plain ones are not expanded. May raise
    any exception on documents made for that.
    """
    version, data, entities = replace_doctype(document.encode())
    strict = _without_markup_work(_Strict("", None, "utf-8"))
    if _is_read(strict, data):
        return Reading(strict, version, well_formed=True)
    loose = _without_markup_work(_Loose("", None, "utf-8", entities))
    loose.feed(data.decode("utf-8", "replace"))
    return Reading(loose, version, well_formed=False)


def _without_markup_work(parser: Any) -> Any:
    # All markup is turned into plain text afterwards, so cleaning it first would be for nothing.
    parser.resolve_relative_uris = False
    parser.sanitize_html = False
    return parser


def _is_read(parser: Any, data: bytes) -> bool:
    reader = xml.sax.make_parser()  # noqa: S317 (no external entities, and expat bounds the others)
    reader.setFeature(feature_namespaces, True)
    reader.setFeature(feature_external_ges, False)
    reader.setContentHandler(parser)
    reader.setErrorHandler(parser)
    source = InputSource()
    source.setByteStream(io.BytesIO(data))
    source.setEncoding("utf-8")
    try:
        reader.parse(source)
    except xml.sax.SAXException:
        return False
    return True
