"""How long a router takes to load all stored subscriptions, and how soon it matches what was committed.

    python -m bench.freshness --subscriptions 1000000 --commits 300

A router's index, in a process of its own, loads the store, then catches up with it and matches an article,
over and over, as it would with one message after the other. Meanwhile subscriptions are committed here, and
removed again. Prints one line of JSON.
"""

import random
import statistics
import time
from argparse import Namespace
from typing import Any

from bench.command import options, report
from bench.installation import shared_servers
from bench.latencies import in_milliseconds
from bench.news_articles import add_option, articles, split
from bench.query_population import Population, Populations
from bench.router_side import Loaded, RouterSide
from bench.stored_subscriptions import store_population
from core.clock import SystemClock
from core.query import canonical
from core.store import subscriptions
from core.store.engine import Store, open_store
from core.store.models import Subscription
from core.store.schema import migrate
from core.store.subscriptions import NewSubscription

PAUSE_SECONDS = 0.02


def measure(database: str, population: Population, commits: int, runs: int, seed: int) -> dict[str, Any]:
    """Store a population in an empty database and load it in so many processes; watch changes in the last."""
    store = open_store(database)
    try:
        migrate(store)
        started = time.perf_counter()
        owner = store_population(store, population)
        stored = time.perf_counter() - started
        loads = [_load(database) for _ in range(runs - 1)]
        words = [f"freshness{number}x" for number in range(commits)]
        with RouterSide(database, " ".join(words)) as router:
            loads.append(router.loaded())
            changes = _change(store, owner, words, router, seed)
    finally:
        store.close()
    if {one.subscriptions for one in loads} != {population.size}:
        raise SystemExit(f"{population.size} subscriptions were stored, but not all were loaded: {loads}")
    return {
        "store_s": round(stored, 1),
        "cold_start_s": round(statistics.median(one.seconds for one in loads), 2),
        "cold_start_resident_bytes": round(statistics.median(one.resident_bytes for one in loads), 1),
        **changes,
    }


def _load(database: str) -> Loaded:
    with RouterSide(database, "") as router:
        return router.loaded()


def _change(
    store: Store, owner: tuple[str, str], words: list[str], router: RouterSide, seed: int
) -> dict[str, Any]:
    """Commit a subscription to each word, then remove all; return how much later each was seen."""
    chance, made = random.Random(seed), list[Subscription]()
    added, removed = dict[int, float](), dict[int, float]()
    for word in words:
        made.append(_subscribe(store, owner, word))
        added[made[-1].number] = time.monotonic()
        time.sleep(chance.uniform(0, 2 * PAUSE_SECONDS))
    router.seen(len(added), 0)
    for subscription in made:
        _unsubscribe(store, subscription)
        removed[subscription.number] = time.monotonic()
        time.sleep(chance.uniform(0, 2 * PAUSE_SECONDS))
    seen = router.seen(len(added), len(removed))
    return {
        "visible": _later(added, seen.appeared),
        "gone": _later(removed, seen.vanished),
        "longest_look_ms": round(seen.longest_look * 1_000, 1),
    }


def _subscribe(store: Store, owner: tuple[str, str], word: str) -> Subscription:
    new = NewSubscription(query=word, canonical=canonical(word), topic=False)
    with store.write() as session:
        return subscriptions.add(session, *owner, new, SystemClock().now())


def _unsubscribe(store: Store, subscription: Subscription) -> None:
    with store.write() as session:
        subscriptions.remove(session, session.merge(subscription))


def _later(committed: dict[int, float], seen: dict[int, float]) -> dict[str, float]:
    # What was seen before the commit had answered here was seen at once.
    return in_milliseconds([max(0.0, seen[number] - at) for number, at in committed.items()])


def run(given: Namespace) -> dict[str, Any]:
    """Measure one size."""
    training, _newer = split(articles(given.articles, given.seed), 0, given.seed)
    population = Populations(training, given.seed).make(given.subscriptions)
    with shared_servers() as servers:
        database = servers.databases().create()
        return measure(database, population, given.commits, given.runs, given.seed)


def main() -> None:
    """Run and print."""
    parser = options(__doc__, subscriptions=1_000_000, commits=300, runs=3)
    add_option(parser)
    given = parser.parse_args()
    report("freshness", given, run(given))


if __name__ == "__main__":
    main()
