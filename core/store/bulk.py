"""Many rows in one statement: columns go as arrays to PostgreSQL and as one JSON text to SQLite."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from core.store.types import sqlite_moment


class BulkStatement:
    """A statement over a table `r` of rows that are given with it.

    `sql` holds `{rows}` where that table stands; `columns` names its columns with their PostgreSQL types.
    `{among}` is the condition of being in the first column, and `{json}` the cast that PostgreSQL wants
    from text to JSON.
    """

    def __init__(self, sql: str, columns: Mapping[str, str]) -> None:
        self._names = tuple(columns)
        arrays = [f"CAST(:{name} AS {kind}[])" for name, kind in columns.items()]
        parts = [f"value ->> {place} AS {name}" for place, name in enumerate(columns)]
        self._statements = {
            "postgresql": text(
                sql.format(
                    rows=f"unnest({', '.join(arrays)}) AS r({', '.join(columns)})",
                    among=f"= ANY({arrays[0]})",  # unlike IN, never planned as a scan of the whole table
                    json="::jsonb",
                )
            ),
            "sqlite": text(
                sql.format(
                    rows=f"(SELECT {', '.join(parts)} FROM json_each(:rows)) AS r",  # noqa: S608 (own names)
                    among="IN (SELECT value ->> 0 FROM json_each(:rows))",
                    json="",
                )
            ),
        }

    def run(self, session: Session, rows: Sequence[Sequence[Any]], **scalars: Any) -> Iterable[Any]:
        """Execute it for rows whose values stand in the order of the columns."""
        if session.get_bind().dialect.name == "postgresql":
            columns = zip(*rows, strict=True) if rows else ((),) * len(self._names)
            arrays = {name: list(column) for name, column in zip(self._names, columns, strict=True)}
            return self._execute(session, "postgresql", scalars | arrays)
        given: dict[str, Any] = {"rows": json.dumps(rows, ensure_ascii=False, default=_as_sqlite)}
        plain = {name: _as_sqlite(value) for name, value in scalars.items()}
        return self._execute(session, "sqlite", plain | given)

    def _execute(self, session: Session, dialect: str, values: Mapping[str, Any]) -> Iterable[Any]:
        return session.connection().execute(self._statements[dialect], dict(values))


def _as_sqlite(value: Any) -> Any:
    if isinstance(value, datetime):
        return sqlite_moment(value)
    return value.isoformat() if isinstance(value, date) else value
