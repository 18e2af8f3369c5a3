"""Empty databases on a shared PostgreSQL."""

from contextlib import suppress
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from tests.servers.names import abandoned, owned_name


class Databases:
    """Hands out empty databases of one server, and removes them all when closed.

    `url` is that of a database whose user may create others; every method may raise `psycopg.Error`.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._made: list[str] = []
        with suppress(psycopg.Error):  # another worker may be at it too
            self._drop([name for name in self._names() if abandoned(name)])

    def create(self) -> str:
        """Make a database and return its URL."""
        name = owned_name()
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'").format(sql.Identifier(name))
            )
        self._made.append(name)
        return urlsplit(self._url)._replace(path=f"/{name}").geturl()

    def drop(self, url: str) -> None:
        """Remove a database that was made here, ending whatever is still connected to it."""
        name = urlsplit(url).path.lstrip("/")
        self._made.remove(name)
        self._drop([name])

    def close(self) -> None:
        """Remove all that are left."""
        self._drop(self._made)
        self._made = []

    def _names(self) -> list[str]:
        with psycopg.connect(self._url, autocommit=True) as connection:
            return [name for (name,) in connection.execute("SELECT datname FROM pg_database")]

    def _drop(self, names: list[str]) -> None:
        if not names:
            return
        with psycopg.connect(self._url, autocommit=True) as connection:
            for name in names:
                connection.execute(
                    sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
                )
