"""Reading documents in processes of their own, which may be killed without hurting anybody else."""

import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from multiprocessing.connection import Connection
from typing import TypeVar, cast

import structlog

from core.errors import Reason, Unavailable
from fetcher.parsing.confinement import READY, Answer, Limits
from fetcher.sources.base import Document, ParsedDocument, PolledKind, SourceError

log = structlog.get_logger()

DEFAULT_WORKERS = 2
START_SECONDS = 30.0
# What Python needs to find itself and the code; nothing that may hold a secret.
_ENVIRONMENT = ("PATH", "PYTHONHOME", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR")
_PROGRAM = "from fetcher.parsing.confinement import main; main()"

T = TypeVar("T")


class Sandbox:
    """At most `workers` processes, started when first needed, each reading one document at a time.

    Threads share it; each waits for a free process. After `close` it can be used again.
    """

    def __init__(self, workers: int = DEFAULT_WORKERS, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._free = threading.Semaphore(workers)
        self._lock = threading.Lock()
        self._idle: list[_Worker] = []
        self._busy: set[_Worker] = set()

    def parse(self, kind: PolledKind, document: Document, now: datetime) -> ParsedDocument:
        """Read a document as `kind` does.

        Raises SourceError, also for a document that takes more than the limits, ReadingFailed for errors
        that `kind` does not foresee, and Unavailable if the sandbox is closed meanwhile.
        """
        return self.run(kind.parse, document, now)

    def run(self, function: Callable[..., T], *arguments: object) -> T:
        """Call an importable function with arguments that can be pickled; raises as `parse` does."""
        call = pickle.dumps((function, arguments), pickle.HIGHEST_PROTOCOL)
        with self._free:
            worker = self._take()
            answer = Answer(goes_on=False)
            try:
                answer = worker.ask(call, self._limits)
            finally:
                wanted = self._give_back(worker, answer)
        if not wanted:
            raise Unavailable("reading documents was stopped")
        if answer.error is not None:
            raise _in_words(answer.error, self._limits)
        return cast(T, answer.value)

    def close(self) -> None:
        """End all processes; what they are reading is given up."""
        with self._lock:
            idle, self._idle = self._idle, []
            busy, self._busy = self._busy, set()
        for worker in busy:
            worker.process.kill()  # whoever waits for it tidies up
        for worker in idle:
            worker.end()

    def _take(self) -> "_Worker":
        with self._lock:
            while self._idle:
                worker = self._idle.pop()
                if worker.process.poll() is None:
                    break
                worker.end()
            else:
                worker = _Worker(self._limits)
            self._busy.add(worker)
        return worker

    def _give_back(self, worker: "_Worker", answer: Answer) -> bool:
        """Keep a process that can go on; return False if the sandbox was closed meanwhile."""
        with self._lock:
            wanted = worker in self._busy
            self._busy.discard(worker)
            if wanted and answer.goes_on:
                self._idle.append(worker)
                return True
        worker.end()
        return wanted


class _Worker:
    """One process, and the connection over which it is asked."""

    def __init__(self, limits: Limits) -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            self.process = subprocess.Popen(  # noqa: S603 (this very Python, with code of its own)
                [sys.executable, "-P", "-c", _PROGRAM, str(theirs.fileno()), pickle.dumps(limits).hex()],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env=_environment(),
                process_group=0,  # a Ctrl-C is for the process that decides what becomes of it
            )
            self._connection = Connection(ours.detach())
        self._is_ready = self._was_late = False

    def ask(self, call: bytes, limits: Limits) -> Answer:
        """Make a call and wait for what comes of it, be it that the process dies or has to be killed."""
        try:
            if not self._is_ready:
                with self._deadline(START_SECONDS):
                    self._is_ready = self._connection.recv_bytes() == READY
            with self._deadline(limits.wall_seconds):
                self._connection.send_bytes(call)
                answer = self._connection.recv_bytes()
        except (EOFError, OSError):
            return Answer(error=self._cause(limits), goes_on=False)
        known: Answer = pickle.loads(answer)  # noqa: S301 (from the process that was started here)
        return replace(known, goes_on=known.goes_on and not self._was_late)

    def end(self) -> None:
        """Kill the process and tidy up after it."""
        self.process.kill()
        self.process.wait()
        self._connection.close()

    @contextmanager
    def _deadline(self, seconds: float) -> Iterator[None]:
        """Kill the process if this takes longer; that also ends a wait for it."""
        watchdog = threading.Timer(seconds, self._too_late)
        watchdog.daemon = True
        watchdog.start()
        try:
            yield
        finally:
            watchdog.cancel()
            watchdog.join()

    def _too_late(self) -> None:
        self._was_late = True
        self.process.kill()

    def _cause(self, limits: Limits) -> SourceError:
        code = self.process.wait()
        log.warning("a reading process ended", exit_code=code, late=self._was_late)
        if not self._is_ready:
            return SourceError(Reason.INTERNAL, "No process to read documents could be started")
        if self._was_late:
            return SourceError(Reason.TIMEOUT, f"Reading the document took over {limits.wall_seconds:g} s")
        if code == -signal.SIGPROF:
            words = f"Reading the document takes more than {limits.cpu_seconds:g} s of processor time"
            return SourceError(Reason.TIMEOUT, words)
        return SourceError(Reason.INTERNAL, f"The process that read the document ended (code {code})")


def _in_words(error: Exception, limits: Limits) -> Exception:
    if isinstance(error, MemoryError):
        words = f"Reading the document takes more than {limits.memory_bytes / 1e6:.0f} MB of memory"
        return SourceError(Reason.TOO_LARGE, words)
    return error


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    return {**kept, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
