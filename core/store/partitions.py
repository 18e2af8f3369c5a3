"""Daily partitions of the ledger on PostgreSQL; nothing to do on SQLite."""

from datetime import date, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from core.store.engine import Store

PARTITIONED = ("deliveries", "attempts")
DAYS_AHEAD = 3
# A delivery's row is written three times: made, claimed, finished. Where its page has room for the next
# version, no index needs a new entry (heap-only tuples), which is most of what an update costs.
FILL_FACTORS = {"deliveries": 45, "attempts": 100}
PARTITION_LOCK = 0x636C6170617274


def partition_name(table: str, day: date) -> str:
    """Return the name of the partition of a table for a day, such as `deliveries_20260131`."""
    return f"{table}_{day:%Y%m%d}"


def ensure_partition(store: Store, day: date) -> None:
    """Make the partitions for a day where they are missing; cheap when they are there."""
    if store.dialect != "postgresql":
        return
    with store.read() as session:
        if _exists(session, day):
            return
    with store.write() as session:
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": PARTITION_LOCK})
        if not _exists(session, day):
            for table in PARTITIONED:
                _create(session, table, day)


def ensure_partitions_ahead(store: Store, today: date | None = None) -> None:
    """Make the partitions for today and the days that follow, so that routing never waits for one."""
    if store.dialect != "postgresql":
        return
    first = today or _database_day(store)
    for offset in range(DAYS_AHEAD + 1):
        ensure_partition(store, first + timedelta(days=offset))


def _database_day(store: Store) -> date:
    with store.read() as session:
        day: date = session.execute(text("SELECT (now() AT TIME ZONE 'UTC')::date")).scalar_one()
        return day


def _exists(session: Session, day: date) -> bool:
    # `attempts` is made last, in the same transaction. Not asked with `to_regclass`, which may answer from
    # what this connection saw before it waited for another process to make the partition.
    seen = "SELECT EXISTS (SELECT FROM pg_class WHERE relname = :name AND pg_table_is_visible(oid))"
    return bool(session.execute(text(seen), {"name": partition_name(PARTITIONED[-1], day)}).scalar_one())


def _create(session: Session, table: str, day: date) -> None:
    name, after = partition_name(table, day), day + timedelta(days=1)
    # Made apart and attached: ATTACH lets readers and writers of the other days go on.
    session.execute(
        text(
            f"CREATE TABLE {name} (LIKE {table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS) "
            f"WITH (fillfactor = {FILL_FACTORS[table]})"
        )
    )
    bounds = f"FROM ('{day.isoformat()}') TO ('{after.isoformat()}')"
    session.execute(text(f"ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES {bounds}"))
