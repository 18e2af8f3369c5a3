"""An installation to measure: a database and a virtual host of its own, and roles as processes."""

import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import psycopg
from sqlalchemy import text

from bench import population
from bench.processes import broker_processes, cpu_seconds, postgres_processes, spent
from bench.sink_process import SinkProcess
from core.bus.backend import connect_bus
from core.bus.ports import ArticlePublisher
from core.message import ArticleMessage
from core.store.engine import Store, open_store
from core.store.schema import migrate
from tests.servers.clarion import ClarionProcess
from tests.servers.shared import SharedServers
from tests.servers.vhosts import NoWayIn

SECRET_KEY = "a-key-for-the-benchmark-of-enough-length"
PATIENCE_SECONDS = 40.0
SLOWEST_PER_SECOND = 200
POLL_SECONDS = 0.005


@dataclass(frozen=True)
class Round:
    """What a round took: seconds from publishing to the last `delivered`, and CPU seconds by part."""

    deliveries: int
    seconds: float
    cpu: dict[str, float]


@dataclass
class Installation:
    """Where articles are published, and what is known of their deliveries."""

    store: Store
    publisher: ArticlePublisher
    sink: SinkProcess
    environment: Mapping[str, str]
    stack: ExitStack
    roles: dict[str, list[ClarionProcess]] = field(default_factory=dict)

    def start(self, *roles: str) -> list[ClarionProcess]:
        """Start one process of each role."""
        started = [self.stack.enter_context(ClarionProcess([role], self.environment)) for role in roles]
        for role, process in zip(roles, started, strict=True):
            self.roles.setdefault(role, []).append(process)
        return started

    def populate(self, words: Mapping[str, Sequence[str]]) -> None:
        """Subscribe webhooks, given by their paths at the sink, each to its words."""
        urls = {f"{self.sink.url}{path}": of_path for path, of_path in words.items()}
        population.populate(self.store, SECRET_KEY, urls)

    def publish(self, articles: Sequence[ArticleMessage]) -> None:
        """Publish articles together; SystemExit when the broker does not confirm one."""
        failed = [outcome for outcome in self.publisher.publish_many(articles) if outcome is not None]
        if failed:
            raise SystemExit(f"not published: {failed[0]}")

    def measure(self, articles: Sequence[ArticleMessage], expected: int) -> Round:
        """Publish and wait until all that is expected of it is delivered; return what that took."""
        arrived, used = self.sink.counts()["count"], cpu_seconds(self.parts())
        started = time.perf_counter()
        self.publish(articles)
        self.wait(arrived + expected, expected)
        seconds = time.perf_counter() - started
        cost = spent(used, cpu_seconds(self.parts()))
        self.require_all_delivered()
        return Round(expected, seconds, cost)

    def wait(self, arrived: int, expected: int) -> None:
        """Wait until so many have arrived in all, and the ledger has written the last of them."""
        patience = PATIENCE_SECONDS + expected / SLOWEST_PER_SECOND
        deadline = time.monotonic() + patience
        # The sink is asked first, then for batches, which are few: counting rows is work for the database.
        try:
            self.sink.wait_for(arrived, patience)
        except TimeoutError as error:
            raise SystemExit(f"{error}: {self.states()}") from error
        while self.has_batches():
            if time.monotonic() > deadline:
                raise SystemExit(f"batches were not ended: {self.states()}")
            time.sleep(POLL_SECONDS)

    def parts(self) -> dict[str, Callable[[], list[int]]]:
        """Return the processes of each part, to be looked for anew each time: backends come and go."""
        database = urlsplit(self.environment["CLARION_DATABASE_URL"]).path.lstrip("/")
        clarion = {role: _pids_of(processes) for role, processes in self.roles.items()}
        return clarion | {
            "postgresql": lambda: postgres_processes(database),
            "broker": broker_processes,
            "sink": lambda: [self.sink.pid],
        }

    def has_batches(self) -> bool:
        """Tell whether any batch is not dealt with."""
        with self.store.read() as session:
            return bool(session.execute(text("SELECT EXISTS (SELECT FROM batches)")).scalar_one())

    def states(self) -> list[tuple[Any, ...]]:
        """Return how many deliveries are in each state, by last reason, with the most attempts."""
        grouped = text("SELECT state, reason, count(*), max(attempts) FROM deliveries GROUP BY 1, 2")
        with self.store.read() as session:
            return [tuple(row) for row in session.execute(grouped)]

    def require_all_delivered(self) -> None:
        """Raise SystemExit unless the ledger says that everything is delivered."""
        states = self.states()
        if any(state != "delivered" for state, *_rest in states):
            raise SystemExit(f"not all were delivered: {states}")


def _pids_of(processes: Sequence[ClarionProcess]) -> Callable[[], list[int]]:
    return lambda: [process.pid for process in processes if process.running]


@contextmanager
def shared_servers() -> Iterator[SharedServers]:
    """Find the broker and the database; what could not be removed in the end is left to the next run."""
    servers = SharedServers()
    try:
        yield servers
    finally:
        try:
            servers.close()
        except (NoWayIn, psycopg.Error) as error:
            sys.stderr.write(f"not cleared away: {error}\n")


@contextmanager
def installation(servers: SharedServers, sink: SinkProcess, **settings: str) -> Iterator[Installation]:
    """Make an empty, migrated installation with further `CLARION_*` settings.

    What its roles wrote as errors goes to standard error in the end.
    """
    with ExitStack() as stack:
        database, broker = servers.databases().create(), servers.vhosts().create()
        store, bus = open_store(database), connect_bus(broker)
        stack.callback(store.close)
        stack.callback(bus.close)
        migrate(store)
        environment = {
            "CLARION_DATABASE_URL": database,
            "CLARION_BROKER_URL": broker,
            "CLARION_SECRET_KEY": SECRET_KEY,
            "CLARION_EGRESS_ALLOW": "127.0.0.0/8",
            "CLARION_LOG_LEVEL": "warning",
            **settings,
        }
        made = Installation(store, bus.publisher(), sink, environment, stack.enter_context(ExitStack()))
        # Called before the processes are closed, which removes what they wrote.
        with _errors_shown(made):
            yield made


@contextmanager
def _errors_shown(made: Installation) -> Iterator[None]:
    try:
        yield
    finally:
        for processes in made.roles.values():
            sys.stderr.write("".join(process.errors for process in processes))


def per_second(rounds: Sequence[Round]) -> int:
    """Return the median of deliveries per second."""
    return round(statistics.median(one.deliveries / one.seconds for one in rounds))


def cpu_microseconds(rounds: Sequence[Round]) -> dict[str, float]:
    """Return each part's median of CPU microseconds per delivery."""
    return {
        part: round(statistics.median(one.cpu[part] / one.deliveries for one in rounds) * 1e6, 1)
        for part in rounds[0].cpu
    }
