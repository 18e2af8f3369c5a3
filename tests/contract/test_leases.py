"""The leader's lease on both databases."""

import pytest
from sqlalchemy import update

from core.errors import Unavailable
from core.store import leases
from core.store.engine import Store
from core.store.leases import Grant, LeaseLost
from core.store.models import Lease
from fetcher.leadership import LEASE, Leadership
from tests.contract.world import NOON


class RecordingReign:
    """Notes when it begins and ends."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def begin(self, grant: Grant) -> None:
        """Note it."""
        self.events.append(f"begin {grant.token}")

    def end(self) -> None:
        """Note it."""
        self.events.append("end")


def expire(store: Store) -> None:
    with store.write() as session:
        session.execute(update(Lease).values(expires_at=NOON.replace(year=2020)))


def test_only_one_holds_it_and_each_change_of_holder_has_a_higher_token(store: Store) -> None:
    first = leases.acquire(store, "x", "a", 60)
    assert first is not None
    assert leases.acquire(store, "x", "b", 60) is None
    expire(store)
    second = leases.acquire(store, "x", "b", 60)
    assert second is not None
    assert second.token > first.token
    assert not leases.renew(store, first, 60)
    assert leases.renew(store, second, 60)


def test_a_former_holder_can_write_nothing(store: Store) -> None:
    old = leases.acquire(store, "x", "a", 60)
    assert old is not None
    expire(store)
    with pytest.raises(LeaseLost), store.write() as session:
        leases.check(session, old)
    new = leases.acquire(store, "x", "b", 60)
    assert new is not None
    with pytest.raises(LeaseLost), store.write() as session:
        leases.check(session, old)
    with store.write() as session:
        leases.check(session, new)


def test_a_lease_given_back_is_free_at_once(store: Store) -> None:
    grant = leases.acquire(store, "x", "a", 60)
    assert grant is not None
    leases.release(store, grant)
    assert leases.acquire(store, "x", "b", 60) is not None


def test_release_by_a_former_holder_changes_nothing(store: Store) -> None:
    old = leases.acquire(store, "x", "a", 60)
    assert old is not None
    expire(store)
    new = leases.acquire(store, "x", "b", 60)
    assert new is not None
    leases.release(store, old)
    assert leases.renew(store, new, 60)


def test_leadership_begins_renews_and_ends(store: Store) -> None:
    reign = RecordingReign()
    leadership = Leadership(store, reign, "a", 6)
    leadership.step()
    leadership.step()
    assert reign.events == ["begin 1"]
    expire(store)
    assert leases.acquire(store, LEASE, "b", 60) is not None
    leadership.step()
    assert reign.events == ["begin 1", "end"]
    leadership.step()
    assert not leadership.leads


def test_a_leader_that_cannot_renew_steps_down_before_its_lease_ends(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    reign, now = RecordingReign(), [0.0]
    leadership = Leadership(store, reign, "a", 6, monotonic=lambda: now[0])
    leadership.step()

    def fail(*_: object) -> bool:
        raise Unavailable("no database")

    monkeypatch.setattr("core.store.leases.renew", fail)
    now[0] = 2.0
    leadership.step()
    assert reign.events == ["begin 1"]
    now[0] = 4.0
    leadership.step()
    assert not leadership.leads
    assert reign.events == ["begin 1", "end"]
