"""The table of aliases, on both databases."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import insert, select

from core.clock import ManualClock
from core.query import Aliases
from core.query.alias_rules import MOST_ALIASES, MOST_ALIKE, new_alias
from core.store import aliases, revisions
from core.store.aliases import Stored
from core.store.engine import Store, open_store
from core.store.models import Alias, SubscriptionChange
from core.store.revisions import Position
from core.store.schema import migrate
from tests.contract.world import NOON


def put(store: Store, *pairs: tuple[str, str]) -> Stored:
    with store.write() as session:
        return aliases.put(session, [new_alias(name, meaning) for name, meaning in pairs], NOON)


def remove(store: Store, name: str) -> bool:
    with store.write() as session:
        return aliases.remove(session, name)


def present(store: Store) -> dict[str, str]:
    with store.read() as session:
        return aliases.present(session)


def position(store: Store) -> Position:
    with store.read() as session:
        return revisions.changes_since(session, None).position


def times_logged(store: Store) -> int:
    with store.read() as session:
        which = select(SubscriptionChange).where(SubscriptionChange.number == revisions.ALIASES)
        return len(session.execute(which).all())


def is_logged(store: Store, since: Position) -> bool:
    with store.read() as session:
        return revisions.ALIASES in (revisions.changes_since(session, since).numbers or ())


def test_what_was_put_is_there_until_it_is_removed(store: Store) -> None:
    assert put(store, ("K8s", "Kubernetes"), ("ML", "machine learning")) == Stored(2, {})
    assert present(store) == {"K8s": "Kubernetes", "ML": "machine learning"}
    assert Aliases(present(store)).alike("kubernetes") == 2
    assert remove(store, "k8S")
    assert present(store) == {"ML": "machine learning"}
    assert not remove(store, "k8s")
    assert not remove(store, "&")


def test_the_same_name_is_one_however_it_is_written(store: Store) -> None:
    clock = ManualClock(NOON)
    put(store, ("rabbit-hole", "warren"))
    clock.advance(hours=1)
    with store.write() as session:
        done = aliases.put(session, [new_alias("Rabbit Hole", "burrow")], clock.now())
    assert done == Stored(0, {})
    assert present(store) == {"Rabbit Hole": "burrow"}
    with store.read() as session:
        row = aliases.find(session, "RABBIT hole")
        assert row is not None
        assert (row.created_at, row.updated_at) == (NOON, clock.now())
        assert aliases.find(session, "rabbit") is None
        assert aliases.find(session, "!") is None


def test_only_a_change_is_logged(store: Store) -> None:
    for change in (
        lambda: put(store, ("k8s", "kubernetes")),
        lambda: put(store, ("k8s", "kubernetes")),
        lambda: put(store, ("a", "thing"), ("A", "other")),
        lambda: put(store, ("k8s", "kube")),
        lambda: remove(store, "k8s"),
        lambda: remove(store, "k8s"),
    ):
        logged, before = times_logged(store), present(store)
        change()
        assert times_logged(store) - logged == (present(store) != before)
    assert times_logged(store) == 4


def test_one_that_is_refused_keeps_no_other_from_being_stored(store: Store) -> None:
    names = [(f"n{number}", "thing") for number in range(MOST_ALIKE - 1)]
    assert put(store, *names).refused == {}
    done = put(store, ("one more", "thing"), ("k8s", "kubernetes"), ("K8S", "other"))
    assert (done.made, sorted(done.refused)) == (1, [0, 2])
    assert present(store) == dict(names) | {"k8s": "kubernetes"}


def test_there_are_at_most_so_many(store: Store) -> None:
    row = {"created_at": NOON, "updated_at": NOON}
    with store.write() as session:
        session.execute(
            insert(Alias),
            [
                {"id": f"als_{n}", "key": f"n{n}", "name": f"n{n}", "meaning": f"m{n}"} | row
                for n in range(MOST_ALIASES)
            ],
        )
    assert list(put(store, ("one more", "thing")).refused) == [0]
    assert put(store, ("n7", "thing")).refused == {}
    remove(store, "n7")
    assert put(store, ("one more", "thing")).made == 1


@pytest.fixture
def stores(postgresql_url: str) -> Iterator[list[Store]]:
    opened = [open_store(postgresql_url) for _ in range(4)]
    migrate(opened[0])
    yield opened
    for store in opened:
        store.close()


@pytest.mark.postgresql
def test_those_who_put_at_once_do_not_crowd_a_meaning_together(stores: list[Store]) -> None:
    with ThreadPoolExecutor(len(stores)) as pool:
        list(pool.map(lambda n: put(stores[n % len(stores)], (f"n{n}", "thing")), range(2 * MOST_ALIKE)))
    assert len(present(stores[0])) == MOST_ALIKE - 1


@pytest.mark.postgresql
def test_a_change_that_commits_behind_later_ones_is_not_missed(stores: list[Store]) -> None:
    first, second, *_ = stores
    since = position(first)
    with second.write() as slow:
        aliases.put(slow, [new_alias("k8s", "kubernetes")], NOON)
        with first.write() as session:
            revisions.log_changes(session, [7])
        assert not is_logged(first, since)
        since = position(first)
    assert is_logged(first, since)
