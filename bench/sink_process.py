"""The sink as a process of its own, and what a benchmark asks of it."""

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any

from tests.servers.process import Startable

POLL_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class Arrival:
    """One POST: `at` in monotonic seconds, the article's id empty where the body named none."""

    at: float
    path: str
    message_id: str
    article: str


class SinkProcess(Startable):
    """`python -m bench.sink`, running inside a `with` block; asked over one connection, by one thread."""

    def __init__(self, *, records: bool = False) -> None:
        self._command = [sys.executable, "-m", "bench.sink", *(["--record"] if records else [])]
        self._process: subprocess.Popen[str] | None = None
        self._port = 0

    def start(self) -> None:
        """Start it, and wait until it listens."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True)
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise SystemExit("the sink did not start")
        self._port = int(line)
        self._connection = HTTPConnection("127.0.0.1", self._port, timeout=60)

    def close(self) -> None:
        """End it."""
        if self._process:
            self._process.terminate()
            self._process.communicate()

    @property
    def pid(self) -> int:
        """Its process id."""
        if self._process is None:
            raise RuntimeError("the sink has not been started")
        return self._process.pid

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._port}"

    def counts(self) -> dict[str, int]:
        """Return how many POSTs it has answered, and how many distinct ids they had."""
        counts: dict[str, int] = self._get("/count")
        return counts

    def wait_for(self, count: int, patience_seconds: float) -> None:
        """Wait until it has answered that many POSTs in all; raises TimeoutError."""
        deadline = time.monotonic() + patience_seconds
        while (now := self.counts()["count"]) < count:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{now} of {count} arrived")
            time.sleep(POLL_SECONDS)

    def arrivals(self) -> list[Arrival]:
        """Return every POST since the start or the last reset, in the order in which they came."""
        return [Arrival(*row) for row in self._get("/arrivals")]

    def reset(self) -> None:
        """Forget what arrived."""
        self._get("/reset")

    def release(self) -> int:
        """Have what hangs answered with 500; return how many that were."""
        released: int = self._get("/release")["released"]
        return released

    def _get(self, path: str) -> Any:
        self._connection.request("GET", path)
        return json.loads(self._connection.getresponse().read())
