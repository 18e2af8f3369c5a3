"""An installation of several processes on RabbitMQ and PostgreSQL."""

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from tests.e2e.rest import Rest
from tests.servers import ClarionProcess, free_port

KEY = "end-to-end-administrator-key"
EVERY_ROLE = ("api", "fetcher", "fetcher", "router", "router", "worker", "worker")
LEASE_SECONDS = 2


def settings(database_url: str, broker_url: str) -> dict[str, str]:
    """Return the environment that all processes share."""
    return {
        "CLARION_DATABASE_URL": database_url,
        "CLARION_BROKER_URL": broker_url,
        "CLARION_SECRET_KEY": "a key for end-to-end tests that is long enough",
        "CLARION_API_KEY": KEY,
        "CLARION_EGRESS_ALLOW": "127.0.0.0/8",
        "CLARION_HOST_SPACING_SECONDS": "0",
        "CLARION_LEASE_SECONDS": str(LEASE_SECONDS),
        "CLARION_RETRY_SCHEDULE": "1,1,1,1,1",
        "CLARION_LOG_FORMAT": "json",
    }


@dataclass(frozen=True)
class Member:
    """One process, its role, and the port that answers probes."""

    role: str
    process: ClarionProcess
    port: int


@dataclass(frozen=True)
class Installation:
    """All processes of one installation."""

    broker_url: str
    members: tuple[Member, ...]

    @property
    def rest(self) -> Rest:
        """The way to its API."""
        return Rest(f"http://127.0.0.1:{self.of('api')[0].port}", KEY)

    @property
    def pids(self) -> list[int | None]:
        """The process ids, None for a process that has ended."""
        return [member.process.pid if member.process.running else None for member in self.members]

    def of(self, role: str) -> list[Member]:
        """Return the processes of one role."""
        return [member for member in self.members if member.role == role]

    def start_missing(self) -> None:
        """Start what does not run, and wait until every process is ready."""
        for member in self.members:
            if not member.process.running:
                member.process.start()
        for member in self.members:
            member.process.wait_for_url(f"http://127.0.0.1:{member.port}/readyz", 60)

    def leading_fetcher(self) -> ClarionProcess:
        """Return the fetcher that was the last to become leader."""
        reigns = [
            (int(str(entry["token"])), member.process)
            for member in self.of("fetcher")
            for entry in logged(member.process)
            if entry["event"] == "leading"
        ]
        return max(reigns, key=lambda reign: reign[0])[1]


def logged(process: ClarionProcess) -> list[dict[str, object]]:
    """Return what a process has logged; the last line may still be on its way."""
    lines = process.errors.splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n") and line.startswith("{")]


@contextmanager
def installed(
    database_url: str, broker_url: str, roles: Sequence[str] = EVERY_ROLE
) -> Iterator[Installation]:
    """Migrate a database and run these roles until the block ends."""
    env = settings(database_url, broker_url)
    with ClarionProcess(["migrate"], env) as migrating, ExitStack() as stack:
        migrating.wait(0, 60)
        ports = _free_ports(len(roles))
        members = tuple(
            stack.enter_context(_stopped(role, port, env)) for role, port in zip(roles, ports, strict=True)
        )
        installation = Installation(broker_url, members)
        installation.start_missing()
        yield installation


def _free_ports(count: int) -> list[int]:
    ports: set[int] = set()
    while len(ports) < count:
        ports.add(free_port())
    return list(ports)


@contextmanager
def _stopped(role: str, port: int, env: dict[str, str]) -> Iterator[Member]:
    arguments = [role, "--port", str(port)] if role == "api" else [role]
    process = ClarionProcess(arguments, {**env, "CLARION_HEALTH_PORT": str(port)})
    try:
        yield Member(role, process, port)
    finally:
        process.close()
