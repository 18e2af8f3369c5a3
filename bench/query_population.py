"""Subscriptions as people may have them: many to few queries, and very many queries that few ask.

70 of 100 are to a word or a short phrase, 30 to a query of two to five parts. Which one a subscription asks
follows Zipf's law, so that a million subscriptions are some 385,000 distinct queries.
"""

import random
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

from bench.news_articles import Article
from bench.query_vocabulary import Vocabulary
from core.query import Node, Phrase, compiled, limited
from core.query.nodes import conjunction, disjunction, negation

SINGLE_SHARE = 0.7
EXPONENT = 0.815
BOOLEAN_RANKS = 1_000_000
LEAVES, LEAVES_SHARES = (2, 3, 4, 5), (40, 30, 20, 10)
SHAPES, SHAPES_SHARES = ("all", "all but", "any", "any of some"), (45, 20, 20, 15)
TOGETHER_SHARE = 0.5
FILTER_SHARE = 0.05
PREFIX_LENGTHS = (4, 5, 6)


class Asked(NamedTuple):
    """A query as it is subscribed to, and what `core.query.compiled` makes of it, filters included."""

    query: str
    sources: list[str] | None
    languages: list[str] | None
    code: bytes


@dataclass
class Population:
    """Distinct queries, and the ids, counted from 1, of the subscriptions to each."""

    queries: list[Asked]
    ids: "list[array[int]]"
    frequency: Counter[str]

    @property
    def size(self) -> int:
        """How many subscriptions there are."""
        return sum(map(len, self.ids))

    def hottest(self) -> int:
        """Return which query has the most subscriptions."""
        return max(range(len(self.ids)), key=lambda number: len(self.ids[number]))

    def by_subscription(self) -> "array[int]":
        """Return which query each id asks, from id 1 on."""
        asked = array("I", bytes(4 * self.size))
        for number, ids in enumerate(self.ids):
            for subscription_id in ids:
                asked[subscription_id - 1] = number
        return asked


class Populations:
    """Makes populations of any size from the same articles."""

    def __init__(self, training: Sequence[Article], seed: int) -> None:
        self._vocabulary = Vocabulary(training, seed)
        self._terms = self._vocabulary.terms()
        self._words = self._vocabulary.words()
        self._seed = seed

    def make(self, size: int) -> Population:
        """Return so many subscriptions; the same for the same seed, articles and size."""
        chance = random.Random(f"{self._seed} {size}")
        singles = round(size * SINGLE_SHARE)
        made = _Distinct()
        for rank, count in Counter(_zipf(chance, len(self._terms), singles)).items():
            made.add(Asked(*self._single(rank)), count)
        for count in Counter(_zipf(chance, BOOLEAN_RANKS, size - singles)).values():
            made.add(self._boolean(chance), count)
        return Population(made.queries, made.shuffled_ids(chance), self._vocabulary.frequency)

    def _single(self, rank: int) -> tuple[str, None, None, bytes]:
        phrase = Phrase(self._terms[rank])
        return str(phrase), None, None, compiled(phrase)

    def _boolean(self, chance: random.Random) -> Asked:
        node = self._tree(chance)
        sources = self._filter(chance, self._vocabulary.sources)
        languages = self._filter(chance, self._vocabulary.languages)
        return Asked(str(node), sources, languages, compiled(limited(node, sources, languages)))

    def _filter(self, chance: random.Random, values: list[str]) -> list[str] | None:
        return chance.sample(values, min(2, len(values))) if chance.random() < FILTER_SHARE else None

    def _tree(self, chance: random.Random) -> Node:
        (count,) = chance.choices(LEAVES, LEAVES_SHARES)
        (shape,) = chance.choices(SHAPES, SHAPES_SHARES)
        words = self._vocabulary.together(chance) if chance.random() < TOGETHER_SHARE else self._words
        leaves = self._leaves(chance, words, count)
        match shape:
            case "any":
                return disjunction(leaves)
            case "any of some":
                return conjunction([leaves[0], disjunction(leaves[1:])])
            case "all but":
                return conjunction([*leaves[:-1], negation(leaves[-1])])
        return conjunction(leaves)

    def _leaves(self, chance: random.Random, words: Sequence[str], count: int) -> list[Node]:
        found = dict[Node, None]()
        while len(found) < count:
            # A text may have fewer words than are asked for.
            found[self._leaf(chance, words if chance.random() < 0.9 else self._words)] = None
        return list(found)

    def _leaf(self, chance: random.Random, words: Sequence[str]) -> Node:
        kind = chance.random()
        if kind < 0.2:
            return Phrase(chance.choice(self._terms))
        word = chance.choice(words)
        if kind < 0.3 and len(word) > PREFIX_LENGTHS[0]:
            length = chance.choice(PREFIX_LENGTHS)
            return Phrase((word[:length],), is_prefix=True)
        return Phrase((word,), in_title=kind > 0.9)


class _Distinct:
    """Queries, each once whoever came upon it again, with how many subscriptions it has."""

    def __init__(self) -> None:
        self.queries: list[Asked] = []
        self._numbers: dict[bytes, int] = {}
        self._counts: list[int] = []

    def add(self, asked: Asked, count: int) -> None:
        number = self._numbers.setdefault(asked.code, len(self.queries))
        if number == len(self.queries):
            self.queries.append(asked)
            self._counts.append(0)
        self._counts[number] += count

    def shuffled_ids(self, chance: random.Random) -> "list[array[int]]":
        ids = list(range(1, sum(self._counts) + 1))
        chance.shuffle(ids)
        return list(_parts(array("q", ids), self._counts))


def _parts(ids: "array[int]", counts: Sequence[int]) -> "Iterator[array[int]]":
    end = 0
    for count in counts:
        yield ids[end : end + count]
        end += count


def _zipf(chance: random.Random, ranks: int, count: int) -> list[int]:
    weights = list(accumulate(rank**-EXPONENT for rank in range(1, ranks + 1)))
    return chance.choices(range(ranks), cum_weights=weights, k=count)
