"""Which of very many subscriptions an article matches, beside PostgreSQL, perq and an index in plain Python.

    python -m bench.matching --subscriptions 10000,100000,1000000

At each size subscriptions are made (bench.query_population), and newer articles matched in fresh processes,
of whose figures the medians are taken. Peers are asked about fewer of the articles, and compared over those;
what they find must be the same. A table for people and one line of JSON come for each size, then what became
of the goals, and a line of JSON with the growth. Exit code 1 when anything was found that should not be, or
the opposite. `--quick` shows in seconds that all of it works.
"""

import platform
import sys
import tempfile
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any, TypeVar

from bench import matching_parts as parts
from bench.asking import exponent
from bench.command import options, report, sizes
from bench.fresh_process import say
from bench.installation import shared_servers
from bench.matching_goals import SIZE, outcomes
from bench.matching_parts import Size
from bench.matching_table import of_goals, of_size
from bench.news_articles import Article, add_option, articles, split
from bench.population_file import write
from bench.query_population import Population, Populations
from router.matching import is_compiled
from tests.servers.shared import SharedServers

PARTS = ("plain", "postgresql", "perq", "store")
QUICK = {"subscriptions": [1_000, 5_000], "measured": 200, "peer_articles": 5, "runs": 1, "commits": 20}

T = TypeVar("T")


def run(given: Namespace) -> list[dict[str, Any]]:
    """Measure each size, and print what it came to as soon as that is known."""
    older, newer = split(articles(given.articles, given.seed), given.measured, given.seed)
    populations, measured = Populations(older, given.seed), list[dict[str, Any]]()
    with shared_servers() as servers:
        for size in given.subscriptions:
            population = _told("subscriptions", size, partial(populations.make, size))
            measured.append(_measure(given, population, newer, servers))
            print(f"\n{of_size(measured[-1])}\n")
            report("matching", given, measured[-1])
    return measured


def _measure(
    given: Namespace, population: Population, newer: Sequence[Article], servers: SharedServers
) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="bench-matching-") as folder:
        size = Size(given, population, Path(folder) / "population", newer)
        write(population, size.file)
        own, ours = _told("clarion", population.size, lambda: parts.clarion(size))
        measures: dict[str, Callable[[], dict[str, Any]]] = {
            "oracle": lambda: parts.oracle(size, ours),
            "plain": lambda: parts.plain(size, ours),
            "postgresql": lambda: parts.tsqueries(size, ours, servers.databases()),
            "perq": lambda: parts.perq(size, ours),
            "store": lambda: parts.stored(size, servers.databases()),
        }
        done = {
            name: _told(name, population.size, measured)
            for name, measured in measures.items()
            if name not in given.without and (name != "plain" or population.size <= given.plain_up_to)
        }
    return {"size": population.size, "distinct": len(population.queries), "clarion": own, **_arranged(done)}


def _arranged(done: dict[str, dict[str, Any]]) -> dict[str, Any]:
    peers = {"plain": done.pop("plain", {}), **done.pop("postgresql", {}), **done.pop("perq", {})}
    return {"peers": {name: figures for name, figures in peers.items() if figures}, **done}


def _told(name: str, size: int, measured: Callable[[], T]) -> T:
    started = perf_counter()
    result = measured()
    say(f"{size:,}: {name}, {perf_counter() - started:.0f} s")
    return result


def growth(measured: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Return the power of the number of subscriptions with which the mean time of finding grows, by name."""
    by_name: dict[str, dict[int, float]] = {}
    for one in measured:
        for name, asked in {"clarion": one["clarion"], **one["peers"]}.items():
            by_name.setdefault(name, {})[one["size"]] = asked["finding"]["mean_us"]
    return {name: found for name, means in by_name.items() if (found := exponent(means)) is not None}


def is_right(figures: Mapping[str, Any]) -> bool:
    """Tell whether everybody found the same, as far as they could be asked for it, and the store had it."""
    differing = [one["articles_differing"] for one in figures["peers"].values()]
    return (
        not any(differing) and not figures["oracle"]["differing"] and "failed" not in figures.get("store", {})
    )


def main() -> None:
    """Run and print; exit code 1 when not everybody found the same."""
    parser = options(__doc__, measured=2_000, peer_articles=30, runs=3, commits=300, plain_up_to=SIZE)
    parser.add_argument(
        "--subscriptions", type=sizes, default=[10_000, 100_000, SIZE], help="comma-separated"
    )
    parser.add_argument("--without", type=_names, default=[], help=f"what to leave out: {', '.join(PARTS)}")
    parser.add_argument("--quick", action="store_true", help="small sizes, one run")
    add_option(parser)
    given = parser.parse_args()
    if given.quick:
        vars(given).update(QUICK)
    given.python, given.compiled = platform.python_version(), is_compiled()
    measured = run(given)
    summary = {**measured[-1], "exponents": growth(measured)}
    reached = list(outcomes(summary))
    print(f"\n{of_goals(reached)}")
    if summary["size"] < SIZE:
        print(f"The goals are for {SIZE:,} subscriptions.")
    goals = {one.name: {"figure": one.figure, "verdict": one.verdict} for one in reached}
    report("matching_goals", given, {"exponents": summary["exponents"], "goals": goals})
    sys.exit(not all(map(is_right, measured)))


def _names(text: str) -> list[str]:
    names = text.split(",")
    unknown = set(names).difference(PARTS)
    if unknown:
        raise ValueError(f"unknown: {unknown}")
    return names


if __name__ == "__main__":
    main()
