"""The server of feeds as a process of its own, and what a benchmark asks of it."""

import json
import subprocess
import sys
from http.client import HTTPConnection
from typing import Any

from bench.feed_documents import address
from tests.servers.process import Startable


class FeedServerProcess(Startable):
    """`python -m bench.feed_server`, running inside a `with` block, with so many hosts."""

    def __init__(self, hosts: int) -> None:
        self.hosts = hosts
        self._process: subprocess.Popen[str] | None = None
        self._port = 0

    def start(self) -> None:
        """Start it, and wait until it listens."""
        command = [sys.executable, "-m", "bench.feed_server", str(self.hosts)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise SystemExit("the server of feeds did not start")
        self._port = int(line)

    def close(self) -> None:
        """End it."""
        if self._process:
            self._process.terminate()
            self._process.communicate()

    @property
    def pid(self) -> int:
        """Its process id."""
        if self._process is None:
            raise RuntimeError("the server of feeds has not been started")
        return self._process.pid

    def urls(self, folder: str, count: int) -> list[str]:
        """Return addresses of feeds, hosts in turn; those of another folder are other sources."""
        places = ((address(number % self.hosts), number) for number in range(count))
        return [f"http://{host}:{self._port}/{folder}/{number}" for host, number in places]

    def change(self) -> None:
        """Give all feeds other ETags."""
        self._get("/changed")

    def counts(self) -> dict[str, int]:
        """Return how many `documents` and 304s (`not_modified`) it has sent."""
        counts: dict[str, int] = self._get("/counts")
        return counts

    def _get(self, path: str) -> Any:
        connection = HTTPConnection(address(0), self._port, timeout=60)
        connection.request("GET", path)
        with connection.getresponse() as answer:
            found = json.loads(answer.read())
        connection.close()
        return found
