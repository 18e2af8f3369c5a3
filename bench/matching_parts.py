"""The parts of the matching benchmark at one size: the matcher itself, its store, and each peer."""

from argparse import Namespace
from collections.abc import Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import freshness, oracle_agreement, perq_peer
from bench.asking import Asking, differing, in_microseconds, medians, times_faster, together
from bench.fresh_process import in_fresh_process, say
from bench.matcher_figures import Changes, build_by_adding, measure
from bench.news_articles import Article
from bench.query_population import Population
from bench.tsquery_peer import WAYS, tsquery_peer
from tests.servers.databases import Databases

MORE_ARTICLES = 10


@dataclass(frozen=True)
class Size:
    """What is measured at one size: a population, also as a file, and the articles that it is asked about."""

    given: Namespace
    population: Population
    file: Path
    articles: Sequence[Article]

    @property
    def few(self) -> Sequence[Article]:
        """The articles for peers that look at every query."""
        return self.articles[: self.given.peer_articles]

    @property
    def more(self) -> Sequence[Article]:
        """The articles for peers that have an index."""
        return self.articles[: MORE_ARTICLES * self.given.peer_articles]


def clarion(size: Size) -> tuple[dict[str, Any], Asking]:
    """Measure the matcher in as many processes as there are runs."""
    runs = [_measured(size, "clarion") for _ in range(size.given.runs)]
    asking = together([asking for _figures, asking in runs])
    adding = [
        {"build_by_adding_s": in_fresh_process(build_by_adding, size.file, size.given.seed)}
        for _ in range(size.given.runs)
    ]
    return {**_asked(asking), **medians([figures for figures, _ in runs]), **medians(adding)}, asking


def oracle(size: Size, ours: Asking) -> dict[str, Any]:
    """Compare some of what was found with the oracle of the tests."""
    return oracle_agreement.compare(size.population, size.few, ours.ids[: len(size.few)], size.given.seed)


def plain(size: Size, ours: Asking) -> dict[str, Any]:
    """Measure the index in plain Python, once."""
    try:
        figures, asking = _measured(size, "plain")
    except BrokenProcessPool:
        say("plain: left out, as its process was ended, maybe for want of memory")
        return {}
    return {**_compared(ours, asking), **medians([figures])}


def _measured(size: Size, index: str) -> tuple[dict[str, float], Asking]:
    changes = Changes.of(size.population, size.given.seed)
    return in_fresh_process(measure, index, size.file, size.articles, changes, len(size.more))


def tsqueries(size: Size, ours: Asking, databases: Databases) -> dict[str, Any]:
    """Ask PostgreSQL in each of its ways."""
    database = databases.create()
    try:
        with tsquery_peer(database, size.population) as peer:
            return {
                way.name: {
                    **_compared(
                        ours, peer.ask(way, size.more if way.has_index else size.few, size.given.runs)
                    ),
                    "build_s": round(peer.build_seconds, 1),
                }
                for way in WAYS
            }
    finally:
        databases.drop(database)


def perq(size: Size, ours: Asking) -> dict[str, Any]:
    """Ask perq, where it is installed or can be."""
    folder = size.file.with_name("perq")
    impossible = perq_peer.install(folder)
    if impossible:
        say(f"perq: left out, as it cannot be installed: {impossible}")
        return {}
    figures, asking, not_asked = in_fresh_process(
        perq_peer.ask_perq, folder, size.file, size.more, size.given.runs
    )
    found = perq_peer.compared(ours.ids, asking.ids, not_asked)
    return {"perq": {**_compared(ours, asking), **figures, **found}}


def stored(size: Size, databases: Databases) -> dict[str, Any]:
    """Load the population from Clarion's store, and change it there; what went wrong is `failed`."""
    database, given = databases.create(), size.given
    try:
        return freshness.measure(database, size.population, given.commits, given.runs, given.seed)
    except SystemExit as error:
        say(f"store: {error}")
        return {"failed": str(error)}
    finally:
        databases.drop(database)


def _compared(ours: Asking, theirs: Asking) -> dict[str, Any]:
    return {
        **_asked(theirs),
        "times": times_faster(ours.finding, theirs.finding),
        "times_listing": times_faster(ours.listing, theirs.listing),
        "articles_differing": differing(ours.ids, theirs.ids),
    }


def _asked(asking: Asking) -> dict[str, Any]:
    listing = in_microseconds(asking.listing)
    return {
        "articles": len(asking.finding[0]),
        "finding": in_microseconds(asking.finding),
        "listing": listing,
        "articles_per_s": round(1e6 / listing["mean_us"], 1),
    }
