"""A router's index in a process of its own: what it loads, and when it sees what was committed."""

import os
import time
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Self

import structlog

from bench.processes import resident_megabytes
from core.store.engine import Store, open_store
from router.subscriptions_index import SubscriptionsIndex

LOADING_SECONDS = 600
QUIET_SECONDS = 20


@dataclass(frozen=True)
class Loaded:
    """What loading the store took."""

    seconds: float
    subscriptions: int
    resident_bytes: float


@dataclass
class Seen:
    """When subscriptions, by number, were first matched and no longer, in monotonic seconds.

    Those count that were made or removed after loading.

    Each of the `looks` reads the store and matches the article once.
    """

    appeared: dict[int, float] = field(default_factory=dict)
    vanished: dict[int, float] = field(default_factory=dict)
    looks: int = 0
    longest_look: float = 0.0

    @property
    def counts(self) -> tuple[int, int]:
        """How many have come, and how many gone."""
        return len(self.appeared), len(self.vanished)


class RouterSide:
    """The process, running inside a `with` block; `title` is the article that it matches all the time."""

    def __init__(self, database: str, title: str) -> None:
        context = get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_follow, args=(database, title, theirs), daemon=True)
        self._theirs = theirs

    def __enter__(self) -> Self:
        self._process.start()
        self._theirs.close()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.join()
        self._connection.close()

    def loaded(self) -> Loaded:
        """Wait until it has loaded the store; SystemExit when it does not."""
        answer = self._receive(LOADING_SECONDS)
        if not isinstance(answer, Loaded):
            raise SystemExit(f"the router side did not load the store: {answer}")
        return answer

    def seen(self, appeared: int, vanished: int) -> Seen:
        """Wait until it has seen so many come and go; SystemExit when it does not."""
        self._connection.send((appeared, vanished))
        answer = self._receive(2 * QUIET_SECONDS)
        if not isinstance(answer, Seen):
            raise SystemExit("the router side does not answer: its process has ended, or one look takes long")
        if answer.counts != (appeared, vanished):
            raise SystemExit(
                f"the router side has seen {answer.counts}, not {(appeared, vanished)}, "
                f"in {answer.looks} looks of up to {answer.longest_look:.3f} s"
            )
        return answer

    def _receive(self, patience: float) -> object:
        try:
            return self._connection.recv() if self._connection.poll(patience) else None
        except EOFError:
            return None


def _follow(database: str, title: str, connection: Connection) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("warning"))
    store, index = open_store(database), SubscriptionsIndex()
    store.ping()
    before, started = resident_megabytes(os.getpid()), time.perf_counter()
    _catch_up(store, index)
    seconds = time.perf_counter() - started
    grown = (resident_megabytes(os.getpid()) - before) * 2**20
    present = _found(index, title)
    connection.send(Loaded(seconds, len(index), grown / max(1, len(index))))
    _watch(store, index, title, present, connection)


def _watch(
    store: Store, index: SubscriptionsIndex, title: str, present: set[int], connection: Connection
) -> None:
    """Match the article until the process is ended; answer once so much was seen as is asked for.

    If that never is, answer what was.
    """
    seen, asked_at = Seen(), 0.0
    expected: tuple[int, int] | None = None
    while True:
        started = time.monotonic()
        _catch_up(store, index)
        found = _found(index, title)
        now = time.monotonic()
        seen.appeared.update((number, now) for number in found - present)
        seen.vanished.update((number, now) for number in present - found)
        present = found
        seen.looks, seen.longest_look = seen.looks + 1, max(seen.longest_look, now - started)
        if expected is None and connection.poll():
            expected, asked_at = connection.recv(), now
        if expected == seen.counts or (expected and now - asked_at > QUIET_SECONDS):
            connection.send(seen)
            expected = None


def _found(index: SubscriptionsIndex, title: str) -> set[int]:
    return set(index.match(title, "", source=(), language=None, categories=[]))


def _catch_up(store: Store, index: SubscriptionsIndex) -> None:
    with store.read() as session:
        index.catch_up(session)
