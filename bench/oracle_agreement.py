"""Whether the matcher says of real articles what the oracle of its tests says, which is plain to be right."""

import random
from array import array
from collections.abc import Sequence
from typing import Any

from bench.news_articles import Article
from bench.query_population import Population
from core.query import And, Field, Node, Not, Or, Phrase, decompiled
from tests.unit.router import matching_oracle as oracle

BY_CHANCE = 100
MATCHED = 100


def compare(
    population: Population, articles: Sequence[Article], found: "Sequence[array[int]]", seed: int
) -> dict[str, Any]:
    """Judge queries by the oracle, some by chance and some that were found for each article.

    Returns how many judgements there were, how many of them positive, and how many unlike the matcher's.
    """
    chance, judged, positive, differing = random.Random(seed), 0, 0, list[str]()
    for article, ids in zip(articles, found, strict=True):
        asked, present = oracle.Article(*article), set(ids)
        for number in _sample(population, present, chance):
            is_found = population.ids[number][0] in present
            judged, positive = judged + 1, positive + is_found
            if tree(decompiled(population.queries[number].code)).holds(asked) != is_found:
                differing.append(population.queries[number].query)
    return {"judged": judged, "matching": positive, "differing": len(differing), "examples": differing[:3]}


def _sample(population: Population, present: set[int], chance: random.Random) -> list[int]:
    """Return some of all queries, and some of those of which a subscription was found."""
    total = len(population.queries)
    matched = [number for number in range(total) if population.ids[number][0] in present]
    some = chance.sample(matched, min(MATCHED, len(matched)))
    return [*some, *chance.sample(range(total), min(BY_CHANCE, total))]


def tree(node: Node) -> oracle.Tree:
    """Return a query as the oracle knows it, which will cut its words by itself."""
    match node:
        case Phrase(tokens):
            # As people write them: with a space, `Disney` and `+` are not the two tokens of `Disney+`.
            written = str(Phrase(tokens, node.is_prefix)).strip('"').removesuffix("*")
            words = oracle.Words(written, not node.is_prefix, node.is_prefix)
            return oracle.Title(words) if node.in_title else words
        case Field(name, value):
            return oracle.Named(name, value)
        case Not(operand):
            return oracle.Not(tree(operand), "-")
        case And(operands):
            return oracle.All(tuple(map(tree, operands)), " ")
        case Or(operands):
            return oracle.Any(tuple(map(tree, operands)))
