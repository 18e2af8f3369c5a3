"""Planning digests that are all due at one minute, and the memory which that takes.

    python -m bench.digests --subscribers 100000 --articles 5

On PostgreSQL, in one process: a router plans articles that every subscriber's daily digest tells; the first
of them makes the digests too. When all are due, the leader's sweep puts them into batches, and each batch is
claimed and collects what its digests tell, as workers do before they send. Nothing is sent. Prints one line
of JSON: seconds for each of these steps, of which `planned_s` is what happens once digests are due (the sweep
and the collecting); CPU seconds of this process and of PostgreSQL; and megabytes of the resident set after a
tenth of each step and the most until its end. It fails unless every digest has collected every article.
"""

import os
import time
from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import structlog
from sqlalchemy import text

from bench.command import options, report
from bench.installation import SECRET_KEY, shared_servers
from bench.population import Articles, populate
from bench.processes import cpu_seconds, postgres_processes, resident_megabytes, spent
from core.clock import ManualClock
from core.digest_schedule import DigestSchedule, Every
from core.store import claims, leases
from core.store.engine import Store, open_store
from core.store.schema import migrate
from notifiers import admission
from notifiers.opened import channel_rows
from notifiers.sweep import Sweep
from router.service import Router

WORD = "everyone"
NOW = datetime(2031, 3, 1, 12, 0, tzinfo=UTC)
DUE_AFTER = timedelta(hours=2)
WARM_UP_PART = 10


class CountedTasks:
    """A broker's place: remembers which batches were enqueued."""

    def __init__(self) -> None:
        self.batches: list[str] = []

    def enqueue(self, kind: str, batch: str, ids: Sequence[str]) -> None:
        """Take a batch."""
        self.batches.append(batch)


class Planning:
    """A store full of subscribers to daily digests, with who plans them."""

    def __init__(self, store: Store, given: Namespace) -> None:
        self._store, self._given = store, given
        self._clock, self._tasks = ManualClock(NOW), CountedTasks()
        self._router = Router(store, self._tasks, self._clock)
        self._articles = Articles(given.seed)

    def subscribe(self) -> None:
        """Make the subscribers, and have the router know them."""
        words = {f"http://127.0.0.1:9/{number}": [WORD] for number in range(self._given.subscribers)}
        populate(self._store, SECRET_KEY, words)
        schedule = DigestSchedule(Every.DAY, (NOW + DUE_AFTER).time(), "UTC").written()
        with self._store.write() as session:
            session.execute(text("UPDATE subscriptions SET schedule = :schedule"), {"schedule": schedule})
        self._router.catch_up()

    def route(self) -> None:
        """Plan an article for everybody."""
        self._router.handle(self._articles.about(WORD).encode())

    def sweep(self) -> None:
        """Put all that is due into batches, as the leader does."""
        grant = leases.acquire(self._store, "leader", "bench", 600)
        if grant is None:
            raise SystemExit("somebody else leads")
        self._clock.advance(seconds=DUE_AFTER.total_seconds())
        Sweep(self._store, self._tasks, self._clock)(grant)

    def collect(self) -> Iterator[None]:
        """Claim batch after batch, and have its digests collect what they tell."""
        with self._store.read() as session:
            batches = session.execute(text("SELECT id FROM batches ORDER BY id")).scalars().all()
        for batch in batches:
            self._collect(batch)
            yield

    def _collect(self, batch: str) -> None:
        now = self._clock.now()
        with self._store.write() as session:
            taken = claims.claim(session, batch, batch, "bench", now)
            rows = taken[1] if taken else []
            channels = channel_rows(session, {row.channel_id for row in rows})
        admission.admit(self._store, batch, rows, channels, now)

    def require_complete(self) -> None:
        """Raise SystemExit unless every digest has every article."""
        counted = text(
            "SELECT count(*), count(message_id), count(DISTINCT message_id) "
            "FROM deliveries WHERE event <> 'digest'"
        )
        with self._store.read() as session:
            found = tuple(session.execute(counted).one())
        everything = self._given.subscribers * self._given.articles
        if found != (everything, everything, self._given.subscribers):
            raise SystemExit(f"not every digest has every article: {found}")


class Steps:
    """What each step took, in seconds and in CPU seconds, and the memory meanwhile."""

    def __init__(self, database: str) -> None:
        self._parts = {"python": lambda: [os.getpid()], "postgresql": lambda: postgres_processes(database)}
        self.seconds: dict[str, float] = {}
        self.cpu: dict[str, dict[str, float]] = {}
        self.memory: dict[str, dict[str, float]] = {}

    def take(self, name: str, parts: Iterable[object]) -> None:
        """Take a step, looking at the memory after each part of it."""
        used, samples = cpu_seconds(self._parts), [resident_megabytes(os.getpid())]
        started = time.perf_counter()
        samples.extend(resident_megabytes(os.getpid()) for _ in parts)
        self.seconds[f"{name}_s"] = round(time.perf_counter() - started, 2)
        cost = spent(used, cpu_seconds(self._parts))
        self.cpu[name] = {part: round(seconds, 2) for part, seconds in cost.items()}
        warm = samples[len(samples) // WARM_UP_PART :]
        self.memory[name] = {"start_mb": round(warm[0], 1), "most_mb": round(max(warm), 1)}


def _once(act: Callable[[], None], times: int = 1) -> Iterator[None]:
    for _ in range(times):
        act()
        yield


def run(given: Namespace) -> dict[str, Any]:
    """Measure it."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("warning"))
    with shared_servers() as servers:
        database = servers.databases().create()
        store, steps = open_store(database), Steps(urlsplit(database).path.lstrip("/"))
        try:
            migrate(store)
            planning = Planning(store, given)
            planning.subscribe()
            steps.take("first_article", _once(planning.route))
            steps.take("further_articles", _once(planning.route, given.articles - 1))
            steps.take("sweep", _once(planning.sweep))
            steps.take("collecting", planning.collect())
            planning.require_complete()
        finally:
            store.close()
    planned = round(steps.seconds["sweep_s"] + steps.seconds["collecting_s"], 2)
    return {"planned_s": planned, **steps.seconds, "cpu_s": steps.cpu, "memory": steps.memory}


def main() -> None:
    """Run and print."""
    given = options(__doc__, subscribers=100_000, articles=5).parse_args()
    report("digests", given, run(given))


if __name__ == "__main__":
    main()
