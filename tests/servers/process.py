"""Child processes of a test run: each leads a group of its own, and none outlives the run."""

import os
import pwd
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

# Waits for the end of its standard input, which comes when the run is gone, however that ended.
_GUARD = 'while read -r _; do :; done; kill -s KILL -- "-$1"; sleep 1; [ -z "$2" ] || rm -rf -- "$2"'


class OwnedProcess:
    """A running program, with its output in a file.

    `leftovers` is a folder that is removed should the whole run be killed.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        env: Mapping[str, str],
        stdout: Path,
        stderr: Path | None = None,
        cwd: Path | None = None,
        account: pwd.struct_passwd | None = None,
        leftovers: Path | None = None,
    ) -> None:
        with stdout.open("ab") as out, (stderr or stdout).open("ab") as err:
            self._process = subprocess.Popen(
                command,
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                cwd=cwd,
                start_new_session=True,
                user=account.pw_uid if account else None,
                group=account.pw_gid if account else None,
                extra_groups=[account.pw_gid] if account else None,
            )
        self._guard = subprocess.Popen(
            ["/bin/sh", "-c", _GUARD, "guard", str(self.pid), str(leftovers or "")],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """Its process id, which is that of its group too."""
        return self._process.pid

    def poll(self) -> int | None:
        """Return its exit code, negative for a signal, or None while it runs."""
        return self._process.poll()

    def wait(self, timeout: float) -> int:
        """Return its exit code once it ended; raises `subprocess.TimeoutExpired`."""
        code = self._process.wait(timeout)
        self._release_guard()
        return code

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to the process alone."""
        self._process.send_signal(number)

    def signal_group(self, number: signal.Signals) -> None:
        """Send a signal to it and to the children in its group."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def end(self, number: signal.Signals = signal.SIGTERM, timeout: float = 30) -> None:
        """Ask it to end, and make it end where it does not in time."""
        if self.poll() is None:
            self.send_signal(number)
        with suppress(subprocess.TimeoutExpired):
            self.wait(timeout)
        self.kill()

    def kill(self) -> None:
        """End it and all of its group at once, without a chance to clear up."""
        self.signal_group(signal.SIGKILL)
        self._process.wait()
        self._release_guard()

    def _release_guard(self) -> None:
        self._guard.kill()
        if self._guard.stdin:
            self._guard.stdin.close()
        self._guard.wait()


class Startable(ABC):
    """What runs inside a `with` block, and is cleared away whatever happens in it."""

    @abstractmethod
    def start(self) -> None:
        """Start it, also again."""

    @abstractmethod
    def close(self) -> None:
        """End it and remove all that it wrote."""

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def last_words(log: Path) -> str:
    """Return the end of a program's output on one line, to say why it ended."""
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    return " / ".join(line.strip() for line in lines if line.strip())[-600:]


def wait_until(condition: Callable[[], bool], timeout: float, interval: float = 0.02) -> bool:
    """Poll a condition until it holds; return False where it does not within `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(interval)
    return True
