"""Fixtures for a broker and a database: the session's own, and a fresh one for each test."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn, TypeVar

import pytest

from tests.servers.availability import ServerUnavailable, in_ci
from tests.servers.postgres import PrivatePostgres
from tests.servers.rabbit import PrivateRabbit
from tests.servers.shared import SharedServers

T = TypeVar("T")
_SERVERS = pytest.StashKey[SharedServers]()


def pytest_configure(config: pytest.Config) -> None:
    """Prepare the servers, none of which is touched before a test asks."""
    config.stash[_SERVERS] = SharedServers()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave the servers as they were found."""
    config.stash[_SERVERS].close()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Obtain what the selected tests need before the first test's time limit begins to run."""
    if session.config.option.collectonly:
        return
    servers = session.config.stash[_SERVERS]
    for marker, obtain in (("rabbitmq", servers.vhosts), ("postgresql", servers.databases)):
        if any(item.get_closest_marker(marker) for item in session.items):
            try:
                obtain()
            except ServerUnavailable:
                continue  # each test that needs it says so


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a marked test without its server, or fail it in CI."""
    servers = item.config.stash[_SERVERS]
    if item.get_closest_marker("rabbitmq"):
        _available(servers.vhosts)
    if item.get_closest_marker("postgresql"):
        _available(servers.databases)


@pytest.fixture(scope="session")
def broker_url(pytestconfig: pytest.Config) -> str:
    """A virtual host of this pytest process."""
    return _available(lambda: pytestconfig.stash[_SERVERS].vhosts().create())


@pytest.fixture
def fresh_broker_url(pytestconfig: pytest.Config) -> str:
    """A virtual host of this test; what is left in it goes when the session ends."""
    return _available(lambda: pytestconfig.stash[_SERVERS].vhosts().create())


@pytest.fixture(scope="session")
def database_url(pytestconfig: pytest.Config) -> str:
    """A PostgreSQL database of this pytest process, empty at first."""
    return _available(lambda: pytestconfig.stash[_SERVERS].databases().create())


@pytest.fixture
def postgresql_url(pytestconfig: pytest.Config) -> Iterator[str]:
    """An empty PostgreSQL database of this test."""
    databases = _available(pytestconfig.stash[_SERVERS].databases)
    url = databases.create()
    yield url
    databases.drop(url)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A SQLite database of this test, not yet made."""
    return f"sqlite:///{tmp_path / 'clarion.db'}"


@pytest.fixture
def private_rabbit() -> Iterator[PrivateRabbit]:
    """A running RabbitMQ node that the test may stop and kill."""
    with _available(PrivateRabbit) as rabbit:
        yield rabbit


@pytest.fixture
def private_postgres() -> Iterator[PrivatePostgres]:
    """A running PostgreSQL server that the test may stop and kill."""
    with _available(PrivatePostgres) as postgres:
        yield postgres


def _available(obtain: Callable[[], T]) -> T:
    try:
        return obtain()
    except ServerUnavailable as error:
        _give_up(str(error))


def _give_up(reason: str) -> NoReturn:
    if in_ci():
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
