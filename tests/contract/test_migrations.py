"""The schema: what migrations make is what the models say, on both databases."""

import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Date, Integer, Text, bindparam, column, insert, inspect, select, table, text, update
from sqlalchemy.orm import Session

from core.errors import ConfigurationError, Reason
from core.query import Asked
from core.store import batches, claims, due_sources, ledger, queries, source_states
from core.store.batches import Due
from core.store.engine import Store, open_store
from core.store.models import Attempt, Base, Delivery, Source
from core.store.partitions import (
    DAYS_AHEAD,
    PARTITIONED,
    ensure_partition,
    ensure_partitions_ahead,
    partition_name,
)
from core.store.schema import _config, current_revision, migrate, newest_revision, require_migrated
from core.store.types import Json, UtcDateTime


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


# --- from one version to the next, with data

DAY = date(2031, 3, 1)
NOW = datetime(2031, 3, 1, 12, 0, tzinfo=UTC)
LATER, IN_A_MINUTE = NOW + timedelta(minutes=10), NOW + timedelta(seconds=60)


def move_to(store: Store, revision: str) -> None:
    """Bring a database to the schema of an older program, or up to it."""
    with store.write() as session:
        config = _config()
        config.attributes["connection"] = session.connection()
        older = (current_of(session) or "") > revision
        (command.downgrade if older else command.upgrade)(config, revision)


def current_of(session: Session) -> str | None:
    return MigrationContext.configure(session.connection()).get_current_revision()


def old_deliveries() -> Any:
    """Return the table of deliveries as it was at first."""
    texts = ("id", "account_id", "channel_id", "queue", "article_id", "event", "state", "reason", "claim_id")
    times = ("due_at", "enqueue_after", "claim_deadline", "created_at", "finished_at")
    return table(
        "deliveries",
        column("article_day", Date()),
        column("matched", Json),
        *(column(name, Integer()) for name in ("version", "matched_total", "attempts")),
        *(column(name, Text()) for name in (*texts, "claimed_by")),
        *(column(name, UtcDateTime()) for name in times),
    )


def old_row(state: str, **values: Any) -> dict[str, Any]:
    """Return a delivery as the first version wrote it."""
    common = {
        "id": f"dlv_{state}",
        "article_day": DAY,
        "account_id": "acc_1",
        "channel_id": f"ch_{state}",
        "queue": "webhook",
        "article_id": "art_1",
        "version": 1,
        "event": "article.published",
        "matched": [["sub_1", "q"]],
        "matched_total": 1,
        "state": state,
        "reason": None,
        "attempts": 0,
        "due_at": None,
        "enqueue_after": IN_A_MINUTE,
        "claim_id": None,
        "claimed_by": None,
        "claim_deadline": None,
        "created_at": NOW,
        "finished_at": None,
    }
    return common | values


OLD = [
    old_row("pending", due_at=NOW),
    old_row("pending", id="dlv_retry", channel_id="ch_retry", attempts=2, reason="timeout", due_at=LATER)
    | {"enqueue_after": LATER},
    old_row("sending", attempts=1, due_at=NOW, claim_id="clm_1", claimed_by="i1", claim_deadline=IN_A_MINUTE),
    old_row("held", attempts=1, reason="dns", due_at=NOW),
    old_row("delivered", attempts=1, finished_at=NOW),
    old_row("failed", attempts=9, reason="status_5xx", finished_at=NOW),
    old_row("cancelled", reason="superseded", finished_at=NOW),
]


def with_old_rows(store: Store) -> None:
    move_to(store, "0001")
    ensure_partition(store, DAY)
    with store.write() as session:
        session.execute(insert(old_deliveries()), OLD)
        session.execute(
            text(
                "INSERT INTO attempts (delivery_id, article_day, number, started_at, duration_ms, status) "
                "SELECT id, article_day, attempts, created_at, 5, 200 FROM deliveries WHERE attempts > 0"
            )
        )


def test_deliveries_of_the_first_version_go_on_where_they_were(empty: Store) -> None:
    with_old_rows(empty)
    assert migrate(empty)
    assert differences(empty) == []
    with empty.read() as session:
        rows = {row.id: row for row in session.query(Delivery)}
        attempts = {(row.delivery_id, row.number, row.next_try_at) for row in session.query(Attempt)}
    # State, reason, attempts, place in the schedule, when due, when the sweep puts it into a batch.
    assert {
        id_: (row.state, row.reason, row.attempts, row.step, row.due_at, row.enqueue_after)
        for id_, row in rows.items()
        if row.finished_at is None
    } == {
        "dlv_pending": ("pending", None, 0, 0, NOW, IN_A_MINUTE),
        "dlv_retry": ("pending", "timeout", 2, 2, LATER, LATER),
        "dlv_sending": ("pending", None, 1, 1, NOW, NOW),
        "dlv_held": ("held", "dns", 1, 1, NOW, None),
    }
    assert {
        id_: (row.state, row.reason, row.attempts, row.enqueue_after, row.matched)
        for id_, row in rows.items()
        if row.finished_at == NOW
    } == {
        "dlv_delivered": ("delivered", None, 1, None, [["sub_1", "q"]]),
        "dlv_failed": ("failed", "status_5xx", 9, None, [["sub_1", "q"]]),
        "dlv_cancelled": ("cancelled", "superseded", 0, None, [["sub_1", "q"]]),
    }
    assert {(row.claim_id, row.sequence, row.slot_at) for row in rows.values()} == {(None, None, None)}
    assert attempts == {(row["id"], row["attempts"], None) for row in OLD if row["attempts"]}


def test_the_sweep_and_workers_take_what_the_first_version_left(empty: Store) -> None:
    with_old_rows(empty)
    migrate(empty)
    with empty.write() as session:
        found = batches.put(session, ledger.take_due(session, LATER), LATER)
        taken = [claims.claim(session, batch.id, f"c_{batch.id}", "i1", LATER) for batch in found]
    ids = {row.id for one in taken if one for row in one[1]}
    assert ids == {"dlv_pending", "dlv_retry", "dlv_sending"}


def test_what_is_under_way_is_due_again_for_the_first_version_when_one_goes_back(empty: Store) -> None:
    with_old_rows(empty)
    migrate(empty)
    with empty.write() as session:
        (batch,) = batches.put(session, [Due("dlv_pending", "acc_1", "webhook", DAY)], NOW)
        claims.claim(session, batch.id, "c1", "i1", NOW)
        parked = {"due_at": None, "enqueue_after": None, "sequence": 7}
        session.execute(update(Delivery).where(Delivery.id == "dlv_retry").values(parked))

    move_to(empty, "0001")

    rows = old_deliveries()
    wanted = (rows.c.id, rows.c.state, rows.c.due_at, rows.c.enqueue_after, rows.c.claim_id)
    with empty.read() as session:
        found = {row.id: tuple(row)[1:] for row in session.execute(select(*wanted))}
    assert found == {
        "dlv_pending": ("pending", NOW, NOW, None),
        "dlv_retry": ("pending", NOW, NOW, None),
        "dlv_sending": ("pending", NOW, NOW, None),
        "dlv_held": ("held", NOW, None, None),
        "dlv_delivered": ("delivered", None, None, None),
        "dlv_failed": ("failed", None, None, None),
        "dlv_cancelled": ("cancelled", None, None, None),
    }
    assert "batches" not in tables(empty)
    assert migrate(empty)
    assert differences(empty) == []


SOURCE_COLUMNS = "id, kind, url, name, failures, next_poll_at, created_at, updated_at"


def an_older_source(session: Session, id_: str) -> None:
    """Insert a source as a program before 0007 does."""
    values = {"id": id_, "url": f"https://example.com/{id_}", "now": NOW}
    statement = text(
        f"INSERT INTO sources ({SOURCE_COLUMNS}) VALUES (:id, 'feed', :url, 'A', 0, :now, :now, :now)"
    )
    session.execute(statement.bindparams(bindparam("now", type_=UtcDateTime())), values)


def test_sources_of_an_older_program_are_polled_and_it_may_go_on_beside_a_newer(empty: Store) -> None:
    move_to(empty, "0002")
    with empty.write() as session:
        an_older_source(session, "src_before")
    migrate(empty)
    with empty.write() as session:
        an_older_source(session, "src_beside")
    with empty.read() as session:
        assert due_sources.due(session, {"feed"}, LATER, 10) == ["src_before", "src_beside"]
        found = {(s.state, s.absorbed, s.merged_into, s.used_interval_seconds) for s in session.query(Source)}
    assert found == {("active", False, None, None)}


def test_an_older_program_does_not_poll_what_was_disabled(empty: Store) -> None:
    migrate(empty)
    with empty.write() as session:
        an_older_source(session, "src_gone")
        gone = session.get_one(Source, "src_gone")
        source_states.disable(session, gone, Reason.GONE, "It is gone.", NOW)
    move_to(empty, "0002")
    with empty.read() as session:
        due = select(column("next_poll_at", UtcDateTime())).select_from(table("sources"))
        assert session.execute(due).scalar_one().year == 9999
    migrate(empty)
    assert differences(empty) == []


WHEN = "'2031-03-01T12:00:00.000000Z'"
# What the second version wrote; filters that are absent are NULL or the JSON null.
OLD_SUBSCRIPTIONS = [
    f"INSERT INTO accounts (id, name, created_at) VALUES ('acc_1', 'readers', {WHEN})",
    "INSERT INTO channels (id, account_id, kind, queue, target_hash, sealed, state, created_at, updated_at) "
    f"VALUES ('ch_1', 'acc_1', 'webhook', 'webhook', 'x', 'x', 'active', {WHEN}, {WHEN})",
    *(
        "INSERT INTO subscriptions (id, account_id, channel_id, query, topic, canonical, sources, languages, "
        "updates, created_at, updated_at) "
        f"VALUES ('{id_}', 'acc_1', 'ch_1', 'x', false, 'rust', {sources}, 'null', false, {WHEN}, {WHEN})"
        for id_, sources in (("sub_1", "NULL"), ("sub_2", "'null'"), ("sub_3", """'["\\u00fc"]'"""))
    ),
    "INSERT INTO subscription_changes (number) SELECT number FROM subscriptions",
]


def test_subscriptions_of_the_second_version_are_compiled_and_go_back(empty: Store) -> None:
    move_to(empty, "0002")
    with empty.write() as session:
        for statement in OLD_SUBSCRIPTIONS:
            session.connection().exec_driver_sql(statement)
    assert migrate(empty)
    assert differences(empty) == []
    expected = [(Asked("rust").compiled(), 2), (Asked("rust", ["ü"]).compiled(), 1)]
    assert sorted(loaded(empty)) == sorted(expected)
    with empty.write() as session:
        (asked,) = queries.lacking(session, None)
        queries.keep(session, queries.compile_all(asked))
    with empty.read() as session:
        assert list(queries.lacking(session, None)) == []
    assert sorted(loaded(empty)) == sorted(expected)

    move_to(empty, "0002")
    assert not {"queries", "revision_marks"} & tables(empty)
    assert migrate(empty)
    assert sorted(loaded(empty)) == sorted(expected)


def loaded(store: Store) -> list[tuple[bytes, int]]:
    with store.read() as session:
        return [(group.code, len(group.numbers)) for group in queries.all_subscribers(session)]


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
