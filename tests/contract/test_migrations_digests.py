"""From the version before digests, and with it beside this one."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import text

from core.store.engine import Store
from core.store.partitions import ensure_partition
from core.store.schema import migrate
from tests.contract.test_migrations import differences, move_to, opened
from tests.contract.test_migrations_bursts import DAY, NOW, claimed, write_as_before

BEFORE = "0010"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def before(request: pytest.FixtureRequest) -> Iterator[Store]:
    """A database of the version before."""
    with opened(request.getfixturevalue(f"{request.param}_url")) as (store,):
        move_to(store, BEFORE)
        ensure_partition(store, DAY)
        yield store


def run(store: Store, statement: str, **values: object) -> None:
    with store.write() as session:
        session.execute(text(statement), values)


def test_what_is_there_and_what_older_routers_add_is_told_at_once(before: Store) -> None:
    write_as_before(before, "dlv_before")
    assert migrate(before)
    assert differences(before) == []
    write_as_before(before, "dlv_beside")
    assert claimed(before) == [("dlv_before", None), ("dlv_beside", None)]


def test_taken_back_what_waits_is_told_by_itself(before: Store) -> None:
    migrate(before)
    for id_ in ("dlv_1", "dlv_2"):
        write_as_before(before, id_)
    later = (NOW + timedelta(hours=1)).isoformat()
    run(before, "UPDATE deliveries SET digest_at = :at, due_at = :at, enqueue_after = NULL", at=later)
    run(before, "UPDATE deliveries SET event = 'digest' WHERE id = 'dlv_2'")
    move_to(before, BEFORE)
    assert migrate(before)
    assert claimed(before) == [("dlv_1", None)]
