"""Reaching into documents of unknown shape: whatever is not of the expected type is not there."""

import json
import re
from collections.abc import Mapping
from typing import Any

Node = Mapping[str, Any]

_LANGUAGE = re.compile(r"^[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{1,8})*$")
_LANGUAGE_LIMIT = 35
_SEPARATORS = re.compile(r"[\s,]*")


def get(node: Node, key: str) -> Any:
    """Return what stands under `key`, past feedparser's own lookup, which answers with related keys."""
    return dict.get(node, key) if isinstance(node, dict) else None


def text(node: Node, key: str) -> str:
    """Return the text under `key`, or an empty one."""
    value = get(node, key)
    return value if isinstance(value, str) else ""


def child(node: Node, key: str) -> Node:
    """Return the node under `key`, or an empty one."""
    value = get(node, key)
    return value if isinstance(value, dict) else {}


def children(node: Node, key: str) -> list[Node]:
    """Return the nodes in the list under `key`."""
    value = get(node, key)
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def language_tag(value: object) -> str | None:
    """Return a language tag in lower case with hyphens, None if it has no such shape (RFC 5646)."""
    tag = value.strip() if isinstance(value, str) else ""
    fits = len(tag) <= _LANGUAGE_LIMIT and _LANGUAGE.match(tag)
    return tag.replace("_", "-").lower() if fits else None


def json_object(document: str) -> Node | None:
    """Return the JSON object that `document` is, or None."""
    try:
        value = json.loads(document, strict=False)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def whole_objects(document: str, key: str) -> list[Node]:
    """Return the objects of the list under `key` up to where a damaged JSON document breaks off."""
    start = re.search(rf'"{re.escape(key)}"\s*:\s*\[', document)
    decoder = json.JSONDecoder(strict=False)
    found: list[Node] = []
    place = start.end() if start else len(document)
    while place < len(document):
        try:
            value, place = decoder.raw_decode(document, _end_of_separators(document, place))
        except (ValueError, RecursionError):
            break
        if isinstance(value, dict):
            found.append(value)
    return found


def _end_of_separators(document: str, place: int) -> int:
    match = _SEPARATORS.match(document, place)
    return match.end() if match else place
