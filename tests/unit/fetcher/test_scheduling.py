"""The leader's jobs on a real scheduler, over a real store."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.base import STATE_STOPPED
from apscheduler.triggers.date import DateTrigger
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, update

from core.clock import SystemClock
from core.errors import Unavailable
from core.store import due_sources, leases, sources
from core.store.engine import Store, open_store
from core.store.leases import Grant, LeaseLost
from core.store.models import Source
from core.store.schema import migrate
from core.store.sources import NewSource
from fetcher.scheduling import (
    LONGEST_SPREAD,
    SPREAD_PER_SOURCE,
    Duty,
    LeaderJob,
    Schedule,
    _Scheduler,
    spread_over,
)

FIRST, SECOND = Grant("leader", "me", 1), Grant("leader", "me", 2)
LATER = timedelta(days=1)
POLL_THREADS = 8


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(open_store(f"sqlite:///{tmp_path / 'clarion.db'}")) as opened:
        migrate(opened)
        yield opened


@dataclass
class Polls:
    """A poller's place: notes each poll, and does with it what a test wants."""

    store: Store
    seen: list[tuple[str, int]] = field(default_factory=list)
    answer: Callable[[str, Grant], float | None] | None = None

    def __call__(self, source_id: str, grant: Grant) -> float | None:
        self.seen.append((source_id, grant.token))
        if self.answer:
            return self.answer(source_id, grant)
        self.done(source_id)
        return None

    def done(self, source_id: str) -> None:
        """Do what a poll does at its end."""
        now = SystemClock().now()
        with self.store.write() as session:
            values = {"next_poll_at": now + LATER, "updated_at": now}
            session.execute(update(Source).where(Source.id == source_id).values(values))


@pytest.fixture
def polls(store: Store) -> Polls:
    return Polls(store)


@pytest.fixture
def schedule(store: Store, polls: Polls, monkeypatch: pytest.MonkeyPatch) -> Iterator[Schedule]:
    made = scheduled(store, polls, monkeypatch)
    yield made
    made.end()


def scheduled(store: Store, polls: Polls, monkeypatch: pytest.MonkeyPatch, *jobs: LeaderJob) -> Schedule:
    monkeypatch.setattr("fetcher.scheduling.LOOK_SECONDS", 0.05)
    monkeypatch.setattr("fetcher.scheduling.AGAIN_AFTER_SECONDS", 0.1)
    return Schedule(store, polls, list(jobs), frozenset({"feed"}), SystemClock(), POLL_THREADS)


def add(store: Store, name: str, due: datetime | None = None, kind: str = "feed") -> str:
    now = SystemClock().now()
    new = NewSource(kind, f"https://example.com/{name}", name, None, due or now)
    with store.write() as session:
        return sources.find_or_create(session, None, new, now)[0].id


def eventually(holds: Callable[[], bool]) -> None:
    """Wait until something is so; the deadline is for a machine that is very busy."""
    deadline = time.monotonic() + 15
    while not holds():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.01)


def a_few_looks(schedule: Schedule, store: Store, polls: Polls) -> None:
    """Let the schedule look so often that it has surely seen everything there was before."""
    for _ in range(2):
        marker = add(store, f"marker{time.monotonic_ns()}")
        eventually(lambda: marker in {id_ for id_, _ in polls.seen})  # noqa: B023


def test_sources_that_are_due_are_polled_once(schedule: Schedule, store: Store, polls: Polls) -> None:
    due = [add(store, str(number)) for number in range(3)]
    schedule.begin(FIRST)
    eventually(lambda: len(polls.seen) >= 3)
    a_few_looks(schedule, store, polls)
    assert sorted(seen for seen in polls.seen if seen[0] in due) == sorted((id_, 1) for id_ in due)


def test_sources_that_are_not_due_and_those_nobody_polls_are_left_alone(
    schedule: Schedule, store: Store, polls: Polls
) -> None:
    waiting = add(store, "later", SystemClock().now() + LATER)
    pushed = add(store, "pushed", kind="push")
    schedule.begin(FIRST)
    a_few_looks(schedule, store, polls)
    assert {waiting, pushed}.isdisjoint(id_ for id_, _ in polls.seen)


def test_a_source_made_later_is_polled_soon(schedule: Schedule, store: Store, polls: Polls) -> None:
    schedule.begin(FIRST)
    made = add(store, "new")
    eventually(lambda: (made, 1) in polls.seen)


def test_a_source_that_is_asked_for_is_polled_before_its_time(
    schedule: Schedule, store: Store, polls: Polls
) -> None:
    waiting = add(store, "later", SystemClock().now() + LATER)
    schedule.begin(FIRST)
    a_few_looks(schedule, store, polls)
    with store.write() as session:
        now = SystemClock().now()
        session.execute(update(Source).where(Source.id == waiting).values(next_poll_at=now, updated_at=now))
    eventually(lambda: (waiting, 1) in polls.seen)


def test_what_a_poll_has_done_with_during_a_look_is_not_polled_again(
    schedule: Schedule, store: Store, polls: Polls, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, finish, due = add(store, "slow"), threading.Event(), due_sources.due

    def poll(source_id: str, _grant: Grant) -> None:
        finish.wait(15)
        polls.done(source_id)

    def find_and_dawdle(*arguments: Any) -> list[str]:
        found = due(*arguments)
        if source in schedule._polling:
            finish.set()
            eventually(lambda: source not in schedule._polling)
        return found

    polls.answer = poll
    monkeypatch.setattr("fetcher.scheduling.due_sources.due", find_and_dawdle)
    schedule.begin(FIRST)
    eventually(finish.is_set)
    a_few_looks(schedule, store, polls)
    assert polls.seen.count((source, 1)) == 1


def test_a_deleted_source_is_polled_no_more(schedule: Schedule, store: Store, polls: Polls) -> None:
    gone = add(store, "gone", SystemClock().now() + timedelta(seconds=1.5))
    schedule.begin(FIRST)
    a_few_looks(schedule, store, polls)
    with store.write() as session:
        session.execute(delete(Source).where(Source.id == gone))
    time_to_poll = SystemClock().now() + timedelta(seconds=1.6)
    eventually(lambda: SystemClock().now() > time_to_poll)
    a_few_looks(schedule, store, polls)
    assert gone not in {id_ for id_, _ in polls.seen}


def test_a_poll_that_must_wait_comes_back(schedule: Schedule, store: Store, polls: Polls) -> None:
    def wait_twice(source_id: str, _grant: Grant) -> float | None:
        if len(polls.seen) < 3:
            return 0.05
        polls.done(source_id)
        return None

    polls.answer = wait_twice
    source = add(store, "spaced")
    schedule.begin(FIRST)
    eventually(lambda: polls.seen == [(source, 1)] * 3)


@pytest.mark.parametrize("error", [Unavailable("no database"), ValueError("a mistake")])
def test_a_poll_that_fails_comes_back(
    schedule: Schedule, store: Store, polls: Polls, error: Exception
) -> None:
    def fail_once(source_id: str, _grant: Grant) -> None:
        if len(polls.seen) == 1:
            raise error
        polls.done(source_id)

    polls.answer = fail_once
    source = add(store, "failing")
    schedule.begin(FIRST)
    eventually(lambda: polls.seen == [(source, 1)] * 2)


def test_a_slow_source_is_polled_by_one_thread_and_keeps_no_other_waiting(
    schedule: Schedule, store: Store, polls: Polls
) -> None:
    release = threading.Event()
    slow = add(store, "slow")

    def hang(source_id: str, _grant: Grant) -> None:
        if source_id == slow:
            release.wait(15)
        polls.done(source_id)

    polls.answer = hang
    schedule.begin(FIRST)
    eventually(lambda: (slow, 1) in polls.seen)
    with store.write() as session:
        now = SystemClock().now()
        session.execute(update(Source).where(Source.id == slow).values(next_poll_at=now, updated_at=now))
    a_few_looks(schedule, store, polls)
    assert [id_ for id_, _ in polls.seen].count(slow) == 1
    release.set()


def test_a_reign_that_ended_polls_nothing(schedule: Schedule, store: Store, polls: Polls) -> None:
    schedule.begin(FIRST)
    a_few_looks(schedule, store, polls)
    schedule.end()
    schedule.end()
    before = list(polls.seen)
    add(store, "new")
    threading.Event().wait(0.2)
    assert polls.seen == before


def test_a_poll_that_outlives_its_reign_comes_back_under_the_next(
    schedule: Schedule, store: Store, polls: Polls
) -> None:
    release = threading.Event()
    source = add(store, "slow")

    def refuse_the_first_grant(source_id: str, grant: Grant) -> None:
        if grant == FIRST:
            release.wait(15)
            raise LeaseLost("the lease has another holder")
        polls.done(source_id)

    polls.answer = refuse_the_first_grant
    schedule.begin(FIRST)
    eventually(lambda: (source, 1) in polls.seen)
    schedule.end()
    schedule.begin(SECOND)
    a_few_looks(schedule, store, polls)
    release.set()

    eventually(lambda: (source, 2) in polls.seen)
    a_few_looks(schedule, store, polls)
    assert polls.seen.count((source, 1)) == 1


@pytest.fixture
def jammed(schedule: Schedule, store: Store, polls: Polls) -> Iterator[threading.Event]:
    """Every thread for polls is busy with a source that hangs, until the event is set."""
    release = threading.Event()
    slow = {add(store, f"slow{number}", long_ago()) for number in range(POLL_THREADS)}
    planned = {"updated_at": long_ago() - LATER}
    with store.write() as session:
        session.execute(update(Source).where(Source.id.in_(slow)).values(planned))

    def hang(source_id: str, _grant: Grant) -> None:
        if source_id in slow:
            release.wait(15)
        polls.done(source_id)

    polls.answer = hang
    schedule.begin(FIRST)
    eventually(lambda: slow <= {id_ for id_, _ in polls.seen})
    yield release
    release.set()


def long_ago() -> datetime:
    return SystemClock().now() - LATER


def test_what_somebody_waits_for_is_polled_though_all_threads_are_busy(
    jammed: threading.Event, store: Store, polls: Polls
) -> None:
    made = add(store, "new")
    eventually(lambda: (made, 1) in polls.seen)
    assert not jammed.is_set()


def test_what_waits_for_a_thread_when_a_reign_ends_is_not_polled_in_its_name(
    jammed: threading.Event, schedule: Schedule, store: Store, polls: Polls
) -> None:
    queued = add(store, "queued", long_ago())
    with store.write() as session:
        session.execute(update(Source).where(Source.id == queued).values(updated_at=long_ago() - LATER))
    eventually(lambda: queued in schedule._planned)
    schedule.end()
    jammed.set()
    schedule.begin(SECOND)
    eventually(lambda: (queued, 2) in polls.seen)
    a_few_looks(schedule, store, polls)
    assert (queued, 1) not in polls.seen


def test_only_so_many_are_held_ready_at_a_time(
    store: Store, polls: Polls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fetcher.scheduling.MOST_IN_HAND", 5)
    due = {add(store, str(number), long_ago()) for number in range(40)}
    with store.write() as session:
        session.execute(update(Source).values(updated_at=long_ago() - LATER))
    schedule = scheduled(store, polls, monkeypatch)
    held: list[int] = []

    def count(source_id: str, _grant: Grant) -> None:
        held.append(len(schedule._planned))
        polls.done(source_id)

    polls.answer = count
    schedule.begin(FIRST)
    eventually(lambda: due <= {id_ for id_, _ in polls.seen})
    schedule.end()
    assert max(held) <= 5


def test_after_a_restart_a_thousand_sources_do_not_go_at_once(
    schedule: Schedule, store: Store, polls: Polls
) -> None:
    due = [add(store, str(number), long_ago()) for number in range(60)]
    asked = add(store, "asked")
    with store.write() as session:
        values = {"updated_at": long_ago() - LATER}
        session.execute(update(Source).where(Source.id.in_(due)).values(values))
    before = SystemClock().now()
    assert leases.acquire(store, "leader", "me", 600) == FIRST
    schedule.begin(FIRST)
    eventually(lambda: (asked, 1) in polls.seen)
    with store.read() as session:
        times = {source.next_poll_at for source in session.query(Source) if source.id in due}
    assert len(times) == 60
    assert all(moment is not None and moment > before for moment in times)


@given(st.integers(1, 20_000), st.randoms(use_true_random=False))
def test_the_overdue_are_spread_evenly_over_a_bounded_time(count: int, chance: Random) -> None:
    now = SystemClock().now()
    found = spread_over([str(number) for number in range(count)], now, chance)
    waits = sorted((moment - now).total_seconds() for moment in found.values())
    assert len(found) == count
    assert 0 <= waits[0] <= waits[-1] <= min(count * SPREAD_PER_SOURCE, LONGEST_SPREAD)


class _ShutsDown(ThreadPoolExecutor):  # type: ignore[misc]
    """An executor to which a job is handed at the very moment of the shutdown."""

    def submit_job(self, job: Any, run_times: Any) -> None:
        """Let the scheduler be as `shutdown` leaves it first."""
        self._scheduler.state = STATE_STOPPED


def test_a_shutdown_while_jobs_are_handed_out_is_no_error() -> None:
    scheduler = _Scheduler(executors={"default": _ShutsDown(1)}, timezone="UTC")
    scheduler.start(paused=True)
    scheduler.add_job(print, DateTrigger(SystemClock().now(), timezone="UTC"), misfire_grace_time=None)
    scheduler.resume()
    eventually(lambda: scheduler.state == STATE_STOPPED)
    scheduler._thread.join()  # pytest fails the test where the thread has ended with an exception


# --- duties


def duty_that(fails: BaseException | None, times: int = 1) -> tuple[Duty, list[int]]:
    """Make a duty that fails at first; return it with the tokens it was called with."""
    calls: list[int] = []

    def duty(grant: Grant) -> None:
        calls.append(grant.token)
        if fails and len(calls) <= times:
            raise fails

    return duty, calls


@pytest.mark.parametrize(
    "error", [None, Unavailable("no database"), LeaseLost("deposed"), RuntimeError("a mistake")]
)
def test_duties_are_done_again_and_again_whatever_happens(
    store: Store, polls: Polls, monkeypatch: pytest.MonkeyPatch, error: Exception | None
) -> None:
    duty, calls = duty_that(error)
    schedule = scheduled(store, polls, monkeypatch, LeaderJob("sweep", duty, 0.05))
    schedule.begin(FIRST)
    eventually(lambda: len(calls) >= 4)
    schedule.end()
    assert set(calls) == {1}


def test_a_duty_that_hangs_keeps_no_other_waiting(
    store: Store, polls: Polls, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()
    duty, calls = duty_that(None)

    def hang(_grant: Grant) -> None:
        release.wait(15)

    hanging = LeaderJob("hanging", hang, 0.05)
    schedule = scheduled(store, polls, monkeypatch, hanging, LeaderJob("sweep", duty, 0.05))
    schedule.begin(FIRST)
    source = add(store, "new")
    eventually(lambda: len(calls) >= 4 and (source, 1) in polls.seen)
    release.set()
    schedule.end()


def test_duties_of_a_new_reign_have_its_grant(
    store: Store, polls: Polls, monkeypatch: pytest.MonkeyPatch
) -> None:
    duty, calls = duty_that(None)
    schedule = scheduled(store, polls, monkeypatch, LeaderJob("sweep", duty, 0.05))
    schedule.begin(FIRST)
    eventually(lambda: 1 in calls)
    schedule.end()
    schedule.begin(SECOND)
    eventually(lambda: 2 in calls)
    schedule.end()


def test_what_is_to_be_done_at_its_end_is_done(store: Store, polls: Polls) -> None:
    ended: list[str] = []
    schedule = Schedule(store, polls, [], frozenset(), SystemClock(), 1, at_end=lambda: ended.append("once"))
    schedule.begin(FIRST)
    assert ended == []
    schedule.end()
    assert ended == ["once"]
