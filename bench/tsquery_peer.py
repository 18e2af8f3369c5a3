"""PostgreSQL as a peer: stored queries of the type `tsquery`, and an article that asks which of them match.

Three ways: a sequential scan with one row for each subscription, the same with one row for each distinct
query with all ids, and a GIN index over the rarest terms of distinct queries, whose rows are then verified.
"""

from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Any, LiteralString

import psycopg

from bench.asking import Asking
from bench.news_articles import Article
from bench.query_population import PREFIX_LENGTHS, Population
from bench.tsquery import RarestTerms, tsquery, tsvector
from core.query import Document, decompiled

_SETTINGS = (
    "SET max_parallel_workers_per_gather = 0",
    "SET jit = off",
    "SET work_mem = '256MB'",
    "SET maintenance_work_mem = '512MB'",
)
_TABLES = """
    CREATE UNLOGGED TABLE of_queries (asked tsquery NOT NULL, anchors text[] NOT NULL, ids bigint[] NOT NULL);
    CREATE UNLOGGED TABLE of_subscriptions (id bigint NOT NULL, asked tsquery NOT NULL)
"""
_MADE = (
    "INSERT INTO of_subscriptions SELECT unnest(ids), asked FROM of_queries",
    "CREATE INDEX rarest ON of_queries USING gin (anchors) WITH (fastupdate = off)",
    "VACUUM (FREEZE, ANALYZE) of_queries",
    "VACUUM (FREEZE, ANALYZE) of_subscriptions",
)


@dataclass(frozen=True)
class Way:
    """How PostgreSQL is asked: for the number of matching subscriptions, and for their ids.

    `node` is what its plan must hold.
    """

    name: str
    plans: tuple[LiteralString, ...]
    node: str
    count: LiteralString
    ids: LiteralString
    has_index: bool = False


_BY_SCAN = ("SET enable_seqscan = on", "SET enable_bitmapscan = off")
_BY_INDEX = ("SET enable_seqscan = off", "SET enable_bitmapscan = on")
_COUNTED: LiteralString = "SELECT coalesce(sum(cardinality(ids)), 0)::bigint FROM of_queries WHERE "
_LISTED: LiteralString = "SELECT ids FROM of_queries WHERE "
_VERIFIED: LiteralString = "asked @@ %(vector)s::tsvector"
_ANCHORED: LiteralString = "anchors && %(terms)s::text[] AND "

WAYS = (
    Way(
        "tsquery_scan",
        _BY_SCAN,
        "Seq Scan",
        "SELECT count(*) FROM of_subscriptions WHERE " + _VERIFIED,
        "SELECT array_agg(id) FROM of_subscriptions WHERE " + _VERIFIED,
    ),
    Way("tsquery_scan_distinct", _BY_SCAN, "Seq Scan", _COUNTED + _VERIFIED, _LISTED + _VERIFIED),
    Way(
        "tsquery_gin",
        _BY_INDEX,
        "Bitmap Index Scan",
        _COUNTED + _ANCHORED + _VERIFIED,
        _LISTED + _ANCHORED + _VERIFIED,
        has_index=True,
    ),
)


class TsqueryPeer:
    """The stored queries of one population in a database of their own."""

    def __init__(self, connection: "psycopg.Connection[Any]", population: Population) -> None:
        self._connection = connection
        self._rarest = RarestTerms(population.frequency, PREFIX_LENGTHS)
        for statement in _SETTINGS:
            connection.execute(statement)
        connection.execute(_TABLES)
        self.build_seconds = self._fill(population)

    def _fill(self, population: Population) -> float:
        started = perf_counter()
        with (
            self._connection.cursor() as cursor,
            cursor.copy("COPY of_queries (asked, anchors, ids) FROM STDIN") as copy,
        ):
            for asked, ids in zip(population.queries, population.ids, strict=True):
                node = decompiled(asked.code)
                copy.write_row((tsquery(node), self._rarest.of_query(node), ids.tolist()))
        for statement in _MADE:
            self._connection.execute(statement)
        return perf_counter() - started

    def ask(self, way: Way, articles: Sequence[Article], runs: int) -> Asking:
        """Have the ids of each article counted, then listed, in so many runs after one to warm up."""
        given = [self._given(article) for article in articles]
        for statement in way.plans:
            self._connection.execute(statement)
        self._require_plan(way, given[0])
        found, _ = self._run(way.ids, given[: max(1, len(given) // 3)])
        counted = [self._run(way.count, given)[1] for _ in range(runs)]
        listed = []
        for _ in range(runs):
            found, seconds = self._run(way.ids, given)
            listed.append(seconds)
        return Asking(counted, listed, [_joined(rows) for rows in found])

    def _given(self, article: Article) -> dict[str, Any]:
        document = Document(*article)
        return {"vector": tsvector(document), "terms": self._rarest.of_article(document)}

    def _run(
        self, statement: LiteralString, given: Sequence[dict[str, Any]]
    ) -> tuple[list[list[Any]], list[float]]:
        rows, seconds = list[list[Any]](), list[float]()
        with self._connection.cursor(binary=True) as cursor:
            for values in given:
                started = perf_counter()
                rows.append(cursor.execute(statement, values, prepare=True).fetchall())
                seconds.append(perf_counter() - started)
        return rows, seconds

    def _require_plan(self, way: Way, given: dict[str, Any]) -> None:
        plan = [row[0] for row in self._connection.execute(f"EXPLAIN {way.count}", given)]
        if not any(way.node in line for line in plan):
            raise SystemExit(f"{way.name} is not what was planned: {plan}")


def _joined(rows: list[Any]) -> "array[int]":
    return array("q", sorted(number for (ids,) in rows for number in ids or ()))


@contextmanager
def tsquery_peer(database: str, population: Population) -> Iterator[TsqueryPeer]:
    """Store a population in an empty database."""
    with psycopg.connect(database, autocommit=True) as connection:
        yield TsqueryPeer(connection, population)
