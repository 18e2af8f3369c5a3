"""OPML 2.0 (http://opml.org/spec2.opml): lists of sources as feed readers exchange them, written."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from xml.sax.saxutils import escape, quoteattr

from core.text import one_line

FOLDER_LIMIT = 200

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Outline:
    """A source in a list: its line in the document, and the folders it stands in, joined by slashes."""

    url: str
    title: str = ""
    folder: str = ""
    type: str = ""
    line: int = 0


def write_opml(outlines: Iterable[Outline], title: str, now: datetime) -> str:
    """Return a document with the given sources, those of a folder together."""
    ordered = sorted(outlines, key=lambda outline: folder_names(outline.folder))
    made = format_datetime(now.astimezone(UTC), usegmt=True)
    return "\n".join(
        [
            '<?xml version="1.0" encoding="UTF-8"?>',
            '<opml version="2.0">',
            f"<head><title>{escape(_xml(title))}</title><dateCreated>{made}</dateCreated></head>",
            "<body>",
            *_body(ordered),
            "</body>",
            "</opml>",
            "",
        ]
    )


def folder_names(folder: str) -> tuple[str, ...]:
    """Return the names in the path of a folder, the outermost first, without empty ones."""
    return tuple(name for part in folder.split("/") if (name := one_line(part)))


def _body(outlines: Iterable[Outline]) -> Iterator[str]:
    opened: tuple[str, ...] = ()
    for outline in outlines:
        path = folder_names(outline.folder)
        common = _common(opened, path)
        yield from ("</outline>" for _ in opened[common:])
        yield from (f"<outline text={_attribute(name)}>" for name in path[common:])
        opened = path
        name = _attribute(outline.title or outline.url)
        kind, url = _attribute(outline.type or "rss"), _attribute(outline.url)
        yield f"<outline type={kind} text={name} title={name} xmlUrl={url}/>"
    yield from ("</outline>" for _ in opened)


def _common(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    pairs = zip(one, other, strict=False)
    return next((place for place, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def _attribute(text: str) -> str:
    return quoteattr(_xml(text))


def _xml(text: str) -> str:
    return _NOT_XML.sub("", text)
