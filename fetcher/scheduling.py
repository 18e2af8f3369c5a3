"""The leader's jobs on APScheduler: one for each source, and the ones that keep the ledger moving."""

import random
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger
from sqlalchemy import select

from core.clock import Clock
from core.errors import Unavailable
from core.store.engine import Store
from core.store.leases import Grant, LeaseLost
from core.store.models import Source

log = structlog.get_logger()

POLL_THREADS = 8
LOOK_SECONDS = 1.0
LOOK_AT_ALL = timedelta(seconds=30)
AGAIN_AFTER = timedelta(seconds=10)
AFTER_THIS_POLL = timedelta(seconds=1)
OVERLAP = timedelta(seconds=10)  # for changes that commit late, and clocks that differ
SPREAD_PER_SOURCE = 0.02
LONGEST_SPREAD = 60.0
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)

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
    """A leader's reign: started with a grant, ended when it leads no more."""

    def __init__(
        self,
        store: Store,
        poll: Callable[[str, Grant], float | None],
        jobs: list[LeaderJob],
        pollable_kinds: frozenset[str],
        clock: Clock,
        at_end: Callable[[], None] = lambda: None,
    ) -> None:
        self._store, self._poll, self._jobs, self._clock = store, poll, jobs, clock
        self._kinds, self._at_end = pollable_kinds, at_end
        self._scheduler: BackgroundScheduler | None = None
        self._grant: Grant | None = None
        self._planned: dict[str, datetime] = {}
        self._looked_at = self._look_at_all_after = _LONG_AGO
        self._polling: set[str] = set()
        self._lock = threading.Lock()
        self._chance = random.Random()

    def begin(self, grant: Grant) -> None:
        """Start all jobs under a grant."""
        self._grant = grant
        self._planned, self._looked_at, self._look_at_all_after = {}, _LONG_AGO, _LONG_AGO
        executors = {
            "default": ThreadPoolExecutor(len(self._jobs) + 1),
            "polls": ThreadPoolExecutor(POLL_THREADS),
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
        scheduler, self._scheduler = self._scheduler, None
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
        """Plan the next poll of every source that changed, and now and then of every source there is."""
        now = self._clock.now()
        everything = now >= self._look_at_all_after
        with self._store.read() as session:
            statement = select(Source.id, Source.next_poll_at).where(Source.kind.in_(self._kinds))
            if not everything:
                statement = statement.where(Source.updated_at >= self._looked_at - OVERLAP)
            wanted = {row.id: row.next_poll_at or now for row in session.execute(statement)}
        self._looked_at = now
        if everything:
            self._look_at_all_after = now + LOOK_AT_ALL
            for source_id in self._planned.keys() - wanted.keys():
                self._forget(source_id)
        self._plan_all(wanted, grant, now)

    def _plan_all(self, wanted: Mapping[str, datetime], grant: Grant, now: datetime) -> None:
        changed = {id_: due for id_, due in wanted.items() if self._planned.get(id_) != due}
        overdue = sum(due <= now for due in changed.values())
        spread = min(overdue * SPREAD_PER_SOURCE, LONGEST_SPREAD)
        for source_id, due in changed.items():
            late = timedelta(seconds=self._chance.uniform(0, spread)) if due <= now else timedelta()
            self._plan(source_id, max(due, now) + late, grant)
            self._planned[source_id] = due

    def _plan(self, source_id: str, start: datetime, grant: Grant) -> None:
        if self._scheduler is not None:
            self._scheduler.add_job(
                self._poll_one,
                DateTrigger(start, timezone="UTC"),
                args=(source_id, self._grant or grant),  # a poll may outlive the reign it began in
                id=f"poll:{source_id}",
                executor="polls",
                max_instances=2,  # the second learns that the first is under way, and comes back later
                replace_existing=True,
            )

    def _forget(self, source_id: str) -> None:
        del self._planned[source_id]
        with suppress(JobLookupError):
            if self._scheduler is not None:
                self._scheduler.remove_job(f"poll:{source_id}")

    def _poll_one(self, source_id: str, grant: Grant) -> None:
        with self._lock:
            busy = source_id in self._polling
            self._polling.add(source_id)
        if busy:
            self._plan(source_id, self._clock.now() + AFTER_THIS_POLL, grant)
            return
        try:
            if not self._guarded("poll", partial(self._poll_or_wait, source_id), grant):
                self._plan(source_id, self._clock.now() + AGAIN_AFTER, grant)
        finally:
            with self._lock:
                self._polling.discard(source_id)

    def _poll_or_wait(self, source_id: str, grant: Grant) -> None:
        wait = self._poll(source_id, grant)
        if wait:
            self._plan(source_id, self._clock.now() + timedelta(seconds=wait), grant)
