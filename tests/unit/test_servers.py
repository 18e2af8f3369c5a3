"""The servers that tests run against: shared, private, and cleared away."""

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from tests.servers import PrivatePostgres, ServerUnavailable, free_port
from tests.servers.databases import Databases
from tests.servers.names import abandoned, owned_name
from tests.servers.postgres import database_answers
from tests.servers.shared import Once


def test_a_name_is_abandoned_only_once_its_process_has_ended() -> None:
    mine = owned_name()
    child = subprocess.run(
        [sys.executable, "-c", "from tests.servers.names import owned_name; print(owned_name())"],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert not abandoned(mine)
    assert abandoned(child.stdout.strip())
    assert not abandoned("clarion_test_somebody")


def test_a_server_that_cannot_be_obtained_is_looked_for_once() -> None:
    tries = []

    def fail() -> None:
        tries.append(1)
        raise ServerUnavailable("none")

    once = Once(fail)
    for _ in range(3):
        with pytest.raises(ServerUnavailable):
            once()
    assert len(tries) == 1


@pytest.mark.postgresql
def test_each_test_has_an_empty_database_of_its_own(database_url: str, postgresql_url: str) -> None:
    assert database_url != postgresql_url
    with psycopg.connect(postgresql_url) as connection:
        connection.execute("CREATE TABLE here (id int)")
        encoding = connection.execute("SHOW server_encoding").fetchone()
    with psycopg.connect(database_url) as connection:
        there = connection.execute("SELECT to_regclass('here')").fetchone()
    assert (encoding, there) == (("UTF8",), (None,))


@pytest.mark.postgresql
def test_databases_go_even_where_somebody_is_connected(database_url: str) -> None:
    databases = Databases(database_url)
    url = databases.create()
    with psycopg.connect(url):
        databases.close()
    assert not database_answers(url)


@pytest.mark.postgresql
def test_a_private_server_keeps_its_data_over_stop_and_crash(private_postgres: PrivatePostgres) -> None:
    with psycopg.connect(private_postgres.url) as connection:
        connection.execute("CREATE TABLE news (id int)")
        connection.execute("INSERT INTO news VALUES (7)")
    private_postgres.kill()
    assert not database_answers(private_postgres.url)
    private_postgres.start()
    private_postgres.stop()
    private_postgres.start()
    with psycopg.connect(private_postgres.url) as connection:
        assert connection.execute("SELECT id FROM news").fetchall() == [(7,)]


@pytest.mark.postgresql
def test_nothing_remains_of_a_private_server(private_postgres: PrivatePostgres) -> None:
    pid, directory = private_postgres.pid, private_postgres.directory
    private_postgres.close()
    assert not Path("/proc", str(pid)).exists()
    assert not directory.exists()


@pytest.mark.parametrize(("ci", "outcome"), [("true", "error"), ("", "skipped")])
def test_without_servers_tests_are_skipped_but_fail_in_ci(tmp_path: Path, ci: str, outcome: str) -> None:
    (tmp_path / "test_it.py").write_text(
        "import pytest\n@pytest.mark.rabbitmq\n@pytest.mark.postgresql\ndef test_it(): pass\n"
    )
    closed = f"127.0.0.1:{free_port()}"
    environment = os.environ | {
        "CI": ci,
        "CLARION_TEST_BROKER_URL": f"amqp://{closed}",
        "CLARION_TEST_DATABASE_URL": f"postgresql://{closed}/postgres",
        "CLARION_TEST_INSTALL": "0",
        "TMPDIR": str(tmp_path),
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]),
    }
    hide = "import tests.servers.shared as s, tests.servers.rabbit as r, tests.servers.postgres as p\n"
    hide += "s.server_scripts = r.server_scripts = s.server_programs = p.server_programs = lambda: None\n"
    (tmp_path / "conftest.py").write_text(hide)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rfs", "-p", "tests.servers.fixtures", str(tmp_path)],
        env=environment,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert f"1 {outcome}" in done.stdout, done.stdout + done.stderr
    assert f"rabbitmq-server is not installed; at {closed}" in done.stdout
