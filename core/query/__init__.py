"""The query language: what people follow, written in words, read into trees that judge articles."""

from collections.abc import Iterable

from core.query.aliases import Aliases, alias_key
from core.query.asked import Asked
from core.query.compiled import compiled, decompiled, is_current, limited
from core.query.document import Document, language_tag, names
from core.query.errors import QueryError
from core.query.marks import Stretch, Term, marked, terms
from core.query.nodes import And, Field, FieldName, Node, Not, Or, Phrase, phrases
from core.query.parser import MAX_DEPTH, MAX_LEAVES, MAX_LENGTH, canonical, parse
from core.query.tokens import fold, tokenize
from core.query.topics import topic_query

__all__ = [
    "MAX_DEPTH",
    "MAX_LEAVES",
    "MAX_LENGTH",
    "Aliases",
    "And",
    "Asked",
    "Document",
    "Field",
    "FieldName",
    "Node",
    "Not",
    "Or",
    "Phrase",
    "QueryError",
    "Stretch",
    "Term",
    "alias_key",
    "canonical",
    "compiled",
    "decompiled",
    "fold",
    "is_current",
    "language_tag",
    "limited",
    "marked",
    "matches",
    "names",
    "parse",
    "phrases",
    "terms",
    "tokenize",
    "topic_query",
]


def matches(
    query: Node,
    title: str,
    summary: str = "",
    source: str | Iterable[str] | None = None,
    language: str | None = None,
    categories: str | Iterable[str] = (),
) -> bool:
    """Tell whether an article matches; to judge many queries or articles, keep the `Document` instead."""
    return query.matches(Document(title, summary, source, language, categories))
