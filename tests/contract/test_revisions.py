"""The revision log: every change is learned of, also one that commits late, and the log stays short."""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from core.store import revisions
from core.store.engine import Store, open_store
from core.store.models import RevisionMark, SubscriptionChange
from core.store.revisions import Changes, Position
from core.store.schema import migrate
from tests.contract.bus_running import eventually
from tests.contract.world import NOON


def look(store: Store, since: Position | None) -> Changes:
    with store.read() as session:
        return revisions.changes_since(session, since)


def log(store: Store, *numbers: int) -> None:
    with store.write() as session:
        revisions.log_changes(session, numbers)


def mark(store: Store, hours: float) -> int | None:
    with store.write() as session:
        return revisions.mark(session, NOON + timedelta(hours=hours))


def cut(store: Store, floor: int) -> bool:
    with store.write() as session:
        return revisions.cut(session, floor)


def length(store: Store) -> int:
    with store.read() as session:
        return session.execute(select(func.count()).select_from(SubscriptionChange)).scalar_one()


def test_the_first_look_asks_for_everything(store: Store) -> None:
    log(store, 1)
    assert look(store, None).numbers is None


def test_changes_are_seen_once(store: Store) -> None:
    position = look(store, None).position
    log(store, 1, 2)
    log(store, 2, 3)
    changes = look(store, position)
    assert sorted(changes.numbers or ()) == [1, 2, 3]
    assert look(store, changes.position).numbers == []
    log(store, 4)
    assert look(store, changes.position).numbers == [4]


def test_what_was_rolled_back_is_not_seen(store: Store) -> None:
    position = look(store, None).position
    with store.write() as session:
        revisions.log_changes(session, [1])
        session.rollback()
    assert look(store, position).numbers == []


def test_very_many_changes_ask_for_everything(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revisions, "MANY", 3)
    position = look(store, None).position
    log(store, 7, 7)
    assert look(store, position).numbers == [7]
    log(store, 7)
    assert look(store, position).numbers is None


def test_a_read_transaction_sees_one_moment(store: Store) -> None:
    with store.read() as session:
        first = revisions.changes_since(session, None).position
        log(store, 1)
        assert revisions.changes_since(session, first).numbers == []
    assert look(store, first).numbers == [1]


# --- cutting


# Other databases of the same server may have long transactions, which keep marks where they are.


def test_a_reader_that_is_no_older_than_what_is_kept_misses_nothing(store: Store) -> None:
    log(store, 1, 2, 3)
    assert mark(store, 0) is None
    position = look(store, None).position
    log(store, 4)
    floor = mark(store, 6)
    assert floor is not None
    cut(store, floor)
    assert look(store, position).numbers == [4]


def test_a_reader_that_comes_too_late_loads_everything(store: Store) -> None:
    log(store, 1)
    position = look(store, None).position
    log(store, 2)
    with store.write() as session:
        session.add(RevisionMark(position=position.oldest + 1, noted_at=NOON))
    assert look(store, position).numbers is None


def test_the_log_is_cut_in_parts(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revisions, "CUT_AT_ONCE", 2)
    for number in range(5):
        log(store, number)
    floor = look(store, None).position.end
    before = length(store)
    assert cut(store, floor)
    assert length(store) == before - 2
    while cut(store, floor):
        pass
    log(store, 5)
    assert length(store) <= 2  # SQLite keeps the row at the floor


def test_a_log_that_is_cut_to_its_end_begins_no_numbers_again(store: Store) -> None:
    for hour in range(0, 30, 2):
        log(store, hour)
        position = look(store, None).position
        floor = mark(store, hour)
        if floor is not None:
            cut(store, floor)
        assert look(store, position).numbers == []
        log(store, 100 + hour)
        assert look(store, position).numbers == [100 + hour]
    with store.read() as session:
        marks = session.execute(select(RevisionMark.noted_at)).all()
    assert len(marks) <= 4


def test_a_database_whose_counters_are_behind_is_another_one(store: Store) -> None:
    here = look(store, None).position
    ahead = Position(here.oldest + 1_000, here.end + 1_000, here.sequence + 1_000)
    assert look(store, ahead).numbers is None


def test_marks_from_a_server_whose_counters_were_ahead_mean_nothing(store: Store) -> None:
    log(store, 1)
    position = look(store, None).position
    with store.write() as session:
        session.add(RevisionMark(position=position.end + 10**6, noted_at=NOON - timedelta(days=1)))
    log(store, 2)
    assert look(store, position).numbers == [2]
    assert mark(store, 0) is None
    with store.read() as session:
        marks = session.execute(select(RevisionMark.position).order_by(RevisionMark.position)).scalars().all()
    assert marks[0] == 0
    assert len(marks) == 2
    assert marks[1] < position.end + 10**6


def test_the_first_mark_sends_nobody_back_to_the_beginning(store: Store) -> None:
    position = look(store, None).position
    log(store, 1, 2)
    mark(store, 0)
    assert sorted(look(store, position).numbers or ()) == [1, 2]


@pytest.mark.postgresql
def test_changes_from_a_server_whose_counters_were_ahead_are_dropped(pg: Store) -> None:
    with pg.write() as session:
        restored = "INSERT INTO subscription_changes (number, transaction_id) VALUES (9, '4000000000000')"
        session.execute(text(restored))
    assert look(pg, look(pg, None).position).numbers == [9]
    mark(pg, 0)
    # From a position behind the mark: on a busy server others' transactions have moved it on meanwhile.
    assert look(pg, look(pg, None).position).numbers == []


# --- side by side, on PostgreSQL


@pytest.fixture
def pg(postgresql_url: str) -> Iterator[Store]:
    store = open_store(postgresql_url)
    migrate(store)
    yield store
    store.close()


@pytest.mark.postgresql
def test_a_change_that_commits_behind_later_ones_is_not_missed(pg: Store) -> None:
    position = look(pg, None).position
    with Session(pg.engine) as slow:
        revisions.log_changes(slow, [1])
        log(pg, 2)
        changes = look(pg, position)
        assert changes.numbers == [2]
        slow.commit()
    assert look(pg, changes.position).numbers == [1]


@pytest.mark.postgresql
def test_a_long_transaction_makes_no_reader_read_again(pg: Store) -> None:
    with Session(pg.engine) as slow:
        slow.execute(text("SELECT pg_current_xact_id()"))
        position = look(pg, None).position
        log(pg, *range(50))
        changes = look(pg, position)
        assert len(changes.numbers or ()) == 50
        assert look(pg, changes.position).numbers == []
        revisions.log_changes(slow, [99])
        slow.commit()
    assert look(pg, changes.position).numbers == [99]


def alone(pg: Store) -> Position:
    """Look when only one transaction runs on the whole server, whose other databases count as well."""
    positions: list[Position] = []

    def is_alone() -> bool:
        positions.append(look(pg, None).position)
        return len(positions[-1].running) == 1

    assert eventually(is_alone)
    return positions[-1]


@pytest.mark.postgresql
def test_what_a_running_transaction_wrote_is_not_cut(pg: Store) -> None:
    with Session(pg.engine) as slow:
        revisions.log_changes(slow, [1])
        log(pg, 2)
        position = alone(pg)
        for hour in (0, 7, 14):
            floor = mark(pg, hour)
            if floor is not None:
                cut(pg, floor)
        slow.commit()
    assert look(pg, position).numbers == [1]


@pytest.mark.postgresql
def test_transaction_ids_that_a_crash_gives_again_are_no_way_past_a_reader(pg: Store) -> None:
    """A server that loses its last transactions, none of which was durable, hands out their ids once more."""
    log(pg, 1)
    position = look(pg, None).position
    with pg.write() as session:
        reused = text(
            "INSERT INTO subscription_changes (number, transaction_id) VALUES (2, CAST(:id AS xid8))"
        )
        session.execute(reused, {"id": str(position.end - 1)})
    assert look(pg, position).numbers == [2]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("begin"), st.integers(0, 2)),
        st.tuples(st.just("change"), st.integers(0, 2)),
        st.tuples(st.just("commit"), st.integers(0, 2)),
        st.tuples(st.just("abort"), st.integers(0, 2)),
        st.tuples(st.just("look"), st.just(0)),
        st.tuples(st.just("cut"), st.just(0)),
    ),
    max_size=25,
)


@pytest.mark.postgresql
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_however_transactions_overlap_each_change_is_seen_once(
    pg: Store, steps: list[tuple[str, int]]
) -> None:
    """Three writers and a reader, step by step: what is committed is new at the next look, and only there."""
    position, hour = look(pg, None).position, 0
    pending: dict[int, list[int]] = {0: [], 1: [], 2: []}
    unseen: set[int] = set()
    with ExitStack() as stack:
        writers = [stack.enter_context(Session(pg.engine)) for _ in pending]
        for number, (step, writer) in enumerate([*steps, ("look", 0)]):
            match step:
                case "begin":
                    writers[writer].execute(text("SELECT pg_current_xact_id()"))
                case "change":
                    revisions.log_changes(writers[writer], [number])
                    pending[writer].append(number)
                case "commit" | "abort":
                    unseen.update(pending[writer] if step == "commit" else ())
                    pending[writer] = []
                    writers[writer].commit() if step == "commit" else writers[writer].rollback()
                case "look":
                    changes = look(pg, position)
                    assert changes.numbers is not None
                    assert set(changes.numbers) == unseen
                    position = changes.position
                    unseen.clear()
                case "cut":
                    hour += 1
                    floor = mark(pg, hour)
                    position = look_before_cut(pg, position, unseen)
                    cut(pg, floor) if floor is not None else None
        for each in writers:
            each.rollback()
    with pg.write() as session:
        session.execute(text("TRUNCATE revision_marks, subscription_changes"))


def look_before_cut(store: Store, position: Position, unseen: set[int]) -> Position:
    """Read on, as routers do every few seconds: only who does not for hours loads everything."""
    changes = look(store, position)
    assert changes.numbers is None or set(changes.numbers) == unseen
    unseen.clear()
    return changes.position
