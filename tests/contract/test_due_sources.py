"""Which sources the leader looks for, on both databases."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, event, insert, text, update

from core.store import due_sources, sources
from core.store.engine import Store
from core.store.models import Source
from core.store.source_health import Health, health
from core.store.sources import NewSource
from tests.contract.world import NOON

KINDS = frozenset({"feed", "newsapi"})


def add(store: Store, name: str, due: float | None, kind: str = "feed", changed: float = -3_600) -> str:
    """Make a source that is due so many seconds after noon, and was changed so many."""
    new = NewSource(kind, f"https://example.com/{name}", name, None, moment(due))
    with store.write() as session:
        return sources.find_or_create(session, None, new, NOON + timedelta(seconds=changed))[0].id


def moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else NOON + timedelta(seconds=seconds)


def due_at(store: Store, source_id: str) -> datetime | None:
    with store.read() as session:
        return session.get_one(Source, source_id).next_poll_at


def test_what_is_due_comes_longest_waiting_first(store: Store) -> None:
    late, later, exact = add(store, "a", -10), add(store, "b", -20), add(store, "c", 0)
    add(store, "not yet", 1)
    add(store, "never", None)
    add(store, "pushed", -10, kind="push")
    with store.read() as session:
        assert due_sources.due(session, KINDS, NOON, 10) == [later, late, exact]
        assert due_sources.due(session, KINDS, NOON, 2) == [later, late]
        assert due_sources.overdue(session, KINDS, NOON) == [later, late, exact]
        assert due_sources.asked_for(session, KINDS, NOON, 10) == []


def test_what_somebody_waits_for_is_told_apart(store: Store) -> None:
    new, fetched = add(store, "new", -10, changed=-10), add(store, "fetched", -5, changed=-5)
    planned = add(store, "planned", -20)
    with store.read() as session:
        assert due_sources.asked_for(session, KINDS, NOON, 10) == [new, fetched]
        assert due_sources.due(session, KINDS, NOON, 10) == [planned, new, fetched]
        assert due_sources.overdue(session, KINDS, NOON) == [planned]


def test_only_what_is_overdue_is_put_off(store: Store) -> None:
    planned, asked, waiting = add(store, "a", -20), add(store, "b", -5, changed=-5), add(store, "c", 60)
    later = NOON + timedelta(seconds=30)
    with store.write() as session:
        due_sources.put_off(session, {planned: later, asked: later, waiting: later, "src_gone": later}, NOON)
    assert due_at(store, planned) == later
    assert due_at(store, asked) == moment(-5)
    assert due_at(store, waiting) == moment(60)


def test_very_many_are_put_off(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(due_sources, "_ROWS_AT_ONCE", 7)
    times = {add(store, str(number), -20): NOON + timedelta(seconds=number) for number in range(20)}
    with store.write() as session:
        due_sources.put_off(session, times, NOON)
    assert {id_: due_at(store, id_) for id_ in times} == times


def test_what_was_asked_for_meanwhile_is_not_postponed(store: Store) -> None:
    one, two = add(store, "a", -20), add(store, "b", -20)
    with store.write() as session:
        seen = [session.get_one(Source, id_) for id_ in (one, two)]
    with store.write() as session:
        session.execute(update(Source).where(Source.id == two).values(next_poll_at=NOON))
    later = NOON + timedelta(seconds=30)
    with store.write() as session:
        for source in seen:
            due_sources.postpone(session, source, later)
    assert (due_at(store, one), due_at(store, two)) == (later, NOON)


@pytest.mark.parametrize(
    ("look", "index"),
    [(due_sources.due, "ix_sources_next_poll_at"), (due_sources.asked_for, "ix_sources_asked_for")],
)
def test_looking_reads_an_index_and_not_all_sources(store: Store, look: Any, index: str) -> None:
    plans: list[str] = []

    def explained(connection: Connection, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.startswith("SELECT") and not plans:
            plans.append("")
            how = "EXPLAIN " if store.dialect == "postgresql" else "EXPLAIN QUERY PLAN "
            rows = connection.exec_driver_sql(how + statement, parameters)
            plans[0] = "\n".join(" ".join(map(str, row)) for row in rows)

    with store.write() as session:
        session.execute(insert(Source), [row(number) for number in range(5_000)])
        session.execute(text("ANALYZE sources"))
        event.listen(session.connection(), "before_cursor_execute", explained)
        look(session, KINDS, NOON - timedelta(seconds=1), 500)
    assert index in plans[0], plans[0]


def row(number: int) -> dict[str, Any]:
    return {
        "id": f"src_{number:06}",
        "kind": "feed",
        "url": f"https://example.com/{number}",
        "name": "x",
        "failures": 0,
        "next_poll_at": NOON + timedelta(seconds=number),
        "created_at": NOON,
        "updated_at": NOON,
    }


def test_the_health_of_all(store: Store) -> None:
    fine, failing, late = add(store, "fine", 60), add(store, "failing", 60), add(store, "late", -601)
    disabled = add(store, "disabled", None)
    add(store, "pushed", None, kind="push")
    with store.write() as session:
        session.execute(update(Source).where(Source.id.in_([failing, late])).values(failures=3))
        session.execute(update(Source).where(Source.id == disabled).values(state="disabled"))
    assert fine
    with store.read() as session:
        found = health(session, NOON, timedelta(minutes=10), KINDS)
    assert found == Health(polled=3, failing=2, late=1, disabled=1)
