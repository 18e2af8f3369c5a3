"""Transactions that behave alike on SQLite and PostgreSQL."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError, StatementError

from core.errors import ConfigurationError, Unavailable
from core.store.engine import POOL_SIZE, Store, open_store
from core.store.models import Account
from core.store.schema import migrate
from tests.contract.world import NOON
from tests.servers import PrivatePostgres, free_port


@pytest.fixture
def another(store: Store) -> Iterator[Store]:
    """The same database, as another process has it."""
    opened = open_store(store.engine.url.render_as_string(hide_password=False))
    yield opened
    opened.close()


def add(store: Store, name: str, created_at: datetime = NOON) -> None:
    with store.write() as session:
        session.add(Account(id=f"acc_{name}", name=name, created_at=created_at))


def names(store: Store) -> list[str]:
    with store.read() as session:
        return list(session.execute(select(Account.name).order_by(Account.name)).scalars())


def test_what_is_written_is_kept_and_seen_by_others(store: Store, another: Store) -> None:
    add(store, "a")
    assert names(store) == ["a"]
    assert names(another) == ["a"]


def test_an_exception_takes_everything_back(store: Store) -> None:
    def fail_within() -> None:
        with store.write() as session:
            session.add(Account(id="acc_a", name="a", created_at=NOON))
            session.flush()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_within()
    assert names(store) == []
    add(store, "b")
    assert names(store) == ["b"]


def test_readers_see_only_what_was_committed(store: Store, another: Store) -> None:
    with store.write() as session:
        session.add(Account(id="acc_a", name="a", created_at=NOON))
        session.flush()
        assert names(another) == []
    assert names(another) == ["a"]


def test_a_reader_sees_one_moment(store: Store, another: Store) -> None:
    add(store, "a")
    with store.read() as session:
        assert session.query(Account).count() == 1
        add(another, "b")
        assert session.query(Account).count() == 1
    assert names(store) == ["a", "b"]


def test_what_a_reader_changes_is_not_kept(store: Store) -> None:
    with store.read() as session:
        session.add(Account(id="acc_a", name="a", created_at=NOON))
    assert names(store) == []


def test_reading_while_writing_is_possible(store: Store) -> None:
    add(store, "a")
    with store.write() as session:
        session.add(Account(id="acc_b", name="b", created_at=NOON))
        session.flush()
        assert names(store) == ["a"]


def test_writing_within_writing_is_refused_at_once(store: Store) -> None:
    with store.write(), pytest.raises(RuntimeError, match="open in this thread already"), store.write():
        pass
    add(store, "a")
    assert names(store) == ["a"]


def test_a_mistake_in_the_program_is_not_taken_for_an_outage(store: Store) -> None:
    add(store, "a")
    with pytest.raises(IntegrityError):
        add(store, "a")


def test_times_come_back_as_they_went_in_utc(store: Store) -> None:
    moment = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    add(store, "a", moment)
    with store.read() as session:
        (stored,) = session.execute(select(Account.created_at)).scalars()
    assert (stored, stored.tzinfo) == (moment, UTC)


def test_times_sort(store: Store) -> None:
    moments = [
        NOON,
        NOON + timedelta(microseconds=1),
        NOON + timedelta(seconds=1),
        NOON - timedelta(days=400),
    ]
    for number, moment in enumerate(moments):
        add(store, str(number), moment)
    with store.read() as session:
        assert list(
            session.execute(select(Account.created_at).order_by(Account.created_at)).scalars()
        ) == sorted(moments)
        assert session.query(Account).filter(Account.created_at > NOON).count() == 2


def test_times_without_zone_are_refused(store: Store) -> None:
    with pytest.raises(StatementError, match="without zone"):
        add(store, "a", NOON.replace(tzinfo=None))


def side_by_side(*jobs: Callable[[], None]) -> None:
    with ThreadPoolExecutor(len(jobs)) as pool:
        for future in [pool.submit(job) for job in jobs]:
            future.result()


def test_threads_that_write_wait_for_each_other(store: Store) -> None:
    def write_many(who: str) -> None:
        for number in range(100):
            add(store, f"{who}{number:03}")

    side_by_side(*(partial(write_many, who) for who in "abc"))
    assert len(names(store)) == 300


def test_processes_that_write_wait_for_each_other_and_for_no_reader(store: Store, another: Store) -> None:
    written = threading.Event()

    def write_many(where: Store, who: str) -> None:
        for number in range(100):
            with where.write() as session:
                # Reading first is what makes a transaction of SQLite fail that begins without the lock.
                assert session.execute(select(Account.name).where(Account.name == who)).first() is None
                session.execute(
                    insert(Account).values(id=f"acc_{who}{number}", name=f"{who}{number}", created_at=NOON)
                )

    def read_many() -> None:
        seen = 0
        while not written.is_set():
            count = len(names(store))
            assert count >= seen
            seen = count

    def write_both() -> None:
        try:
            side_by_side(lambda: write_many(store, "a"), lambda: write_many(another, "b"))
        finally:
            written.set()

    side_by_side(write_both, read_many)
    assert len(names(store)) == 200


# --- servers that are away


def test_a_server_that_is_not_there_is_unavailable() -> None:
    store = open_store(f"postgresql://postgres@127.0.0.1:{free_port()}/clarion")
    for use in (store.ping, lambda: names(store), lambda: add(store, "a")):
        with pytest.raises(Unavailable, match="the database does not answer"):
            use()
    store.close()


@pytest.mark.postgresql
def test_a_store_works_again_once_its_server_is_back(private_postgres: PrivatePostgres) -> None:
    with closing(open_store(private_postgres.url)) as store:
        migrate(store)
        add(store, "a")

        private_postgres.stop()
        for use in (store.ping, lambda: names(store), lambda: add(store, "b")):
            with pytest.raises(Unavailable):
                use()
        private_postgres.start()

        add(store, "b")
        assert names(store) == ["a", "b"]


def test_a_store_all_of_whose_connections_are_in_use_is_unavailable(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store.engine.pool, "_timeout", 0.05)
    taken = [store.engine.connect() for _ in range(POOL_SIZE)]
    with pytest.raises(Unavailable, match="every database connection"):
        store.ping()
    for connection in taken:
        connection.close()
    store.ping()


def test_a_folder_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'none' / 'clarion.db'}")
    with pytest.raises(Unavailable, match="unable to open"):
        store.ping()
    store.close()


@pytest.mark.parametrize(
    "url",
    ["", "clarion.db", "mysql://localhost/x", "sqlite://", "sqlite:///:memory:", "postgres:", "http://x/"],
)
def test_other_addresses_are_refused_naming_the_variable(url: str) -> None:
    with pytest.raises(ConfigurationError, match="CLARION_DATABASE_URL"):
        open_store(url)
