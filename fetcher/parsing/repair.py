"""Mending what keeps a document from being well-formed and has only one likely meaning."""

import html
import re
from html.entities import html5

_START = re.compile(r"(?i)<\?xml\s|<(?:rss|feed|rdf:rdf)[\s>]")
_SEARCHED_FOR_START = 20_000
_CHARACTER = re.compile(r"&#(?:[xX]([0-9A-Fa-f]+)|([0-9]+));")
_SURROGATE_PAIR = re.compile(r"[\ud800-\udbff][\udc00-\udfff]")
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# Sections whose ampersands mean themselves come first, up to the end of the document if they are not closed.
_AMPERSAND = re.compile(
    r"(?s)<!\[CDATA\[.*?(?:\]\]>|\Z)|<!--.*?(?:-->|\Z)"
    r"|&(?!\#[0-9]+;|\#[xX][0-9A-Fa-f]+;|(?:amp|lt|gt|quot|apos);)(?:([A-Za-z][A-Za-z0-9]{0,31};)?)"
)


def well_formed_characters(document: str) -> str:
    """Replace the characters and references that no XML document may hold (XML 1.0, section 2.2)."""
    paired = _SURROGATE_PAIR.sub(_joined, _CHARACTER.sub(_readable_reference, document))
    return _NOT_XML.sub(" ", paired)


def escaped_ampersands(document: str) -> str:
    """Escape ampersands that begin no reference, and replace the references that only HTML knows.

    A document that declares entities of its own is left as it is.
    """
    return document if "<!ENTITY" in document else _AMPERSAND.sub(_escaped, document)


def from_start(document: str) -> str:
    """Return a document without what a server printed before it, such as warnings."""
    start = _START.search(document, 0, _SEARCHED_FOR_START)
    return document[start.start() :] if start else document


def _escaped(match: re.Match[str]) -> str:
    if not match[0].startswith("&"):
        return match[0]
    known = html5.get(match[1]) if match[1] else None
    return html.escape(known) if known else f"&amp;{match[0][1:]}"


def _readable_reference(match: re.Match[str]) -> str:
    digits = match[1] or match[2]
    code = int(digits, 16 if match[1] else 10) if len(digits) < 9 else -1
    if 0xD800 <= code <= 0xDFFF:
        return chr(code)  # half of a character that was escaped as UTF-16; its other half follows
    return match[0] if 0 <= code <= 0x10FFFF and not _NOT_XML.match(chr(code)) else " "


def _joined(match: re.Match[str]) -> str:
    return match[0].encode("utf-16-le", "surrogatepass").decode("utf-16-le")
