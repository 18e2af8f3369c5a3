"""Compiled queries: kept under the digest of what is asked, so that loading subscriptions parses nothing.

The table is a cache. Who loads subscriptions compiles what it lacks, the leader adds that a little later.
Nobody who makes or changes a subscription writes to it, so a hot topic has no row for which its subscribers
wait.
"""

import json
import sys
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import structlog
from sqlalchemy import delete, text
from sqlalchemy.orm import Session

from core.query import Asked, QueryError, is_current
from core.query.compiled import FORMAT
from core.store.bulk import BulkStatement, of_dialect
from core.store.models import CompiledQuery

AT_ONCE = 5_000

log = structlog.get_logger()


class Subscribers(NamedTuple):
    """A compiled query, and the numbers of subscriptions to it."""

    code: bytes
    numbers: "array[int]"


_PARTS = {
    # See Asked.digest.
    "digest": {
        "postgresql": "sha256(convert_to(s.canonical || chr(10) || COALESCE(CAST(s.sources AS text), 'null') "
        "|| chr(10) || COALESCE(CAST(s.languages AS text), 'null'), 'UTF8'))",
        "sqlite": "query_digest(s.canonical, s.sources, s.languages)",
    },
    # Packed by the database: a million numbers are no million Python objects.
    "numbers": {
        "postgresql": "string_agg(int8send(s.number), CAST('' AS bytea))",
        "sqlite": "group_concat(s.number)",
    },
    "head": {"postgresql": f"CAST('\\x{FORMAT:02x}' AS bytea)", "sqlite": f"x'{FORMAT:02x}'"},
}
_GROUPED = """
    SELECT q.compiled, g.numbers
    FROM (SELECT {digest} AS digest, {numbers} AS numbers FROM subscriptions AS s {which} GROUP BY 1) AS g
    LEFT JOIN queries AS q ON q.digest = g.digest
    """
_LACKING = """
    SELECT g.number
    FROM (SELECT {digest} AS digest, min(s.number) AS number FROM subscriptions AS s {which} GROUP BY 1) AS g
    LEFT JOIN queries AS q ON q.digest = g.digest
    WHERE q.digest IS NULL OR substr(q.compiled, 1, 1) <> {head}
    """
_UNUSED = "SELECT digest FROM queries EXCEPT SELECT {digest} FROM subscriptions AS s"


def _among(sql: str) -> BulkStatement:
    return BulkStatement(sql.replace("{which}", "WHERE s.number {among}"), {"number": "bigint"}, parts=_PARTS)


_GROUPED_AMONG, _LACKING_AMONG = _among(_GROUPED), _among(_LACKING)


def all_subscribers(session: Session) -> Iterator[Subscribers]:
    """Yield every query with all its subscriptions, streamed."""
    for rows in _streamed(session, _GROUPED):
        yield from _with_code(session, rows)


def subscribers(session: Session, numbers: Sequence[int]) -> Iterator[Subscribers]:
    """Yield what those of the given subscriptions ask that exist."""
    for chunk in _chunks(numbers):
        rows = _GROUPED_AMONG.run(session, [(number,) for number in chunk])
        yield from _with_code(session, rows)


def _with_code(session: Session, rows: Iterable[Sequence[Any]]) -> Iterator[Subscribers]:
    unpack = _unpacked_bytes if session.get_bind().dialect.name == "postgresql" else _unpacked_text
    lacking: list[array[int]] = []
    for code, packed in rows:
        if code is not None and is_current(code):
            yield Subscribers(code, unpack(packed))
        else:
            lacking.append(unpack(packed))
    asked = _asked(session, [numbers[0] for numbers in lacking])
    for numbers in lacking:
        compiled = _compiled(asked[numbers[0]])
        if compiled is not None:
            yield Subscribers(compiled, numbers)


def _unpacked_bytes(packed: bytes) -> "array[int]":
    numbers = array("q", packed)
    if sys.byteorder == "little":
        numbers.byteswap()
    return numbers


def _unpacked_text(packed: str | int) -> "array[int]":
    return array("q", map(int, str(packed).split(",")))


def lacking(session: Session, numbers: Sequence[int] | None) -> Iterator[list[Asked]]:
    """Yield, in parts, what these subscriptions ask, or all, and is not kept in the present format."""
    if numbers is None:
        for rows in _streamed(session, _LACKING):
            yield list(_asked(session, [number for (number,) in rows]).values())
        return
    for chunk in _chunks(numbers):
        found = _LACKING_AMONG.run(session, [(number,) for number in chunk])
        yield list(_asked(session, [number for (number,) in found]).values())


def compile_all(asked: Iterable[Asked]) -> dict[bytes, bytes]:
    """Return the compiled form of everything that is understood, under its digest."""
    codes = ((each.digest, _compiled(each)) for each in asked)
    return {digest: code for digest, code in codes if code is not None}


def _compiled(asked: Asked) -> bytes | None:
    try:
        return asked.compiled()
    except QueryError as error:
        # Checked when it was stored, so only a change of the language can bring us here.
        log.error("a stored query is not understood", query=asked.canonical, problem=str(error))
        return None


_KEEP = BulkStatement(
    """
    INSERT INTO queries (digest, compiled)
    SELECT decode(r.digest, 'hex'), decode(r.compiled, 'hex') FROM {rows}
    WHERE NOT EXISTS (
        SELECT 1 FROM queries AS q
        WHERE q.digest = decode(r.digest, 'hex') AND substr(q.compiled, 1, 1) = {head})
    ON CONFLICT (digest) DO UPDATE SET compiled = excluded.compiled
    """,
    {"digest": "text", "compiled": "text"},
    parts=_PARTS,
)


def keep(session: Session, codes: Mapping[bytes, bytes]) -> None:
    """Keep compiled forms under their digests, unless they are there.

    Call it once in a transaction and last: rows are then locked in one order, and not for long.
    """
    if codes:
        _KEEP.run(session, [(digest.hex(), codes[digest].hex()) for digest in sorted(codes)])


def unused(session: Session) -> Iterator[list[bytes]]:
    """Yield, in parts, the digests of what no subscription asks any more."""
    for rows in _streamed(session, _UNUSED):
        yield [bytes(digest) for (digest,) in rows]


def forget(session: Session, digests: Sequence[bytes]) -> None:
    """Drop compiled forms; one that is asked again meanwhile is compiled again."""
    session.execute(delete(CompiledQuery).where(CompiledQuery.digest.in_(digests)))


def _streamed(session: Session, sql: str) -> Iterator[Sequence[Any]]:
    """Run a statement over all subscriptions, which may take longer than other statements may."""
    dialect = session.get_bind().dialect.name
    statement = sql.format(which="", **of_dialect(_PARTS, dialect))
    if dialect == "postgresql":
        session.execute(text("SET LOCAL statement_timeout = 0"))
    yield from session.execute(text(statement).execution_options(yield_per=AT_ONCE)).partitions(AT_ONCE)
    if dialect == "postgresql":
        session.execute(text("SET LOCAL statement_timeout TO DEFAULT"))


_ASKED = BulkStatement(
    "SELECT number, canonical, CAST(sources AS text), CAST(languages AS text) "
    "FROM subscriptions WHERE number {among}",
    {"number": "bigint"},
)


def _asked(session: Session, numbers: Sequence[int]) -> dict[int, Asked]:
    rows = _ASKED.run(session, [(number,) for number in numbers]) if numbers else ()
    return {number: Asked(canonical, *map(_names, filters)) for number, canonical, *filters in rows}


def _names(stored: str | None) -> list[str] | None:
    names: list[str] | None = json.loads(stored) if stored else None
    return names


def _chunks(numbers: Sequence[int]) -> Iterator[Sequence[int]]:
    return (numbers[start : start + AT_ONCE] for start in range(0, len(numbers), AT_ONCE))
