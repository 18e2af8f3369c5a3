"""The broker and the database server that a run shares: found, else started, else installed and started."""

import os
from collections.abc import Callable
from contextlib import ExitStack
from typing import Generic, TypeVar

import psycopg

from tests.servers.availability import ServerUnavailable, install, may_install, one_at_a_time, place
from tests.servers.databases import Databases
from tests.servers.postgres import PrivatePostgres, server_programs
from tests.servers.rabbit import PrivateRabbit, broker_answers, server_scripts
from tests.servers.vhosts import CommandLine, ManagementApi, NoWayIn, Vhosts

BROKER_VARIABLE = "CLARION_TEST_BROKER_URL"
CONTROL_VARIABLE = "CLARION_TEST_RABBITMQCTL"
DATABASE_VARIABLE = "CLARION_TEST_DATABASE_URL"
_BROKER_URL = "amqp://guest:guest@127.0.0.1:5672/%2F"
_DATABASE_URL = "postgresql://postgres@127.0.0.1:5432/postgres"

T = TypeVar("T")


class Once(Generic[T]):
    """A value made when first asked for; where it cannot be made, that is not tried again."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._values: list[T] = []
        self._failure: ServerUnavailable | None = None

    def __call__(self) -> T:
        if self._failure:
            raise self._failure
        if not self._values:
            try:
                self._values.append(self._make())
            except ServerUnavailable as failure:
                self._failure = failure
                raise
        return self._values[0]


class SharedServers:
    """Both servers; asking for one raises ServerUnavailable where it can neither be reached nor started.

    `environment` is what leads other processes to those that were started here.
    """

    def __init__(self) -> None:
        self._stack = ExitStack()
        self.environment: dict[str, str] = {}
        self.vhosts = Once(self._open_broker)
        self.databases = Once(self._open_database)

    def close(self) -> None:
        """Remove what was made on them, and end those that were started."""
        self._stack.close()

    def _open_broker(self) -> Vhosts:
        url = os.environ.get(BROKER_VARIABLE, _BROKER_URL)
        vhosts = _vhosts_at(url)
        if vhosts is None and _installed_now("rabbitmq-server", server_scripts):
            vhosts = _vhosts_at(url)
        if vhosts is None:
            vhosts = self._start_broker(url)
        self._stack.callback(vhosts.close)
        return vhosts

    def _start_broker(self, url: str) -> Vhosts:
        try:
            private = self._stack.enter_context(PrivateRabbit())
        except ServerUnavailable as error:
            raise ServerUnavailable(f"{error}; at {place(url)} ({BROKER_VARIABLE}) none to use") from error
        self.environment |= {BROKER_VARIABLE: private.url, CONTROL_VARIABLE: str(private.control)}
        return Vhosts(private.url, CommandLine([str(private.control)]))

    def _open_database(self) -> Databases:
        url = os.environ.get(DATABASE_VARIABLE, _DATABASE_URL)
        databases = _databases_at(url)
        if databases is None and _installed_now("postgresql", server_programs):
            databases = _databases_at(url)
        if databases is None:
            databases = self._start_database(url)
        self._stack.callback(databases.close)
        return databases

    def _start_database(self, url: str) -> Databases:
        try:
            private = self._stack.enter_context(PrivatePostgres())
        except ServerUnavailable as error:
            raise ServerUnavailable(f"{error}; at {place(url)} ({DATABASE_VARIABLE}) none to use") from error
        self.environment |= {DATABASE_VARIABLE: private.url}
        return Databases(private.url)


def _vhosts_at(url: str) -> Vhosts | None:
    """Return virtual hosts on the broker at this URL, or None where there is none that lets us make any."""
    if not broker_answers(url):
        return None
    for administration in (CommandLine(), ManagementApi(url)):
        try:
            return Vhosts(url, administration)
        except NoWayIn:
            continue
    return None


def _databases_at(url: str) -> Databases | None:
    """Return databases on the server at this URL, or None where there is none that lets us make any."""
    try:
        databases = Databases(url)
        databases.drop(databases.create())
    except psycopg.Error:
        return None
    return databases


def _installed_now(package: str, programs: Callable[[], object]) -> bool:
    """Install what is missing; return whether that was done: its scripts may have started the server."""
    if programs() or not may_install():
        return False
    with one_at_a_time(package):
        if not programs():
            install(package)
    return bool(programs())
