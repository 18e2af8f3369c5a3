"""Settings that cannot work, and servers that do not answer: said in one line that names what to change."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.installation import settings
from tests.servers import ClarionProcess, free_port

# What takes half a minute to give up begins before all else.
pytestmark = pytest.mark.usefixtures("waiting")

PATIENCE_SECONDS = 30
CLOSED = free_port()
NOWHERE = "postgresql://postgres@127.0.0.1:9/clarion"
BROKER = "amqp://guest:guest@127.0.0.1:9/"
SECRET = "a secret key of more than 32 characters"
ROLE = {"CLARION_DATABASE_URL": NOWHERE, "CLARION_BROKER_URL": BROKER, "CLARION_SECRET_KEY": SECRET}

REFUSED: dict[str, tuple[list[str], dict[str, str], str]] = {
    "a database of another make": (
        ["up"],
        {"CLARION_DATABASE_URL": "mysql://root@127.0.0.1/clarion"},
        r"CLARION_DATABASE_URL: must start with postgresql: or sqlite:",
    ),
    "no secret key": (
        ["api"],
        {"CLARION_DATABASE_URL": NOWHERE, "CLARION_BROKER_URL": BROKER},
        r"CLARION_SECRET_KEY: required with PostgreSQL",
    ),
    "a short secret key": (["worker"], {**ROLE, "CLARION_SECRET_KEY": "short"}, r"CLARION_SECRET_KEY: .*32"),
    "the in-process broker": (
        ["router"],
        {**ROLE, "CLARION_BROKER_URL": "memory:"},
        r"CLARION_BROKER_URL: separate roles need amqp:",
    ),
    "SQLite for a role": (
        ["fetcher"],
        {**ROLE, "CLARION_DATABASE_URL": "sqlite:///clarion.db"},
        r"CLARION_DATABASE_URL: separate roles need postgresql:",
    ),
    "no database for a role": (["worker"], {}, r"CLARION_DATABASE_URL: separate roles need postgresql:"),
    "a file that is not there": (
        ["up"],
        {"CLARION_API_KEY_FILE": "/nowhere/key"},
        r"CLARION_API_KEY_FILE: cannot read /nowhere/key",
    ),
    "a value and a file": (
        ["up"],
        {"CLARION_API_KEY": "a", "CLARION_API_KEY_FILE": "/nowhere/key"},
        r"CLARION_API_KEY and CLARION_API_KEY_FILE are both set",
    ),
    "mail without a sender": (
        ["up"],
        {"CLARION_SMTP_URL": "smtp://127.0.0.1"},
        r"CLARION_MAIL_FROM: required",
    ),
    "a lease without end": (["up"], {"CLARION_LEASE_SECONDS": "forever"}, r"CLARION_LEASE_SECONDS: "),
}


@pytest.fixture(scope="module")
def waiting() -> Iterator[dict[str, ClarionProcess]]:
    """Two processes, each of which waits for a server at whose port nothing listens."""
    database = {**ROLE, "CLARION_DATABASE_URL": f"postgresql://postgres@127.0.0.1:{CLOSED}/clarion"}
    broker = {"CLARION_BROKER_URL": f"amqp://guest:guest@127.0.0.1:{CLOSED}/"}
    with ClarionProcess(["router"], database) as router, ClarionProcess(["up", "--port", "0"], broker) as up:
        yield {"database": router, "broker": up}


@pytest.fixture(scope="module")
def refused() -> Iterator[dict[str, ClarionProcess]]:
    """All of them, started side by side."""
    with ExitStack() as stack:
        yield {
            what: stack.enter_context(ClarionProcess(arguments, env))
            for what, (arguments, env, _words) in REFUSED.items()
        }


@pytest.mark.parametrize("what", REFUSED)
def test_a_setting_that_cannot_work_is_named(refused: dict[str, ClarionProcess], what: str) -> None:
    process, words = refused[what], REFUSED[what][2]
    process.wait(expect=1, timeout=60)
    assert process.output == ""
    assert process.errors.count("\n") == 1, process.errors
    process.wait_for_line(f"^clarion: {words}")


def test_every_wrong_setting_is_named_at_once(tmp_path: Path) -> None:
    env = {"CLARION_PUBLIC_URL": "news.example.com", "CLARION_LOG_LEVEL": "loud", "CLARION_BACKFILL": "-1"}
    with ClarionProcess(["up", "--data", str(tmp_path)], env) as up:
        up.wait(expect=1)
        named = [line.split()[1] for line in up.errors.splitlines()]
    assert sorted(named) == ["CLARION_BACKFILL:", "CLARION_LOG_LEVEL:", "CLARION_PUBLIC_URL:"]


def test_waiting_for_a_server_ends_when_it_is_told_to() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://postgres@127.0.0.1:{silent.getsockname()[1]}/clarion"
        with ClarionProcess(["router"], settings(url, BROKER)) as router:
            silent.settimeout(30)
            silent.accept()[0].close()
            router.terminate()
            assert router.errors == ""


@pytest.mark.parametrize("server", ["database", "broker"])
def test_a_server_that_never_answers_is_named_and_ends_the_start(
    waiting: dict[str, ClarionProcess], server: str
) -> None:
    process = waiting[server]
    process.wait(expect=1, timeout=2 * PATIENCE_SECONDS)
    assert process.output == ""
    process.wait_for_line(rf"^clarion: gave up on the {server} after {PATIENCE_SECONDS} s: .*{CLOSED}")
    assert process.errors.count("\n") == 1, process.errors
