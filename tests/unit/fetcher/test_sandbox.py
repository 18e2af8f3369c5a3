"""Processes that read documents: what they may take, and what becomes of one that does not end."""

import operator
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from core.errors import Reason, Unavailable
from fetcher.parsing.confinement import Limits, ReadingFailed
from fetcher.parsing.sandbox import Sandbox
from fetcher.sources.base import Document, SourceError
from fetcher.sources.feed import KIND

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
FEED = b"<rss version='2.0'><channel><title>Site</title><item><title>One</title></item></channel></rss>"
PATIENT = Limits(cpu_seconds=60, wall_seconds=100)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    made = Sandbox(1, PATIENT)
    yield made
    made.close()


@pytest.fixture
def confined(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    made = Sandbox(1, request.param)
    yield made
    made.close()


def failure(sandbox: Sandbox, function: object, *arguments: object) -> SourceError:
    with pytest.raises(SourceError) as raised:
        sandbox.run(function, *arguments)  # type: ignore[arg-type]
    return raised.value


def has_ended(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_a_document_is_read_as_in_this_process(sandbox: Sandbox) -> None:
    document = Document("https://site.example/feed", 200, {}, FEED)
    assert sandbox.parse(KIND, document, NOW) == KIND.parse(document, NOW)


def test_errors_in_words_come_back_as_they_are(sandbox: Sandbox) -> None:
    error = failure(
        sandbox, KIND.parse, Document("https://site.example/", 429, {"retry-after": "9"}, b""), NOW
    )
    assert (error.reason, error.pause_seconds) == (Reason.THROTTLED, 9.0)


def test_an_error_that_nobody_foresaw_carries_its_traceback(sandbox: Sandbox) -> None:
    with pytest.raises(ReadingFailed, match="ZeroDivisionError"):
        sandbox.run(operator.truediv, 1, 0)
    assert sandbox.run(operator.add, 1, 1) == 2


def test_a_process_starts_when_needed_and_stays(sandbox: Sandbox) -> None:
    pids = {sandbox.run(os.getpid) for _ in range(3)}
    assert len(pids) == 1
    assert os.getpid() not in pids


def test_no_secret_is_handed_on(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLARION_SECRET_KEY", "secret")
    monkeypatch.setenv("PGPASSWORD", "secret")
    assert sandbox.run(os.getenv, "CLARION_SECRET_KEY") is None
    assert sandbox.run(os.getenv, "PGPASSWORD") is None


@pytest.mark.parametrize("confined", [Limits(cpu_seconds=0.2, wall_seconds=100)], indirect=True)
def test_too_much_work_ends_its_process_even_outside_of_python_code(confined: Sandbox) -> None:
    error = failure(confined, sum, range(10**15))
    assert error.reason is Reason.TIMEOUT
    assert str(error) == "Reading the document takes more than 0.2 s of processor time"
    assert confined.run(operator.add, 1, 1) == 2


def test_the_time_of_one_document_is_not_counted_for_the_next(sandbox: Sandbox) -> None:
    sandbox.run(sum, range(20_000_000))
    left, _ = sandbox.run(signal.getitimer, signal.ITIMER_PROF)
    assert left > PATIENT.cpu_seconds - 0.1


@pytest.mark.parametrize("confined", [Limits(cpu_seconds=60, wall_seconds=0.3)], indirect=True)
def test_a_process_that_hangs_is_killed(confined: Sandbox) -> None:
    error = failure(confined, time.sleep, 3_600)
    assert (error.reason, str(error)) == (Reason.TIMEOUT, "Reading the document took over 0.3 s")
    assert confined.run(operator.add, 1, 1) == 2


@pytest.mark.parametrize("confined", [Limits(60, 100, memory_bytes=600_000_000)], indirect=True)
def test_memory_is_limited(confined: Sandbox) -> None:
    error = failure(confined, bytes, 700_000_000)
    assert error.reason is Reason.TOO_LARGE
    assert str(error) == "Reading the document takes more than 600 MB of memory"
    assert confined.run(operator.add, 1, 1) == 2


@pytest.mark.parametrize("confined", [Limits(60, 100, recycle_bytes=1)], indirect=True)
def test_a_process_that_keeps_memory_makes_room_for_another(confined: Sandbox) -> None:
    assert len({confined.run(os.getpid) for _ in range(3)}) == 3


def test_a_process_that_dies_fails_its_own_document_only(sandbox: Sandbox) -> None:
    error = failure(sandbox, os.abort)
    assert (error.reason, str(error)) == (
        Reason.INTERNAL,
        "The process that read the document ended (code -6)",
    )
    assert sandbox.run(operator.add, 1, 1) == 2


def test_a_process_killed_while_it_waits_is_replaced(sandbox: Sandbox) -> None:
    pid = sandbox.run(os.getpid)
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert sandbox.run(operator.add, 1, 1) == 2


def test_others_go_on_while_one_hangs_and_closing_ends_it() -> None:
    sandbox = Sandbox(2, PATIENT)
    with ThreadPoolExecutor(1) as thread:
        hanging = thread.submit(sandbox.run, time.sleep, 3_600)
        pids = {sandbox.run(os.getpid) for _ in range(5)}
        sandbox.close()
        with pytest.raises(Unavailable):
            hanging.result()
    assert all(has_ended(pid) for pid in pids)


def test_there_are_no_more_processes_than_wanted() -> None:
    sandbox = Sandbox(2, PATIENT)
    with ThreadPoolExecutor(6) as threads:
        pids = set(threads.map(lambda _: sandbox.run(os.getpid), range(60)))
    sandbox.close()
    assert 1 <= len(pids) <= 2


def test_a_closed_sandbox_can_be_used_again(sandbox: Sandbox) -> None:
    first = sandbox.run(os.getpid)
    sandbox.close()
    assert has_ended(first)
    assert sandbox.run(os.getpid) != first


def test_an_orphan_ends_by_itself(sandbox: Sandbox) -> None:
    pid = sandbox.run(os.getpid)
    (worker,) = sandbox._idle
    worker._connection.close()
    assert worker.process.wait(timeout=60) == 0
    assert has_ended(pid)
