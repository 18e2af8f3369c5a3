"""Queries and topics as clients write them, compiled for the store."""

from collections.abc import Iterable
from dataclasses import dataclass

from api.problems import invalid_query
from core.query import Document, Node, QueryError, canonical, parse, topic_query
from core.store.listings import ArticleText
from core.store.models import Article, ArticleVersion


@dataclass(frozen=True)
class CompiledQuery:
    """A query or topic that was understood; `text` is what people are shown."""

    text: str
    canonical: str
    is_topic: bool


def compile_query(query: str) -> CompiledQuery:
    """Read a query; raises Problem naming the field `query` and the position."""
    try:
        return CompiledQuery(query.strip(), canonical(query), is_topic=False)
    except QueryError as error:
        raise invalid_query(error, "query") from error


def compile_topic(topic: str) -> CompiledQuery:
    """Read a topic; raises Problem naming the field `topic` and the position."""
    try:
        return CompiledQuery(topic, topic_query(topic), is_topic=True)
    except QueryError as error:
        raise invalid_query(error, "topic") from error


def parse_filter(query: str, field: str) -> Node:
    """Read a query that filters a list; raises Problem naming the field and the position."""
    try:
        return parse(query)
    except QueryError as error:
        raise invalid_query(error, field) from error


def document_of(article: Article, version: ArticleVersion, elsewhere: Iterable[str] = ()) -> Document:
    """Return an article as queries see it; `elsewhere` is what other sources that have it are called."""
    keys = _source_keys(article.source_id, article.source_name, *elsewhere)
    return Document(version.title, version.summary, keys, version.language, version.categories)


def document_of_text(text: ArticleText, elsewhere: Iterable[str] = ()) -> Document:
    """Return the text of an article as queries see it; `elsewhere` as in `document_of`."""
    keys = _source_keys(text.source_id, text.source_name, *elsewhere)
    return Document(text.title, text.summary, keys, text.language, text.categories)


def _source_keys(*names: str | None) -> list[str]:
    return [name for name in names if name]
