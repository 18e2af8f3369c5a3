"""A PostgreSQL server of one's own, which may be stopped, killed and started again."""

import os
import pwd
import shutil
import signal
import tempfile
from contextlib import suppress
from pathlib import Path

import psycopg

from tests.servers.availability import ServerUnavailable
from tests.servers.ports import free_port
from tests.servers.process import OwnedProcess, Startable, last_words, wait_until

_START_SECONDS = 60
_INITDB_OPTIONS = ("--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8")
# Neither matters to a process that is killed: what was written to a file stays when the machine goes on.
_WITHOUT_POWER_LOSS = {"fsync": "off", "full_page_writes": "off"}


def server_programs() -> Path | None:
    """Return the folder of `postgres` and `initdb` of the newest version, or None where there is none."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: float(folder.parent.name))
    found = shutil.which("postgres")
    folders = [*reversed(versions), *([Path(found).parent] if found else [])]
    return next((f for f in folders if (f / "initdb").exists() and (f / "postgres").exists()), None)


def database_answers(url: str) -> bool:
    """Whether a server lets us into the database of this URL."""
    try:
        psycopg.connect(url, connect_timeout=10).close()
    except psycopg.Error:
        return False
    return True


class PrivatePostgres(Startable):
    """A server with its own data, running inside a `with` block; its user `postgres` needs no password.

    Raises ServerUnavailable where PostgreSQL is not installed or does not come up.
    """

    def __init__(self, *, settings: dict[str, str] | None = None) -> None:
        programs = server_programs()
        if programs is None:
            raise ServerUnavailable("PostgreSQL: postgres and initdb are not installed")
        self.port = free_port()
        self.directory = Path(tempfile.mkdtemp(prefix="clarion-postgres-"))
        self._programs = programs
        self._account = _unprivileged()
        self._settings = _WITHOUT_POWER_LOSS | (settings or {})
        self._server: OwnedProcess | None = None
        self._initialise()

    @property
    def url(self) -> str:
        """The `postgresql:` URL of the database `postgres`."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    @property
    def pid(self) -> int:
        """The process id of the running server; raises RuntimeError where it is down."""
        if self._server is None:
            raise RuntimeError("the server is not running")
        return self._server.pid

    def start(self) -> None:
        """Start it, with the data of before, and wait until it takes connections."""
        settings = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", **self._settings}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        self._server = server = OwnedProcess(
            [str(self._programs / "postgres"), "-D", str(self._data), "-p", str(self.port), *options],
            env=_plain_environment(),
            stdout=self._log,
            cwd=self.directory,
            account=self._account,
            leftovers=self.directory,
        )
        wait_until(lambda: server.poll() is not None or database_answers(self.url), _START_SECONDS)
        if server.poll() is not None or not database_answers(self.url):
            self.kill()
            raise ServerUnavailable(f"PostgreSQL: a private server did not start: {last_words(self._log)}")

    def stop(self) -> None:
        """Shut it down in good order, ending connections and keeping its data."""
        if self._server:
            # "Fast" shutdown; SIGTERM would wait for clients (PostgreSQL manual, "Shutting Down the Server").
            self._server.end(signal.SIGINT)
            self._server = None

    def kill(self) -> None:
        """End it as a crash does, keeping its data."""
        if self._server:
            backends = _children(self._server.pid)
            self._server.kill()
            self._server = None
            _kill_all(backends)

    def pause(self) -> None:
        """Freeze it: its connections stay open, and nothing answers."""
        self._signal_all(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after `pause`."""
        self._signal_all(signal.SIGCONT)

    def close(self) -> None:
        """End it and remove all that it wrote."""
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    @property
    def _data(self) -> Path:
        return self.directory / "data"

    @property
    def _log(self) -> Path:
        return self.directory / "output"

    def _initialise(self) -> None:
        if self._account:
            os.chown(self.directory, self._account.pw_uid, self._account.pw_gid)
        make = OwnedProcess(
            [str(self._programs / "initdb"), *_INITDB_OPTIONS, f"--pgdata={self._data}"],
            env=_plain_environment(),
            stdout=self._log,
            cwd=self.directory,
            account=self._account,
            leftovers=self.directory,
        )
        if make.wait(_START_SECONDS) != 0:
            words = last_words(self._log)
            self.close()
            raise ServerUnavailable(f"PostgreSQL: no private server could be made: {words}")

    def _signal_all(self, number: signal.Signals) -> None:
        if self._server:
            for pid in [self._server.pid, *_children(self._server.pid)]:
                with suppress(ProcessLookupError):
                    os.kill(pid, number)


def _unprivileged() -> pwd.struct_passwd | None:
    """Return the account to run as: postgres refuses to run as root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            return pwd.getpwnam(name)
    raise ServerUnavailable("PostgreSQL: refuses to run as root, and there is no user postgres or nobody")


def _plain_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("PG", "CLARION_"))}


def _children(pid: int) -> list[int]:
    """Return the processes that it started: each backend leads a group of its own."""
    return [int(folder.name) for folder in Path("/proc").glob("[0-9]*") if _status(folder)[1] == str(pid)]


def _status(folder: Path) -> tuple[str, str]:
    """Return state and parent of a process; an ended one is a zombie (proc(5), `/proc/pid/stat`)."""
    try:
        state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
    except OSError:
        return "Z", ""
    return state, parent


def _kill_all(pids: list[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    # A server does not start while a backend of its predecessor still holds the shared memory.
    wait_until(lambda: all(_status(Path("/proc", str(pid)))[0] == "Z" for pid in pids), 10)
