"""The schema: what migrations make is what the models say, on both databases."""

import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text

from core.errors import ConfigurationError
from core.store.engine import Store, open_store
from core.store.models import Base
from core.store.partitions import (
    DAYS_AHEAD,
    PARTITIONED,
    ensure_partition,
    ensure_partitions_ahead,
    partition_name,
)
from core.store.schema import _config, current_revision, migrate, newest_revision, require_migrated


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def url(request: pytest.FixtureRequest) -> str:
    """An empty database."""
    found: str = request.getfixturevalue(f"{request.param}_url")
    return found


@pytest.fixture
def empty(url: str) -> Iterator[Store]:
    """A store without tables."""
    with opened(url) as (store,):
        yield store


@contextmanager
def opened(url: str, count: int = 1) -> Iterator[list[Store]]:
    """Open the same database as several processes do."""
    stores = [open_store(url) for _ in range(count)]
    try:
        yield stores
    finally:
        for store in stores:
            store.close()


def tables(store: Store) -> set[str]:
    with store.engine.connect() as connection:
        return set(inspect(connection).get_table_names())


def differences(store: Store) -> list[Any]:
    def ours(_object: Any, name: str | None, kind: str, _reflected: bool, _compared: Any) -> bool:
        return kind != "table" or not str(name).startswith(tuple(f"{table}_2" for table in PARTITIONED))

    options = {"include_object": ours, "compare_type": True, "compare_server_default": False}
    with store.engine.connect() as connection, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Did not recognize type 'xid8'")
        context = MigrationContext.configure(connection, opts=options)
        return [one for one in compare_metadata(context, Base.metadata) if not _is_xid(one)]


def _is_xid(difference: Any) -> bool:
    # xid8 is a type that SQLAlchemy can write but not read.
    changes = difference if isinstance(difference, list) else [difference]
    return all(change[0] == "modify_type" and change[3] == "transaction_id" for change in changes)


def test_migrations_make_what_the_models_say(empty: Store) -> None:
    migrate(empty)
    assert differences(empty) == []


def test_migrating_again_changes_nothing(empty: Store) -> None:
    assert migrate(empty)
    made = tables(empty)
    assert not migrate(empty)
    assert tables(empty) == made
    assert current_revision(empty) == newest_revision()
    require_migrated(empty)


def test_those_that_migrate_at_once_wait_for_each_other(url: str) -> None:
    processes = 1 if url.startswith("sqlite") else 4
    with opened(url, processes) as stores, ThreadPoolExecutor(4) as pool:
        changed = list(pool.map(migrate, stores * (4 // processes)))
        assert sorted(changed) == [False, False, False, True]
        assert differences(stores[0]) == []


def test_a_migration_that_fails_leaves_nothing_behind(empty: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def migrate_and_fail(*arguments: Any) -> None:
        upgrade(*arguments)
        raise RuntimeError("cut short")

    upgrade = command.upgrade
    monkeypatch.setattr(command, "upgrade", migrate_and_fail)
    with pytest.raises(RuntimeError, match="cut short"):
        migrate(empty)
    assert tables(empty) == set()

    monkeypatch.undo()
    assert migrate(empty)


def test_migrations_can_be_taken_back(empty: Store) -> None:
    migrate(empty)
    with empty.write() as session:
        config = _config()
        config.attributes["connection"] = session.connection()
        command.downgrade(config, "base")
    assert tables(empty) == {"alembic_version"}
    assert migrate(empty)
    assert differences(empty) == []


def test_an_empty_database_is_refused_with_what_to_do(empty: Store) -> None:
    assert current_revision(empty) is None
    with pytest.raises(ConfigurationError, match="run `clarion migrate` first"):
        require_migrated(empty)


def test_a_database_of_a_newer_program_is_refused(empty: Store) -> None:
    migrate(empty)
    with empty.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ConfigurationError, match="9999, newer than this program"):
        require_migrated(empty)


def test_a_database_of_a_newer_program_is_not_migrated(empty: Store) -> None:
    migrate(empty)
    with empty.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ConfigurationError, match="9999, newer than this program"):
        migrate(empty)


def test_partitions_of_a_day_are_made_once(empty: Store) -> None:
    migrate(empty)
    day = date(2031, 1, 31)
    ensure_partition(empty, day)
    ensure_partition(empty, day)
    expected = {f"{table}_20310131" for table in PARTITIONED} if empty.dialect == "postgresql" else set()
    assert {name for name in tables(empty) if name.endswith("_20310131")} == expected


@pytest.mark.postgresql
def test_processes_that_make_the_same_partition_wait_for_each_other(postgresql_url: str) -> None:
    with opened(postgresql_url, 4) as stores, ThreadPoolExecutor(4) as pool:
        migrate(stores[0])
        for day in (date(2031, 2, 1), date(2031, 2, 2), date(2031, 2, 3)):
            list(pool.map(ensure_partition, stores, [day] * 4))
            assert {partition_name(table, day) for table in PARTITIONED} <= tables(stores[0])


@pytest.mark.postgresql
def test_partitions_stand_ready_for_the_days_to_come(postgresql_url: str) -> None:
    days = {f"deliveries_{day}" for day in ("20311230", "20311231", "20320101", "20320102")}
    assert len(days) == DAYS_AHEAD + 1
    with opened(postgresql_url) as (store,):
        migrate(store)
        ensure_partitions_ahead(store, date(2031, 12, 30))
        assert days <= tables(store)
