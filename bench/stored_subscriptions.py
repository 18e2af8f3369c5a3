"""A population in Clarion's own store, as its API would have left it there."""

import json
from collections.abc import Iterator, Sequence

from sqlalchemy import text

from bench.installation import SECRET_KEY
from bench.query_population import Asked, Population
from core.clock import SystemClock
from core.ids import new_ids
from core.signing import SecretBox
from core.store import accounts, channels, queries
from core.store.bulk import BulkStatement
from core.store.engine import Store

ACCOUNT = "bench"
AT_ONCE = 20_000

_SUBSCRIPTIONS = BulkStatement(
    """
    WITH made AS (
        INSERT INTO subscriptions (
            id, account_id, channel_id, query, topic, canonical, sources, languages, updates,
            created_at, updated_at)
        SELECT r.id, :account, :channel, r.query, false, r.query, r.sources{json}, r.languages{json}, false,
            :now, :now
        FROM {rows}
        RETURNING number)
    INSERT INTO subscription_changes (number) SELECT number FROM made
    """,
    {"id": "text", "query": "text", "sources": "text", "languages": "text"},
)


def store_population(store: Store, population: Population) -> tuple[str, str]:
    """Subscribe one inbox to all of it; return the ids of the account and the channel. PostgreSQL only."""
    now, box = SystemClock().now(), SecretBox.from_setting(SECRET_KEY)
    with store.write() as session:
        account = accounts.ensure_account(session, ACCOUNT, now)
        channel = channels.inbox_of(session, box, account, now).id
    for part in _parts(population):
        with store.write() as session:
            _SUBSCRIPTIONS.run(session, _rows(part), account=account, channel=channel, now=now)
    _compile(store)
    with store.write() as session:
        session.execute(text("ANALYZE"))
    return account, channel


def _compile(store: Store) -> None:
    """Keep what subscriptions ask in compiled form, as the leader does."""
    with store.read() as reading:
        for asked in queries.lacking(reading, None):
            with store.write() as session:
                queries.keep(session, queries.compile_all(asked))


def _rows(part: Sequence[Asked]) -> list[tuple[str, str, str | None, str | None]]:
    return [
        (id_, asked.query, _listed(asked.sources), _listed(asked.languages))
        for id_, asked in zip(new_ids("sub", len(part)), part, strict=True)
    ]


def _listed(names: list[str] | None) -> str | None:
    return json.dumps(names) if names else None


def _parts(population: Population) -> Iterator[list[Asked]]:
    """Yield what the subscriptions ask, in the order of their ids."""
    numbers = population.by_subscription()
    for start in range(0, len(numbers), AT_ONCE):
        yield [population.queries[number] for number in numbers[start : start + AT_ONCE]]
