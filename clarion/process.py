"""One process from start to SIGTERM: waiting for its servers, heartbeats, and an orderly end."""

import gc
import signal
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import structlog

from clarion.roles import Role
from core.clock import Clock
from core.errors import ClarionError, Unavailable
from core.store import instances
from core.store.engine import Store
from core.store.instances import InstanceInfo

log = structlog.get_logger()

WAIT_FOR_SERVERS_SECONDS = 30.0
LOOK_AGAIN_SECONDS = 0.5
STOP_SECONDS = 9.0
NOTICE_SIGNALS_SECONDS = 0.5


def wait_for_servers(
    checks: Mapping[str, Callable[[], None]],
    stop: threading.Event,
    patience: float = WAIT_FOR_SERVERS_SECONDS,
) -> None:
    """Wait until every check passes.

    Raises ClarionError naming the server that did not answer in time, SystemExit(0) once `stop` is set.
    """
    deadline = time.monotonic() + patience
    for name, check in checks.items():
        while True:
            try:
                check()
                break
            except Unavailable as error:
                if time.monotonic() >= deadline:
                    raise ClarionError(f"gave up on the {name} after {patience:.0f} s: {error}") from error
            if stop.wait(LOOK_AGAIN_SECONDS):
                raise SystemExit(0)


class Heartbeat:
    """Notes every few seconds that this process lives."""

    def __init__(self, store: Store, info: InstanceInfo, clock: Clock) -> None:
        self._store, self._info, self._clock = store, info, clock
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Beat once, then from a thread of its own."""
        self.beat()
        self._thread.start()

    def beat(self) -> None:
        """Beat once; a database that is away is not worth ending for."""
        try:
            with self._store.write() as session:
                instances.beat(session, self._info, self._clock.now())
        except Unavailable as error:
            log.warning("heartbeat missed", problem=str(error))
        except Exception:
            # A process that falls silent loses its claims, so whatever this was, the next beat must come.
            log.exception("heartbeat missed")

    def _run(self) -> None:
        while not self._stop.wait(instances.BEAT_SECONDS):
            self.beat()

    def stop(self) -> None:
        """Stop, and sign off."""
        self._stop.set()
        try:
            with self._store.write() as session:
                instances.leave(session, self._info.id)
        except Unavailable:
            log.warning("left without signing off")


def stop_on_signals() -> threading.Event:
    """Return an event that SIGTERM and SIGINT set; a second SIGINT ends the process at once."""
    stop = threading.Event()

    def on_signal(number: int, _frame: object) -> None:
        if stop.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        stop.set()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    return stop


def wait_for_signal(stop: threading.Event) -> None:
    """Wait, in the main thread, until a signal has set the event."""
    # Without a timeout, one that comes just before the thread falls asleep would not wake it.
    while not stop.wait(NOTICE_SIGNALS_SECONDS):
        pass


def collect_garbage_seldom() -> None:
    """Leave what was loaded at start out of every collection, and collect the rest less often.

    Rows, requests and results are freed by their reference counts; looking for cycles among tens of thousands
    of them stops all threads for as long as sending hundreds takes.
    """
    leave_out_of_collections()
    gc.set_threshold(100_000, 20, 100)


def leave_out_of_collections() -> None:
    """Never again look for cycles among what was loaded: it stays, and looking through it stops all threads.

    A collection over a large index in plain Python takes most of a second. Only who owns the process may
    decide this, for it concerns everything in it; what is no longer referred to is freed all the same.
    """
    gc.collect()
    gc.freeze()


def start_all(roles: Iterable[Role]) -> None:
    """Start roles in order."""
    for role in roles:
        role.start()
        log.info("started", role=role.name)


def stop_all(roles: Sequence[Role]) -> None:
    """Stop all roles side by side, within 9 seconds."""
    pool = ThreadPoolExecutor(len(roles), thread_name_prefix="stop")
    deadline = time.monotonic() + STOP_SECONDS
    stopping = {role.name: pool.submit(role.stop) for role in roles}
    for name, future in stopping.items():
        try:
            future.result(max(0.0, deadline - time.monotonic()))
        except TimeoutError:
            log.warning("did not stop in time", role=name)
        except Exception:
            log.exception("failed to stop", role=name)
    pool.shutdown(wait=False)
