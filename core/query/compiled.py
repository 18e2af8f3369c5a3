"""Queries as bytes: what the store keeps and the matching index loads, without reading query text again.

After a byte with the format's number comes the tree from the root down, each operator before its operands.
Numbers are unsigned LEB128; text is UTF-8 after its length in bytes.

node   = AND number node… | OR number node… | NOT node | PHRASE flags number text… | FIELD name text
"""

import re
from collections.abc import Iterable
from enum import IntEnum, IntFlag

from core.query.document import language_tag, names
from core.query.nodes import And, Field, FieldName, Node, Not, Or, Phrase, conjunction, disjunction

FORMAT = 1
"""The number of this format; bytes of another are compiled anew from the canonical query."""


_HEAD = bytes((FORMAT,))

# Operators, flags and the lengths of short texts are below 0x20, which no text holds.
_STRUCTURE = re.compile(rb"[\x00-\x1f]+")
_LONG = re.compile(rb"[^\x00-\x1f]{32}")


class _Op(IntEnum):
    AND = 1
    OR = 2
    NOT = 3
    PHRASE = 4
    FIELD = 5


class _Flag(IntFlag):
    PREFIX = 1
    TITLE = 2


_FIELD_NAMES = (FieldName.SOURCE, FieldName.LANGUAGE, FieldName.CATEGORY)


def limited(
    query: Node, sources: str | Iterable[str] | None = None, languages: str | Iterable[str] | None = None
) -> Node:
    """Return the tree that also asks for one of the sources and one of the languages, where any are given."""
    tags = map(language_tag, (languages,) if isinstance(languages, str) else languages or ())
    filters = (
        [Field(FieldName.SOURCE, name) for name in names(sources)],
        [Field(FieldName.LANGUAGE, tag) for tag in tags],
    )
    return conjunction([query, *(disjunction(fields) for fields in filters if fields)])


def compiled(query: Node) -> bytes:
    """Return the bytes of a tree, which are the same for equal queries."""
    out = bytearray(_HEAD)
    _write(out, query)
    return bytes(out)


def decompiled(code: bytes) -> Node:
    """Return the tree that was compiled; raises ValueError for bytes of another format, or damaged ones."""
    if not is_current(code):
        raise ValueError("not a compiled query of this format")
    try:
        node, end = _read(code, 1)
    except (IndexError, RecursionError) as error:
        raise ValueError("not a compiled query") from error
    if end != len(code):
        raise ValueError("not a compiled query: bytes follow it")
    return node


def texts(code: bytes) -> list[bytes] | None:
    """Return at least every word and name of a compiled query, in UTF-8, much faster than reading the tree.

    None where a text has 32 bytes or more, for then its length looks like a letter.
    """
    return None if _LONG.search(code) else _STRUCTURE.split(code)


def is_current(code: bytes) -> bool:
    """Tell whether the bytes are of this version's format."""
    return code[:1] == _HEAD


def _write(out: bytearray, node: Node) -> None:
    match node:
        case And(operands) | Or(operands):
            out.append(_Op.AND if isinstance(node, And) else _Op.OR)
            _write_number(out, len(operands))
            for operand in operands:
                _write(out, operand)
        case Not(operand):
            out.append(_Op.NOT)
            _write(out, operand)
        case Phrase(tokens):
            out += bytes((_Op.PHRASE, node.is_prefix * _Flag.PREFIX | node.in_title * _Flag.TITLE))
            _write_number(out, len(tokens))
            for token in tokens:
                _write_text(out, token)
        case Field(name, value):
            out += bytes((_Op.FIELD, _FIELD_NAMES.index(name)))
            _write_text(out, value)


def _write_text(out: bytearray, text: str) -> None:
    encoded = text.encode()
    _write_number(out, len(encoded))
    out += encoded


def _write_number(out: bytearray, number: int) -> None:
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)


def _read(code: bytes, at: int) -> tuple[Node, int]:
    match code[at]:
        case _Op.AND | _Op.OR:
            count, end = _read_number(code, at + 1)
            operands = []
            for _ in range(count):
                operand, end = _read(code, end)
                operands.append(operand)
            return (And if code[at] == _Op.AND else Or)(tuple(operands)), end
        case _Op.NOT:
            operand, end = _read(code, at + 1)
            return Not(operand), end
        case _Op.PHRASE:
            flags = code[at + 1]
            count, end = _read_number(code, at + 2)
            tokens = []
            for _ in range(count):
                token, end = _read_text(code, end)
                tokens.append(token)
            return Phrase(tuple(tokens), bool(flags & _Flag.PREFIX), bool(flags & _Flag.TITLE)), end
        case _Op.FIELD:
            value, end = _read_text(code, at + 2)
            return Field(_FIELD_NAMES[code[at + 1]], value), end
        case unknown:
            raise ValueError(f"not a compiled query: operator {unknown}")


def _read_text(code: bytes, at: int) -> tuple[str, int]:
    length, start = _read_number(code, at)
    end = start + length
    if end > len(code):
        raise IndexError(end)
    return code[start:end].decode(), end


def _read_number(code: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while code[at] > 0x7F:
        number |= (code[at] & 0x7F) << shift
        shift += 7
        at += 1
    return number | code[at] << shift, at + 1
