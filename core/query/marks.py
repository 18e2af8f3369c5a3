"""Why an article matches: which terms of the query hold, and where they stand in the text."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from core.query.aliases import Aliases
from core.query.document import Document
from core.query.nodes import And, Field, Node, Not, Or, Phrase, phrases
from core.query.places import Place, places


@dataclass(frozen=True, slots=True)
class Term:
    """A part of a query that holds, as the canonical query has it, and the `phrases` that stand for it.

    Those are its own and its aliases; a field has none, since it is not about words.
    """

    written: str
    phrases: tuple[Phrase, ...] = ()


class Stretch(NamedTuple):
    """A piece of a text, and whether it is what a query looked for."""

    text: str
    match: bool


def terms(query: Node, document: Document, aliases: Aliases) -> list[Term] | None:
    """Return the terms that make a document match, in the query's order; None where it does not match.

    What is excluded is no reason, nor is an alternative that does not hold.
    """
    found = _terms(query, document, aliases)
    return None if found is None else list(dict.fromkeys(found))


def marked(title: str, summary: str, found: Iterable[Term]) -> tuple[list[Stretch], list[Stretch]]:
    """Return the title and the summary cut into stretches, which together are the text unchanged.

    Marked are the words of the terms, a phrase with what stands between its words, a prefix with the rest of
    its word. An empty text has no stretches.
    """
    wanted = {phrase for term in found for phrase in term.phrases}
    anywhere = {phrase for phrase in wanted if not phrase.in_title}
    return _stretches(title, wanted), _stretches(summary, anywhere)


def _terms(node: Node, document: Document, aliases: Aliases) -> list[Term] | None:
    match node:
        case Phrase():
            meaning = aliases.expand(node)
            return [Term(str(node), tuple(phrases(meaning)))] if meaning.matches(document) else None
        case Field():
            return [Term(str(node))] if node.matches(document) else None
        case Not():
            return None if aliases.expand(node.operand).matches(document) else []
        case And():
            return _of_all(_terms(operand, document, aliases) for operand in node.operands)
        case Or():
            return _of_any(_terms(operand, document, aliases) for operand in node.operands)


def _of_all(operands: Iterable[list[Term] | None]) -> list[Term] | None:
    found: list[Term] = []
    for operand in operands:
        if operand is None:
            return None
        found += operand
    return found


def _of_any(operands: Iterable[list[Term] | None]) -> list[Term] | None:
    held = [operand for operand in operands if operand is not None]
    return [term for operand in held for term in operand] if held else None


def _stretches(text: str, wanted: set[Phrase]) -> list[Stretch]:
    cut: list[Stretch] = []
    end = 0
    for start, stop in _merged(_occurrences(places(text), wanted) if wanted else ()):
        cut += [Stretch(text[end:start], match=False), Stretch(text[start:stop], match=True)]
        end = stop
    cut.append(Stretch(text[end:], match=False))
    return [stretch for stretch in cut if stretch.text]


def _occurrences(found: list[Place], wanted: Iterable[Phrase]) -> Iterator[tuple[int, int]]:
    """Yield where a phrase starts and ends in the text, for each and as often as it stands there."""
    tokens = [place.token for place in found]
    at: dict[str, list[int]] = {}
    for number, token in enumerate(tokens):
        at.setdefault(token, []).append(number)
    for phrase in wanted:
        for first in _candidates(phrase, at):
            after = first + len(phrase.tokens)
            if _stands(phrase, tokens[first:after]):
                yield found[first].start, found[after - 1].end


def _candidates(phrase: Phrase, at: dict[str, list[int]]) -> list[int]:
    first = phrase.tokens[0]
    if len(phrase.tokens) > 1 or not phrase.is_prefix:
        return at.get(first, [])
    return [number for token, numbers in at.items() if token.startswith(first) for number in numbers]


def _stands(phrase: Phrase, tokens: list[str]) -> bool:
    *whole, last = phrase.tokens
    if len(tokens) <= len(whole) or tokens[:-1] != whole:
        return False
    return tokens[-1].startswith(last) if phrase.is_prefix else tokens[-1] == last


def _merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the spans in order, those that overlap or touch as one."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return merged
