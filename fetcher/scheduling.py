"""The leader's jobs on APScheduler: polls of what is due, and the ones that keep the ledger moving."""

import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger

from core.clock import Clock
from core.errors import Unavailable
from core.store import due_sources
from core.store.engine import Store
from core.store.leases import Grant, LeaseLost, check

log = structlog.get_logger()

# Threads for what somebody waits for, which slow hosts must not keep waiting.
ASKED_THREADS = 4
LOOK_SECONDS = 0.5
MOST_IN_HAND = 500
AGAIN_AFTER_SECONDS = 10.0
SPREAD_PER_SOURCE = 0.02
LONGEST_SPREAD = 300.0
_NO_SPREAD_BELOW = 50

Duty = Callable[[Grant], None]


@dataclass(frozen=True)
class LeaderJob:
    """Something that the leader does again and again."""

    name: str
    duty: Duty
    every_seconds: float


class _Scheduler(BackgroundScheduler):  # type: ignore[misc]
    """A scheduler that may be shut down at any moment."""

    def _process_jobs(self) -> float | None:
        try:
            wait_seconds: float | None = super()._process_jobs()
            return wait_seconds
        except JobLookupError:
            # It looks for a job that has run where it keeps none any more once it is shut down.
            if self.running:
                raise
            return None


class Schedule:
    """A leader's reign: started with a grant, ended when it leads no more.

    The sources that are due are looked up in the database twice a second; only those are kept here that are
    being polled or will be at once.
    """

    def __init__(
        self,
        store: Store,
        poll: Callable[[str, Grant], float | None],
        jobs: list[LeaderJob],
        pollable_kinds: frozenset[str],
        clock: Clock,
        poll_threads: int,
        at_end: Callable[[], None] = lambda: None,
    ) -> None:
        self._store, self._poll, self._jobs, self._clock = store, poll, jobs, clock
        self._kinds, self._poll_threads, self._at_end = pollable_kinds, poll_threads, at_end
        self._scheduler: BackgroundScheduler | None = None
        self._grant: Grant | None = None
        self._spread_done = False
        self._planned: set[str] = set()
        self._polling: set[str] = set()
        self._asked = 0
        self._lock = threading.Lock()
        self._chance = random.Random()

    def begin(self, grant: Grant) -> None:
        """Start all jobs under a grant."""
        with self._lock:
            self._grant, self._spread_done, self._asked = grant, False, 0
            self._planned = set()  # what the reign before had planned went with its scheduler
        executors = {
            "default": ThreadPoolExecutor(len(self._jobs) + 1),
            "polls": ThreadPoolExecutor(self._poll_threads),
            "asked": ThreadPoolExecutor(ASKED_THREADS),
        }
        defaults = {"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        self._scheduler = _Scheduler(executors=executors, job_defaults=defaults, timezone="UTC")
        for job in [LeaderJob("sources", self._look, LOOK_SECONDS), *self._jobs]:
            self._scheduler.add_job(
                self._guarded,
                IntervalTrigger(seconds=job.every_seconds, timezone="UTC"),
                args=(job.name, job.duty, grant),
                id=f"duty:{job.name}",
                next_run_time=self._clock.now(),
            )
        self._scheduler.start()

    def end(self) -> None:
        """Stop all jobs; a poll under way may still try to write, and is refused by the token."""
        scheduler, self._scheduler, self._grant = self._scheduler, None, None
        if scheduler is not None:
            scheduler.shutdown(wait=False)
        self._at_end()

    def _guarded(self, name: str, duty: Duty, grant: Grant) -> bool:
        """Run a job; return whether it ended as it should."""
        try:
            duty(grant)
            return True
        except LeaseLost as error:
            log.info("not done, somebody else leads", job=name, reason=str(error))
        except Unavailable as error:
            log.warning("put off", job=name, problem=str(error))
        except Exception:
            log.exception("a job failed", job=name)
        return False

    def _look(self, grant: Grant) -> None:
        """Hand out what is due, what somebody waits for first."""
        if not self._spread_done:
            self._spread(grant)
        now = self._clock.now()
        with self._lock:
            in_hand = self._planned | self._polling
        with self._store.read() as session:
            # Those in hand are due as well until they are done with, which they may be by now.
            asked = due_sources.asked_for(session, self._kinds, now, MOST_IN_HAND + len(in_hand))
            due = due_sources.due(session, self._kinds, now, MOST_IN_HAND)
        for waited_for, found in ((True, asked), (False, due)):
            for source_id in found:
                if source_id not in in_hand:
                    self._hand_out(source_id, grant, waited_for=waited_for)

    def _spread(self, grant: Grant) -> None:
        """Let what came due while nobody led not go all at once."""
        now = self._clock.now()
        with self._store.read() as session:
            overdue = due_sources.overdue(session, self._kinds, now)
        if len(overdue) >= _NO_SPREAD_BELOW:
            times = spread_over(overdue, now, self._chance)
            with self._store.write() as session:
                check(session, grant)
                due_sources.put_off(session, times, now)
        self._spread_done = True

    def _hand_out(self, source_id: str, grant: Grant, *, waited_for: bool) -> None:
        with self._lock:
            if source_id in self._planned or source_id in self._polling:
                return
            if not waited_for and len(self._planned) >= MOST_IN_HAND:
                return
            self._planned.add(source_id)
            quick = waited_for and self._asked < ASKED_THREADS
            self._asked += quick
        self._plan(source_id, self._clock.now(), grant, quick=quick)

    def _plan(self, source_id: str, start: datetime, grant: Grant, *, quick: bool) -> None:
        scheduler = self._scheduler
        if scheduler is not None:
            scheduler.add_job(
                self._poll_one,
                DateTrigger(start, timezone="UTC"),
                args=(source_id, grant, quick),
                id=f"poll:{source_id}",
                executor="asked" if quick else "polls",
                max_instances=3,  # one that comes back may find its last run not quite ended
                replace_existing=True,
            )

    def _poll_one(self, source_id: str, grant: Grant, quick: bool) -> None:
        with self._lock:
            if grant != self._grant:
                return  # it waited for a thread until its reign was over
            self._planned.discard(source_id)
            self._polling.add(source_id)
        again: float | None = AGAIN_AFTER_SECONDS

        def poll(grant: Grant) -> None:
            nonlocal again
            again = self._poll(source_id, grant)

        try:
            self._guarded("poll", poll, grant)
        finally:
            self._settle(source_id, grant, again, quick=quick)

    def _settle(self, source_id: str, grant: Grant, again: float | None, *, quick: bool) -> None:
        with self._lock:
            self._polling.discard(source_id)
            if grant != self._grant:
                return
            self._asked -= quick
            if again:
                self._planned.add(source_id)
        if again:
            self._plan(source_id, self._clock.now() + timedelta(seconds=again), grant, quick=False)


def spread_over(source_ids: Sequence[str], now: datetime, chance: random.Random) -> dict[str, datetime]:
    """Give each of many sources a moment of its own: 50 a second on average, more when they are very many."""
    seconds = min(len(source_ids) * SPREAD_PER_SOURCE, LONGEST_SPREAD)
    return {id_: now + timedelta(seconds=chance.uniform(0, seconds)) for id_ in source_ids}
