"""Many rows in one statement: columns go as arrays to PostgreSQL and as one JSON text to SQLite."""

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from core.store.types import sqlite_moment


class BulkStatement:
    """A statement over a table `r` of rows that are given with it.

    `sql` holds `{rows}` where that table stands; `columns` names its columns with their PostgreSQL types.
    `{among}` is the condition of being in the first column, and `{json}` the cast that PostgreSQL wants
    from text to JSON. `parts` gives more such places, each with its text per dialect.
    """

    def __init__(
        self, sql: str, columns: Mapping[str, str], parts: Mapping[str, Mapping[str, str]] | None = None
    ) -> None:
        self._names = tuple(columns)
        arrays = [f"CAST(:{name} AS {kind}[])" for name, kind in columns.items()]
        values = [f"value ->> {place} AS {name}" for place, name in enumerate(columns)]
        self._statements = {
            "postgresql": text(
                sql.format(
                    rows=f"unnest({', '.join(arrays)}) AS r({', '.join(columns)})",
                    among=f"= ANY({arrays[0]})",  # unlike IN, never planned as a scan of the whole table
                    json="::jsonb",
                    **of_dialect(parts or {}, "postgresql"),
                )
            ),
            "sqlite": text(
                sql.format(
                    rows=f"(SELECT {', '.join(values)} FROM json_each(:rows)) AS r",  # noqa: S608 (own names)
                    among="IN (SELECT value ->> 0 FROM json_each(:rows))",
                    json="",
                    **of_dialect(parts or {}, "sqlite"),
                )
            ),
        }

    def run(self, session: Session, rows: Sequence[Sequence[Any]], **scalars: Any) -> Sequence[Any]:
        """Execute it for rows whose values stand in the order of the columns."""
        if session.get_bind().dialect.name == "postgresql":
            columns = zip(*rows, strict=True) if rows else ((),) * len(self._names)
            arrays = {name: array_literal(column) for name, column in zip(self._names, columns, strict=True)}
            return self._execute(session, "postgresql", scalars | arrays)
        given: dict[str, Any] = {"rows": json.dumps(rows, ensure_ascii=False, default=_as_sqlite)}
        plain = {name: _as_sqlite(value) for name, value in scalars.items()}
        return self._execute(session, "sqlite", plain | given)

    def _execute(self, session: Session, dialect: str, values: Mapping[str, Any]) -> Sequence[Any]:
        result = session.connection().execute(self._statements[dialect], dict(values))
        return result.all() if result.returns_rows else ()


def of_dialect(parts: Mapping[str, Mapping[str, str]], dialect: str) -> dict[str, str]:
    """Return the texts of one dialect."""
    return {name: texts[dialect] for name, texts in parts.items()}


def array_literal(values: Sequence[Any]) -> str:
    """Return values as the text of a PostgreSQL array (documentation, section 8.15.6).

    The driver would adapt every element by itself, which costs more than the database's work on its row.
    """
    return "{" + (_all_null(values) or _plain_text(values) or ",".join(map(_element, values))) + "}"


def _all_null(values: Sequence[Any]) -> str:
    count = len(values)
    return ",".join(["NULL"] * count) if count and values.count(None) == count else ""


def _plain_text(values: Sequence[Any]) -> str:
    """Return texts of which none needs escaping, nearly always ids; empty for anything else."""
    if not all(type(value) is str for value in values):
        return ""
    joined = '","'.join(values)
    escaped = "\\" in joined or joined.count('"') != 2 * (len(values) - 1)
    return "" if escaped or not values else f'"{joined}"'


def _element(value: Any) -> str:
    if value is None:
        return "NULL"
    if type(value) is int:
        return str(value)
    written = value if isinstance(value, str) else _moment(value)
    if "\\" in written or '"' in written:
        written = written.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{written}"'


@lru_cache(maxsize=1_024)
def _moment(value: date) -> str:
    # Rows that are written together mostly share their moments.
    return value.isoformat()


def _as_sqlite(value: Any) -> Any:
    if isinstance(value, datetime):
        return sqlite_moment(value)
    return value.isoformat() if isinstance(value, date) else value
