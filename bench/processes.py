"""What processes cost, as Linux accounts for it in /proc: processor time and resident memory."""

import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

Costs = dict[str, dict[int, float]]
"""CPU seconds so far, by the name of a group and by process."""

_TICK = 1 / os.sysconf("SC_CLK_TCK")
_POSTGRES_BACKGROUND = ("checkpointer", "walwriter", "background writer")


def postgres_processes(database: str) -> list[int]:
    """Return the server's processes that work for a database, and those that work for all of them."""
    return [
        pid
        for pid, title in _titles()
        if title.startswith("postgres:") and (database in title or title.endswith(_POSTGRES_BACKGROUND))
    ]


def broker_processes() -> list[int]:
    """Return the processes of every RabbitMQ of this machine, which their virtual hosts share."""
    # Its command-line tools run in a `beam.smp` too, but do not boot it.
    return [pid for pid, title in _titles() if "beam.smp" in title and " -s rabbit boot" in title]


def _titles() -> Iterable[tuple[int, str]]:
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            title = (folder / "cmdline").read_bytes().replace(b"\0", b" ")
            yield int(folder.name), title.decode(errors="replace").strip()


def cpu_seconds(groups: Mapping[str, Callable[[], Iterable[int]]]) -> Costs:
    """Return what each process of each group has used so far."""
    return {
        name: {pid: used for pid in find() if (used := _used(pid)) is not None}
        for name, find in groups.items()
    }


def spent(before: Costs, after: Costs) -> dict[str, float]:
    """Return the CPU seconds that each group used in between; a process that has ended counts for nothing."""
    return {
        name: sum(used - before[name].get(pid, 0.0) for pid, used in processes.items())
        for name, processes in after.items()
    }


def resident_megabytes(pid: int) -> float:
    """Return the resident set of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1_024
    raise ProcessLookupError(pid)


def _used(pid: int) -> float | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The second field is a name in parentheses, which may hold anything (proc(5)).
    fields = text.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * _TICK


def with_descendants(pid: int) -> list[int]:
    """Return a process and those that it started, and they in turn; itself first."""
    found = [pid]
    for one in found:  # grows as it goes
        with suppress(OSError):
            for task in Path(f"/proc/{one}/task").iterdir():
                found.extend(map(int, (task / "children").read_text().split()))
    return found
