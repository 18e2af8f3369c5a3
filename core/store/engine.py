"""The one way to a database: transactions that behave alike on SQLite and PostgreSQL."""

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, create_engine, event, make_url, text
from sqlalchemy.engine import URL, Connection
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session

from core.errors import ConfigurationError, Unavailable
from core.query import Asked

POOL_SIZE = 5
POOL_TIMEOUT_SECONDS = 10
CONNECT_TIMEOUT_SECONDS = 5
STATEMENT_TIMEOUT_MS = 60_000
BUSY_TIMEOUT_SECONDS = 10
READ_ONLY_TRANSACTION = "25006"  # what a PostgreSQL server says that was just demoted
PASSING_SQLITE_ERRORS = ("locked", "busy", "disk i/o", "full", "unable to open")

# The driver says so as it begins the transaction; a statement of its own would be a round trip more.
_ONE_MOMENT = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}


class Store:
    """A database and its transactions; shared by all threads of a process."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.dialect = engine.dialect.name
        self._write_lock = threading.Lock() if self.dialect == "sqlite" else None
        self._writing = threading.local()

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Open a session whose reads see one moment; nothing that it changes is kept.

        Raises Unavailable while the database cannot be reached.
        """
        with _unavailable_as_such(self.dialect), Session(self.engine, expire_on_commit=False) as session:
            if self.dialect == "postgresql":
                session.connection(execution_options=_ONE_MOMENT)
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Open a transaction that commits at the end, or is rolled back by an exception.

        Raises Unavailable while the database cannot be reached; RuntimeError when nested in one thread.
        """
        if getattr(self._writing, "now", False):
            raise RuntimeError("a write transaction is open in this thread already")
        with _unavailable_as_such(self.dialect), self._one_writer():
            self._writing.now = True
            try:
                with Session(self.engine, expire_on_commit=False) as session, session.begin():
                    session.connection(execution_options={"clarion_write": True})
                    yield session
            finally:
                self._writing.now = False

    @contextmanager
    def _one_writer(self) -> Iterator[None]:
        if self._write_lock is None:
            yield
            return
        with self._write_lock:
            yield

    def ping(self) -> None:
        """Ask the database for an answer; raises Unavailable when there is none."""
        with _unavailable_as_such(self.dialect), self.engine.connect() as connection:
            connection.execute(text("SELECT 1"))

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def open_store(database_url: str) -> Store:
    """Make the store for a `sqlite:` or `postgresql:` URL: the one place where the database is chosen.

    Raises ConfigurationError for any other URL.
    """
    try:
        url = make_url(database_url)
    except ArgumentError as error:
        raise ConfigurationError("CLARION_DATABASE_URL: not a database URL") from error
    match url.get_backend_name():
        case "sqlite":
            return Store(_sqlite_engine(url))
        case "postgresql":
            return Store(_postgresql_engine(url))
    raise ConfigurationError("CLARION_DATABASE_URL: must start with sqlite: or postgresql:")


def _postgresql_engine(url: URL) -> Engine:
    # Look-ups by key are right for every statement here; the default cost is that of spinning disks.
    options = (
        f"-c timezone=UTC -c statement_timeout={STATEMENT_TIMEOUT_MS} -c random_page_cost=1.1 -c jit=off"
    )
    return create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_size=POOL_SIZE,
        max_overflow=0,
        pool_timeout=POOL_TIMEOUT_SECONDS,
        pool_pre_ping=True,
        pool_recycle=1_800,
        connect_args={
            "connect_timeout": CONNECT_TIMEOUT_SECONDS,
            "application_name": "clarion",
            "options": options,
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 20_000,
        },
    )


def _sqlite_engine(url: URL) -> Engine:
    if url.database in (None, "", ":memory:"):
        raise ConfigurationError("CLARION_DATABASE_URL: SQLite needs a file, as in sqlite:///clarion.db")
    engine = create_engine(
        url.set(drivername="sqlite+pysqlite"),
        pool_size=POOL_SIZE,
        max_overflow=0,
        pool_timeout=POOL_TIMEOUT_SECONDS,
        connect_args={"timeout": BUSY_TIMEOUT_SECONDS, "check_same_thread": False},
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None  # the driver must not begin transactions by itself
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "temp_store=MEMORY"):
        connection.execute(f"PRAGMA {pragma}").close()
    # What PostgreSQL can do by itself.
    connection.create_function("query_digest", 3, _digest_of_stored, deterministic=True)
    connection.create_function("decode", 2, lambda text, _hex: bytes.fromhex(text), deterministic=True)


def _digest_of_stored(canonical: str, sources: str | None, languages: str | None) -> bytes:
    # Rows written before may have escapes in their JSON, which are not part of what is asked.
    return Asked(canonical, *(json.loads(names) if names else None for names in (sources, languages))).digest


def _begin_sqlite(connection: Connection) -> None:
    # A deferred transaction that turns into a writer fails at once, whatever the timeout.
    writes = connection.get_execution_options().get("clarion_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def _unavailable_as_such(dialect: str) -> Iterator[None]:
    try:
        yield
    except PoolTimeoutError as error:
        raise Unavailable("every database connection of this process is in use") from error
    except DBAPIError as error:
        if _is_passing(error, dialect):
            raise Unavailable(f"the database does not answer: {_first_line(error)}") from error
        raise


def _is_passing(error: DBAPIError, dialect: str) -> bool:
    if dialect == "sqlite":
        words = str(error.orig).lower()
        return isinstance(error, OperationalError) and any(hint in words for hint in PASSING_SQLITE_ERRORS)
    if error.connection_invalidated or isinstance(error, OperationalError | InterfaceError):
        return True
    return getattr(error.orig, "sqlstate", None) == READ_ONLY_TRANSACTION


def _first_line(error: DBAPIError) -> str:
    return str(error.orig).strip().splitlines()[0] if str(error.orig).strip() else type(error.orig).__name__
