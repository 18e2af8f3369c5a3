"""Queries and articles in PostgreSQL's words, so that `tsquery @@ tsvector` says what Clarion says.

The words are Clarion's tokens, given with their positions, as a parser of PostgreSQL's would cut others.
Names of sources and languages are lexemes of their own: no token, or start of one, is `:source:bbc-news`.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from core.query import And, Document, Field, FieldName, Node, Not, Or, Phrase

MAX_POSITION = 16_383
MAX_POSITIONS = 255
TITLE_GAP = 10
_FIELDS = (FieldName.SOURCE, FieldName.LANGUAGE, FieldName.CATEGORY)


def tsquery(node: Node) -> str:
    """Return the text of a `tsquery`, to be read by its input function, which normalizes nothing."""
    match node:
        case Phrase(tokens):
            return f"({' <-> '.join(_lexemes(tokens, node))})"
        case Field(name, value):
            return _quoted(field_name(name, value))
        case Not(operand):
            return f"!{tsquery(operand)}"
        case And(operands):
            return f"({' & '.join(map(tsquery, operands))})"
        case Or(operands):
            return f"({' | '.join(map(tsquery, operands))})"


def _lexemes(tokens: tuple[str, ...], phrase: Phrase) -> Iterator[str]:
    for place, token in enumerate(tokens, 1):
        is_start = phrase.is_prefix and place == len(tokens)
        flags = "*" * is_start + "A" * phrase.in_title
        yield _quoted(token) + (f":{flags}" if flags else "")


def tsvector(document: Document) -> str:
    """Return the text of an article's `tsvector`: words of the title have weight A, the rest none.

    No phrase reaches from the title into the summary, as positions are left free between them. Positions
    that PostgreSQL could not keep are left out.
    """
    places: dict[str, list[str]] = {}
    for position, token in enumerate(document.title_tokens, 1):
        places.setdefault(token, []).append(f"{position}A")
    for position, token in enumerate(document.summary_tokens, len(document.title_tokens) + TITLE_GAP):
        if position <= MAX_POSITION:
            places.setdefault(token, []).append(str(position))
    words = (f"{_quoted(token)}:{','.join(of[:MAX_POSITIONS])}" for token, of in places.items())
    return " ".join((*words, *map(_quoted, names(document))))


def names(document: Document) -> Iterator[str]:
    """Yield the lexemes of an article's source, language and categories."""
    for name, values in zip(
        _FIELDS, (document.sources, document.languages, document.categories), strict=True
    ):
        yield from (field_name(name, value) for value in values)


def field_name(name: FieldName, value: str) -> str:
    """Return the lexeme of the name of a source, a language or a category."""
    return f":{name}:{value}"


def _quoted(lexeme: str) -> str:
    doubled = lexeme.replace("\\", "\\\\").replace("'", "''")
    return f"'{doubled}'"


class RarestTerms:
    """Chooses what a query is found by: the terms of its part that fewest articles have.

    A prefix is written `kube*`; an article then has all starts of its words of those lengths.
    """

    def __init__(self, frequency: Mapping[str, int], prefix_lengths: Iterable[int]) -> None:
        self._lengths = tuple(prefix_lengths)
        self._frequency = Counter(frequency)
        for word, count in frequency.items():
            self._frequency.update(dict.fromkeys(self._starts(word), count))

    def of_query(self, node: Node) -> list[str]:
        """Return terms of which a matching article has at least one.

        Raises ValueError when there are none, as for a mere prefix of another length.
        """
        terms = self._cheapest(node)
        if terms is None:
            raise ValueError("the query looks for nothing")
        return sorted(terms)

    def of_article(self, document: Document) -> list[str]:
        """Return every term by which queries may be found."""
        starts = {start for word in document.words for start in self._starts(word)}
        return [*document.words, *starts, *names(document)]

    def _starts(self, word: str) -> Iterator[str]:
        return (f"{word[:length]}*" for length in self._lengths if length <= len(word))

    def _cheapest(self, node: Node) -> set[str] | None:
        match node:
            case Phrase(tokens):
                return min(({term} for term in self._whole(tokens, node)), key=self._cost)
            case Field(name, value):
                return {field_name(name, value)}
            case Not():
                return None
            case And(operands):
                parts = [part for part in map(self._cheapest, operands) if part is not None]
                return min(parts, key=self._cost, default=None)
            case Or(operands):
                parts = [part for part in map(self._cheapest, operands) if part is not None]
                return set().union(*parts) if len(parts) == len(operands) else None

    def _whole(self, tokens: tuple[str, ...], phrase: Phrase) -> Iterator[str]:
        yield from tokens[:-1] if phrase.is_prefix else tokens
        if phrase.is_prefix and len(tokens[-1]) in self._lengths:
            yield f"{tokens[-1]}*"

    def _cost(self, terms: set[str]) -> float:
        # Names of sources and languages are no words of the training articles: as common as can be.
        return sum(float("inf") if ":" in term else self._frequency[term] for term in terms)
