"""The inside of a reading process: its limits, and one call after the other until it is told to end."""

import importlib
import pickle
import resource
import signal
import sys
import traceback
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection

from core.errors import ClarionError

# Imported before the first document, so that none pays for it.
_PRELOADED = ("fetcher.sources.feed",)
READY = b"ready"


class ReadingFailed(Exception):
    """A document was read with an error that nobody foresaw; its text is the traceback."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What reading one document may take: processor seconds, seconds by the clock, bytes of address space.

    A process that keeps more than `recycle_bytes` resident afterwards makes room for a fresh one.
    """

    cpu_seconds: float = 5.0
    wall_seconds: float = 20.0
    memory_bytes: int = 1_000_000_000
    recycle_bytes: int = 200_000_000


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a call: a value or an error, and whether the process takes further calls."""

    value: object = None
    error: Exception | None = None
    goes_on: bool = True


def serve(connection: Connection, limits: Limits) -> None:
    """Answer calls, pickled as function and arguments, until the connection ends or memory is kept."""
    for module in _PRELOADED:
        importlib.import_module(module)
    _confine(limits)
    connection.send_bytes(READY)
    with suppress(EOFError, OSError):
        while _answer_one(connection, limits):
            pass


def _answer_one(connection: Connection, limits: Limits) -> bool:
    call = connection.recv_bytes()
    # The signal of this timer ends the process, whatever code it is in; unlike RLIMIT_CPU it starts anew.
    signal.setitimer(signal.ITIMER_PROF, limits.cpu_seconds)
    value, error = _called(call)
    goes_on = not isinstance(error, MemoryError) and _resident_bytes() <= limits.recycle_bytes
    connection.send_bytes(pickle.dumps(Answer(value, error, goes_on), pickle.HIGHEST_PROTOCOL))
    signal.setitimer(signal.ITIMER_PROF, 0)
    return goes_on


def _called(call: bytes) -> tuple[object, Exception | None]:
    try:
        function, arguments = pickle.loads(call)  # noqa: S301 (from the process that started this one)
        return function(*arguments), None
    except ClarionError as error:
        return None, error
    except MemoryError:
        return None, MemoryError()
    except Exception:
        return None, ReadingFailed(traceback.format_exc()[-4_000:])


def _confine(limits: Limits) -> None:
    # Not every system has each limit.
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (limits.memory_bytes, limits.memory_bytes))
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _resident_bytes() -> int:
    """Return the memory that this process holds at present, 0 where the system does not say."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * resource.getpagesize()
    except OSError:
        return 0


def main() -> None:
    """Serve on the file descriptor that is the first argument, under the limits that are the second."""
    serve(Connection(int(sys.argv[1])), pickle.loads(bytes.fromhex(sys.argv[2])))  # noqa: S301 (as above)
