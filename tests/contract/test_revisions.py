"""The revision log: every change is learned of, also one that commits late."""

import pytest

from core.store import revisions
from core.store.engine import Store, open_store
from core.store.schema import migrate


def look(store: Store, since: int) -> tuple[list[int], int]:
    with store.read() as session:
        return sorted(revisions.changed_since(session, since)), revisions.position(session)


def log(store: Store, *numbers: int) -> None:
    with store.write() as session:
        revisions.log_changes(session, numbers)


def test_changes_are_seen_once_committed(store: Store) -> None:
    _, position = look(store, 0)
    log(store, 1, 2)
    numbers, position = look(store, position)
    assert numbers == [1, 2]
    log(store, 3)
    numbers, _ = look(store, position)
    assert 3 in numbers


def test_what_was_rolled_back_is_not_seen(store: Store) -> None:
    _, position = look(store, 0)
    with store.write() as session:
        revisions.log_changes(session, [1])
        session.rollback()
    assert look(store, position)[0] == []


@pytest.mark.postgresql
def test_a_change_that_commits_behind_later_ones_is_not_missed(postgresql_url: str) -> None:
    store, other = open_store(postgresql_url), open_store(postgresql_url)
    migrate(store)
    _, position = look(store, 0)
    with other.write() as slow:
        revisions.log_changes(slow, [1])
        slow.flush()
        log(store, 2)
        numbers, position = look(store, position)
        assert numbers == [2]
    numbers, _ = look(store, position)
    assert 1 in numbers
    store.close()
    other.close()
