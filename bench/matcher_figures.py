"""What the matcher takes, measured in a process of its own: memory, building, matching, changes, pauses."""

import gc
import os
import random
import statistics
import sys
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, ParamSpec, Self

from bench.asking import Asking
from bench.latencies import percentile
from bench.news_articles import Article
from bench.population_file import chunks
from bench.processes import resident_megabytes
from bench.query_population import Asked, Population
from core.query import Document
from router.matching import CompiledIndex, Index, Matcher, new_index
from router.plain_index import PlainIndex

P = ParamSpec("P")

CHANGES = 2_000
HOTTEST_CHANGES = 500
INDEXES: dict[str, Callable[[], Index]] = {"clarion": new_index, "plain": PlainIndex}
"""The matcher's own index, and the one in plain Python."""


@dataclass(frozen=True)
class Changes:
    """Subscriptions to remove and to add again: some by chance, and some of the query that most ask."""

    by_chance: list[tuple[int, Asked]]
    hottest: list[tuple[int, Asked]]

    @classmethod
    def of(cls, population: Population, seed: int) -> Self:
        """Choose them."""
        chance, numbers = random.Random(seed), population.by_subscription()
        some = chance.sample(range(len(numbers)), min(CHANGES, len(numbers)))
        hottest = population.hottest()
        of_hottest = population.ids[hottest].tolist()
        ids = chance.sample(of_hottest, min(HOTTEST_CHANGES, len(of_hottest)))
        return cls(
            [(place + 1, population.queries[numbers[place]]) for place in some],
            [(one, population.queries[hottest]) for one in ids],
        )


def measure(
    index: str, file: Path, articles: Sequence[Article], changes: Changes, compare: int
) -> tuple[dict[str, float], Asking]:
    """Load an index of `INDEXES` with a population and measure it once.

    Returns the figures, and what asking took with the ids of the first `compare` articles.
    """
    made = INDEXES[index]()
    matcher = Matcher(index=made)
    figures = _load(matcher, file)
    if isinstance(made, CompiledIndex):
        figures["index_bytes"] = sys.getsizeof(made) / len(matcher)
    for article in articles[: len(articles) // 4]:
        list(_match(matcher, article))
    with _pauses() as pauses:
        asking = _ask(matcher, articles, compare)
    figures |= {"gc_pauses": len(pauses), "gc_longest_ms": max(pauses, default=0.0) * 1e3}
    figures["full_gc_ms"] = _seconds(gc.collect) * 1e3
    figures |= _throughput(matcher, articles)
    figures |= _changes(matcher, changes.by_chance, "")
    figures |= _changes(matcher, changes.hottest, "hottest_")
    if [_sorted(matcher, article) for article in articles[:compare]] != asking.ids:
        raise SystemExit(f"{index}: matches differ after subscriptions were removed and added again")
    return figures, asking


def _load(matcher: Matcher, file: Path) -> dict[str, float]:
    # Memory that reading takes is taken before, so that it is not counted.
    next(chunks(file))
    gc.collect()
    # Modules are no part of what a collection of the index's objects takes.
    gc.freeze()
    before, seconds = resident_megabytes(os.getpid()), 0.0
    for chunk in chunks(file):
        started = perf_counter()
        for asked, ids in chunk:
            matcher.load(asked.code, ids)
        seconds += perf_counter() - started
    del chunk
    gc.collect()
    grown = (resident_megabytes(os.getpid()) - before) * 2**20
    return {
        "load_s": seconds,
        "resident_bytes": grown / len(matcher),
        "subscriptions": len(matcher),
        "distinct": matcher.queries,
    }


def _match(matcher: Matcher, article: Article) -> Sequence[int]:
    return matcher.match(
        article.title,
        article.summary,
        source=article.source,
        language=article.language,
        categories=article.categories,
    )


def _sorted(matcher: Matcher, article: Article) -> "array[int]":
    return array("q", sorted(_match(matcher, article)))


def _ask(matcher: Matcher, articles: Sequence[Article], compare: int) -> Asking:
    finding, listing = list[float](), list[float]()
    for article in articles:
        started = perf_counter()
        matches = _match(matcher, article)
        found = perf_counter()
        list(matches)
        listing.append(perf_counter() - started)
        finding.append(found - started)
    return Asking([finding], [listing], [_sorted(matcher, article) for article in articles[:compare]])


def _throughput(matcher: Matcher, articles: Sequence[Article]) -> dict[str, float]:
    started = perf_counter()
    matches = sum(len(list(_match(matcher, article))) for article in articles)
    seconds = perf_counter() - started
    tokenizing = [_seconds(Document, *article) for article in articles]
    return {
        "articles_per_s": len(articles) / seconds,
        "matches_per_article": matches / len(articles),
        "tokenizing_us": statistics.fmean(tokenizing) * 1e6,
    }


def _changes(matcher: Matcher, changes: list[tuple[int, Asked]], prefix: str) -> dict[str, float]:
    discards = [_seconds(matcher.discard, one) for one, _asked in changes]
    adds = [_seconds(add, matcher, one, asked) for one, asked in changes]
    return {
        f"{prefix}{name}_{statistic}_us": of(seconds) * 1e6
        for name, seconds in (("discard", discards), ("add", adds))
        for statistic, of in (("mean", statistics.fmean), ("p99", _p99), ("max", max))
    }


def _p99(seconds: Sequence[float]) -> float:
    return percentile(seconds, 0.99)


def add(matcher: Matcher, subscription_id: int, asked: Asked) -> None:
    """Add one subscription as its text, which the matcher reads."""
    matcher.add(subscription_id, asked.query, sources=asked.sources, languages=asked.languages)


def build_by_adding(file: Path, seed: int) -> float:
    """Return the seconds that it takes to add all subscriptions one by one, in an order by chance."""
    queries, wanted = list[Asked](), list[tuple[int, int]]()
    for chunk in chunks(file):
        for asked, ids in chunk:
            wanted.extend((subscription_id, len(queries)) for subscription_id in ids)
            queries.append(asked)
    random.Random(seed).shuffle(wanted)
    # The lists are the benchmark's, and no part of what collections would look through.
    gc.freeze()
    matcher = Matcher()
    started = perf_counter()
    for subscription_id, number in wanted:
        add(matcher, subscription_id, queries[number])
    return perf_counter() - started


def _seconds(call: Callable[P, Any], *given: P.args, **named: P.kwargs) -> float:
    started = perf_counter()
    call(*given, **named)
    return perf_counter() - started


@contextmanager
def _pauses() -> Iterator[list[float]]:
    """Collect the seconds of each garbage collection."""
    pauses, started = list[float](), [0.0]

    def note(phase: str, _info: dict[str, int]) -> None:
        if phase == "start":
            started[0] = perf_counter()
        else:
            pauses.append(perf_counter() - started[0])

    gc.callbacks.append(note)
    try:
        yield pauses
    finally:
        gc.callbacks.remove(note)
