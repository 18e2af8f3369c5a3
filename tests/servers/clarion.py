"""Clarion as a process of its own, started the way people start it."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import requests

from tests.servers.process import OwnedProcess, Startable, wait_until

_ROOT = Path(__file__).resolve().parents[2]


class ClarionProcess(Startable):
    """`python -m clarion ARGS…`, running inside a `with` block, its output in files.

    It sees no `CLARION_*` variable but those in `env`. Waits raise AssertionError with its output.
    """

    def __init__(
        self,
        args: Sequence[str],
        env: Mapping[str, str] | None = None,
        *,
        cwd: Path | None = None,
        module: str = "clarion",
    ) -> None:
        self._command = [sys.executable, "-m", module, *args]
        self._environment = _environment(env or {})
        self.directory = Path(tempfile.mkdtemp(prefix="clarion-process-"))
        self._cwd = cwd or self.directory
        self._process: OwnedProcess | None = None

    @property
    def pid(self) -> int:
        """The process id."""
        return self._started().pid

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def output(self) -> str:
        """What it has written to standard output."""
        return _read(self._stdout)

    @property
    def errors(self) -> str:
        """What it has written to standard error."""
        return _read(self._stderr)

    def start(self) -> None:
        """Start it, again after it ended; output is added to that of before."""
        if self._process:
            self._process.kill()
        self._process = OwnedProcess(
            self._command,
            env=self._environment,
            stdout=self._stdout,
            stderr=self._stderr,
            cwd=self._cwd,
            leftovers=self.directory,
        )

    def wait_for_line(self, pattern: str, timeout: float = 30) -> re.Match[str]:
        """Return the first match of a regular expression in what it has written, in either stream."""
        expression = re.compile(pattern, re.MULTILINE)

        def match() -> re.Match[str] | None:
            return expression.search(self.output) or expression.search(self.errors)

        wait_until(lambda: bool(match()) or not self.running, timeout)
        found = match()
        assert found, self._report(f"did not write {pattern!r}")
        return found

    def wait_for_url(self, url: str, timeout: float = 30) -> requests.Response:
        """Return the first successful answer to a GET of the URL."""
        answers: list[requests.Response] = []

        def succeeds() -> bool:
            try:
                answer = requests.get(url, timeout=5)
            except requests.RequestException:
                return False
            if answer.ok:
                answers.append(answer)
            return answer.ok

        wait_until(lambda: not self.running or succeeds(), timeout, 0.05)
        assert answers, self._report(f"did not answer at {url}")
        return answers[0]

    def wait_for_port(self, port: int, host: str = "127.0.0.1", timeout: float = 30) -> None:
        """Wait until it accepts connections."""

        def accepts() -> bool:
            try:
                socket.create_connection((host, port), 5).close()
            except OSError:
                return False
            return True

        wait_until(lambda: not self.running or accepts(), timeout, 0.05)
        assert accepts(), self._report(f"did not listen at {host}:{port}")

    def wait(self, expect: int = 0, timeout: float = 30) -> None:
        """Wait until it ended by itself, with this exit code."""
        try:
            code = self._started().wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(self._report(f"did not end within {timeout} s")) from None
        assert code == expect, self._report(f"ended with {code} instead of {expect}")

    def terminate(self, expect: int = 0, timeout: float = 10) -> None:
        """Send SIGTERM, and wait until it ended with this exit code."""
        self._started().send_signal(signal.SIGTERM)
        self.wait(expect, timeout)

    def kill(self) -> None:
        """End it and its children at once, as a crash does."""
        self._started().kill()

    def pause(self) -> None:
        """Freeze it and its children."""
        self._started().signal_group(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after `pause`."""
        self._started().signal_group(signal.SIGCONT)

    def close(self) -> None:
        """End it, if it still runs, and remove its output."""
        if self._process:
            self._process.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    @property
    def _stdout(self) -> Path:
        return self.directory / "stdout"

    @property
    def _stderr(self) -> Path:
        return self.directory / "stderr"

    def _started(self) -> OwnedProcess:
        if self._process is None:
            raise RuntimeError("the process has not been started")
        return self._process

    def _report(self, what: str) -> str:
        command = " ".join(self._command[1:])
        return f"{command} {what}\n--- stdout\n{self.output[-4000:]}\n--- stderr\n{self.errors[-8000:]}"


def _environment(env: Mapping[str, str]) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("CLARION_")}
    path = os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH")]))
    return {**inherited, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", **env}


def _read(file: Path) -> str:
    return file.read_text(errors="replace") if file.exists() else ""
