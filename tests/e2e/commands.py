"""The command `clarion`, run to its end as a person runs it."""

import os
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

_SECONDS = 60

Command = tuple[str | Path, ...]


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it wrote."""

    code: int
    output: str
    errors: str

    @property
    def complaint(self) -> str:
        """The one line with which it was refused; raises AssertionError where it ended otherwise."""
        assert self.code == 1, self
        lines = self.errors.splitlines()
        assert len(lines) == 1, self
        assert lines[0].startswith("clarion: "), self
        return lines[0].removeprefix("clarion: ")


def clarion(
    *arguments: str | Path, env: Mapping[str, str] | None = None, stdin: str = "", cwd: Path | None = None
) -> Ended:
    """Run one command; it sees no `CLARION_*` variable but those in `env`."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("CLARION_")}
    done = subprocess.run(
        [sys.executable, "-m", "clarion", *map(str, arguments)],
        env=inherited | dict(env or {}),
        input=stdin,
        cwd=cwd,
        capture_output=True,
        encoding="utf-8",
        timeout=_SECONDS,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def side_by_side(*commands: Command) -> list[Ended]:
    """Run commands that do not depend on each other."""
    with ThreadPoolExecutor(len(commands)) as pool:
        return list(pool.map(lambda arguments: clarion(*arguments), commands))


def succeeds(*arguments: str | Path, stdin: str = "") -> str:
    """Run one command that must end with 0 and complain about nothing; return what it printed."""
    return _output(clarion(*arguments, stdin=stdin))


def succeed(*commands: Command) -> list[str]:
    """Run commands side by side that must all do that."""
    return [_output(done) for done in side_by_side(*commands)]


def _output(done: Ended) -> str:
    assert (done.code, done.errors) == (0, ""), done
    return done.output
