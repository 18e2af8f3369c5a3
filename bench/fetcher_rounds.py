"""The real fetcher as a process, and what a round over all its sources takes it."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import TextClause, text

from bench.feed_server_process import FeedServerProcess
from bench.installation import SECRET_KEY
from bench.processes import broker_processes, cpu_seconds, postgres_processes, spent, with_descendants
from core.clock import SystemClock
from core.store import sources
from core.store.engine import Store, open_store
from core.store.leases import current_holder
from core.store.sources import NewSource
from fetcher.leadership import LEASE
from tests.servers.clarion import ClarionProcess

EVERYTHING = 500  # as backfill: the first poll tells all that it finds
PATIENCE_SECONDS = 60.0
SLOWEST_PER_SECOND = 20
POLL_SECONDS = 0.05
WARM_UP = 40

_ASK = text("UPDATE sources SET next_poll_at = :now, updated_at = :now")
_POLLED = text("SELECT count(*) FROM sources WHERE last_success_at >= :since")
_FAILED = text("SELECT url, last_error FROM sources WHERE failures > 0 LIMIT 1")
_ENTRIES = text("SELECT count(*), count(*) FILTER (WHERE published) FROM entries")


@dataclass(frozen=True)
class Round:
    """What a round took: polls, entries that it stored, seconds, and CPU seconds by part."""

    polls: int
    new: int
    seconds: float
    cpu: dict[str, float]


@dataclass(frozen=True)
class Fetching:
    """A leading fetcher, its database, and the server of what it fetches."""

    store: Store
    database: str
    fetcher: ClarionProcess
    server: FeedServerProcess

    def begin(self, urls: Sequence[str]) -> Round:
        """Add sources, and wait until all their entries are stored and published."""
        now = SystemClock().now()
        wanted = [NewSource("feed", url, url, next_poll_at=now) for url in urls]

        def add() -> None:
            with self.store.write() as session:
                sources.create_missing(session, None, wanted, now)

        return self._round(add, len(urls))

    def again(self) -> Round:
        """Ask for every source, as the API does for one, and wait until all have been polled."""
        with self.store.read() as session:
            count = session.execute(text("SELECT count(*) FROM sources")).scalar_one()

        def ask() -> None:
            with self.store.write() as session:
                session.execute(_ASK, {"now": SystemClock().now()})

        return self._round(ask, count)

    def _round(self, begin: Callable[[], None], polls: int) -> Round:
        before, used, now = self._entries(), cpu_seconds(self._parts()), SystemClock().now()
        started = time.perf_counter()
        begin()
        self._wait(now, polls)
        seconds = time.perf_counter() - started
        cost = spent(used, cpu_seconds(self._parts()))
        return Round(polls, self._entries() - before, seconds, cost)

    def _wait(self, since: datetime, polls: int) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS + polls / SLOWEST_PER_SECOND
        while (polled := self._scalar(_POLLED, since=since)) < polls:
            if time.monotonic() > deadline or not self.fetcher.running:
                raise SystemExit(f"only {polled} of {polls} were polled")
            time.sleep(POLL_SECONDS)

    def _entries(self) -> int:
        """Return how many entries are stored; SystemExit when a source failed or not all are published."""
        with self.store.read() as session:
            failed = session.execute(_FAILED).first()
            stored, published = session.execute(_ENTRIES).one()
        if failed or stored != published:
            raise SystemExit(f"{stored - published} entries are not published; failed: {failed}")
        return int(stored)

    def _scalar(self, statement: TextClause, **values: Any) -> int:
        with self.store.read() as session:
            return int(session.execute(statement, values).scalar_one())

    def _parts(self) -> Mapping[str, Callable[[], list[int]]]:
        return {
            "fetcher": lambda: [self.fetcher.pid],
            "sandbox": lambda: with_descendants(self.fetcher.pid)[1:],
            "postgresql": lambda: postgres_processes(self.database),
            "broker": broker_processes,
            "server": lambda: [self.server.pid],
        }


@contextmanager
def fetching(database: str, broker: str, server: FeedServerProcess) -> Iterator[Fetching]:
    """Start a fetcher on an empty database and virtual host; wait until it leads and is warm."""
    with ExitStack() as stack:
        environment = {
            "CLARION_DATABASE_URL": database,
            "CLARION_BROKER_URL": broker,
            "CLARION_SECRET_KEY": SECRET_KEY,
            "CLARION_EGRESS_ALLOW": "127.0.0.0/8",
            "CLARION_BACKFILL": str(EVERYTHING),
            "CLARION_LOG_LEVEL": "warning",
        }
        with ClarionProcess(["migrate"], environment) as migrate:
            migrate.wait(0, 60)
        store = open_store(database)
        stack.callback(store.close)
        fetcher = stack.enter_context(ClarionProcess(["fetcher"], environment))
        made = Fetching(store, urlsplit(database).path.lstrip("/"), fetcher, server)
        _wait_until_leading(made)
        made.begin(server.urls("warm-up", min(WARM_UP, server.hosts)))
        with store.write() as session:
            session.execute(text("DELETE FROM sources"))
        yield made


def _wait_until_leading(made: Fetching) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        with made.store.read() as session:
            if current_holder(session, LEASE) is not None:
                return
        if time.monotonic() > deadline or not made.fetcher.running:
            raise SystemExit(f"the fetcher does not lead: {made.fetcher.errors}")
        time.sleep(POLL_SECONDS)
