"""Reading OPML: as XML where it is that, else as far as its outlines can be made out."""

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from html.entities import html5
from typing import NoReturn
from xml.parsers import expat

from api.opml import FOLDER_LIMIT, Outline, folder_names
from core.text import one_line, shorten, storable

MOST_SOURCES = 10_000
TITLE_LIMIT = 200

_XML_ENTITIES = frozenset({b"amp", b"lt", b"gt", b"quot", b"apos"})
_AMPERSAND = re.compile(rb"&(?:([A-Za-z][A-Za-z0-9]{1,30});|(?!#\d{1,7};|#[xX][0-9A-Fa-f]{1,6};))")
_OUTLINE = re.compile(r"(?i)<(/?)outline(?=[\s/>])")
_ATTRIBUTE = re.compile(r"""(?i)\b(text|title|xmlUrl|type)\s{0,9}=\s{0,9}(?:"([^"]*)"|'([^']*)')""")


class UnreadableOpml(ValueError):
    """A document is no OPML; the message says why, in words for people."""


@dataclass(frozen=True)
class SourceList:
    """The sources of a document, in order, and what is wrong with its XML."""

    outlines: tuple[Outline, ...]
    damage: str | None = None


def read_opml(document: bytes) -> SourceList:
    """Return the sources of a document. One with entities of its own is refused.

    Ampersands that nobody escaped and HTML's names for characters are borne; of a document that is not
    well-formed for other causes, outlines are taken as far as they can be made out. Raises UnreadableOpml
    where that finds nothing, and for what is not OPML.
    """
    lines = document[: len(document) - len(document.lstrip())].count(b"\n")
    outlines = _Outlines(lines)
    try:
        # In an encoding with NUL bytes an ampersand is not a single byte.
        start = document.lstrip()
        _Strict(outlines).read(start if b"\0" in start else _AMPERSAND.sub(_escaped_ampersand, start))
    except expat.ExpatError as error:
        damage = f"not well-formed XML: {expat.ErrorString(error.code)}, in line {error.lineno + lines}"
        return _read_damaged(document, damage)
    except (LookupError, UnicodeError) as error:
        raise UnreadableOpml("its encoding is not known") from error
    return SourceList(tuple(outlines.found))


class _Outlines:
    """Collects sources while outlines open and close; without a tree, depth costs next to nothing."""

    def __init__(self, skipped_lines: int = 0) -> None:
        self.found: list[Outline] = []
        self._skipped_lines = skipped_lines
        self._folders: list[str] = []

    def begin(self, attributes: Mapping[str, str], line: int) -> None:
        """Open an outline, whose attributes have lower-case names."""
        folder = self._folders[-1] if self._folders else ""
        title = shorten(
            one_line(storable(attributes.get("title") or attributes.get("text") or "")), TITLE_LIMIT
        )
        url = storable(attributes.get("xmlurl", "")).strip()
        if url:
            kind = attributes.get("type", "").strip()
            self._add(Outline(url, title, folder, kind, line + self._skipped_lines))
        self._folders.append(folder if url else _inside(folder, title))

    def end(self) -> None:
        """Close the outline that was opened last."""
        if self._folders:
            self._folders.pop()

    def _add(self, outline: Outline) -> None:
        if len(self.found) == MOST_SOURCES:
            raise UnreadableOpml(f"more than {MOST_SOURCES:,} sources in one document")
        self.found.append(outline)


def _inside(folder: str, title: str) -> str:
    if len(folder) + len(title) >= FOLDER_LIMIT:
        return folder
    return "/".join([folder, *folder_names(title)] if folder else folder_names(title))


class _Strict:
    """Follows the elements of a well-formed document."""

    def __init__(self, outlines: _Outlines) -> None:
        self._outlines = outlines
        self._is_opml = False
        self._parser = expat.ParserCreate()
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.EntityDeclHandler = _refuse_entity

    def read(self, document: bytes) -> None:
        self._parser.Parse(document, True)

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        name = name.lower()
        if not self._is_opml and name != "opml":
            raise UnreadableOpml(f"this is not OPML: its outermost element is <{name[:50]}>")
        self._is_opml = True
        if name == "outline":
            named = {key.lower(): value for key, value in attributes.items()}
            self._outlines.begin(named, self._parser.CurrentLineNumber)

    def _end(self, name: str) -> None:
        if name.lower() == "outline":
            self._outlines.end()


def _read_damaged(document: bytes, damage: str) -> SourceList:
    """Take everything between the beginnings and ends of outlines as attributes of the one begun last."""
    text, outlines = _text(document), _Outlines()
    marks = list(_OUTLINE.finditer(text))
    ends = [*(mark.start() for mark in marks[1:]), len(text)]
    line, place = 1, 0
    for mark, end in zip(marks, ends, strict=False):
        line, place = line + text.count("\n", place, mark.start()), mark.start()
        _follow(outlines, mark, text[mark.end() : end], line)
    if not outlines.found:
        raise UnreadableOpml(damage)
    return SourceList(tuple(outlines.found), damage)


def _follow(outlines: _Outlines, mark: re.Match[str], inside: str, line: int) -> None:
    if mark[1]:
        outlines.end()
        return
    outlines.begin(_attributes(inside), line)
    if inside.partition("</body")[0].rstrip().endswith("/>"):
        outlines.end()


def _attributes(inside: str) -> dict[str, str]:
    attributes: dict[str, str] = {}
    for match in _ATTRIBUTE.finditer(inside):
        attributes.setdefault(match[1].lower(), html.unescape(match[2] or match[3] or ""))
    return attributes


def _text(document: bytes) -> str:
    try:
        return document.decode("utf-8-sig")
    except UnicodeDecodeError:
        return document.decode("cp1252", "replace")


def _refuse_entity(*_declaration: object) -> NoReturn:
    raise UnreadableOpml("a document that declares entities is not read")


def _escaped_ampersand(match: re.Match[bytes]) -> bytes:
    name = match[1]
    if name in _XML_ENTITIES:
        return match[0]
    characters = html5.get(f"{name.decode()};") if name else None
    if characters is None:
        return b"&amp;" + match[0][1:]
    return "".join(f"&#{ord(character)};" for character in characters).encode()
