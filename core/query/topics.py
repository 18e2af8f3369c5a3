"""Topics: plain names of what people follow, for those who do not write queries."""

from core.query.errors import QueryError
from core.query.nodes import Field, FieldName, Phrase, conjunction, disjunction
from core.query.parser import MAX_LEAVES, MAX_LENGTH, bounded
from core.query.tokens import comparable, tokenize


def topic_query(topic: str) -> str:
    """Return the canonical query for a topic: all its words, or the category of that name.

    Nothing in a topic is an operator. Raises QueryError for one without a word, of more than 99 words, or too
    long.
    """
    if len(topic) > MAX_LENGTH:
        raise QueryError(f"a topic of at most {MAX_LENGTH:,} characters, so its end,", MAX_LENGTH)
    words = [Phrase(tokens) for tokens in map(tuple, map(tokenize, topic.split())) if tokens]
    if not words:
        raise QueryError("a word with a letter or a digit", 0)
    if len(words) >= MAX_LEAVES:
        raise QueryError(f"a topic of fewer than {MAX_LEAVES} words, so its end,", len(topic))
    category = Field(FieldName.CATEGORY, comparable(topic))
    return str(bounded(disjunction([conjunction(words), category])))
