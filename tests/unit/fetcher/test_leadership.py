"""Campaigning for the lease: who begins, who ends, and when."""

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import update

from core.errors import Unavailable
from core.store import leases
from core.store.engine import Store, open_store
from core.store.leases import Grant
from core.store.models import Lease
from core.store.schema import migrate
from fetcher.leadership import LEASE, Leadership
from tests.contract.world import NOON


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(open_store(f"sqlite:///{tmp_path / 'clarion.db'}")) as opened:
        migrate(opened)
        yield opened


class Reign:
    """Notes what happens to it."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.begun, self.ended = threading.Event(), threading.Event()

    def begin(self, grant: Grant) -> None:
        """Note it."""
        self.events.append(f"begin {grant.token}")
        self.begun.set()

    def end(self) -> None:
        """Note it."""
        self.events.append("end")
        self.ended.set()


class Campaign:
    """A leadership in a thread of its own."""

    def __init__(self, store: Store, holder: str, lease_seconds: float = 0.3) -> None:
        self.reign, self.stopping = Reign(), threading.Event()
        self.leadership = Leadership(store, self.reign, holder, lease_seconds)
        self._thread = threading.Thread(target=self.leadership.run, args=(self.stopping,))

    def __enter__(self) -> "Campaign":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop, and wait for the end."""
        self.stopping.set()
        self._thread.join()


def unavailable(*_: object) -> bool:
    raise Unavailable("no database")


def test_one_leads_and_the_next_takes_over_when_it_stops(store: Store) -> None:
    with Campaign(store, "a", 60) as first:
        assert first.reign.begun.wait(10)
        with Campaign(store, "b", 0.3) as second:
            first.stop()
            assert second.reign.begun.wait(10)
            assert first.reign.events == ["begin 1", "end"]
            assert second.reign.events == ["begin 2"]


def test_who_does_not_lead_has_nothing_to_end(store: Store) -> None:
    assert leases.acquire(store, LEASE, "other", 60)
    with Campaign(store, "a") as waiting:
        pass
    assert waiting.reign.events == []


def test_a_deposed_leader_ends_and_campaigns_again(store: Store) -> None:
    with Campaign(store, "a") as campaign:
        assert campaign.reign.begun.wait(10)
        campaign.reign.begun.clear()
        with store.write() as session:
            session.execute(update(Lease).values(expires_at=NOON.replace(year=2020)))
        assert campaign.reign.ended.wait(10)
        assert campaign.reign.begun.wait(10)
    assert campaign.reign.events == ["begin 1", "end", "begin 2", "end"]


def test_a_leader_steps_down_while_it_cannot_know_whether_it_leads(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    reign, now = Reign(), [0.0]
    leadership = Leadership(store, reign, "a", 6, monotonic=lambda: now[0])
    leadership.step()
    monkeypatch.setattr(leases, "renew", unavailable)
    # One more try, two seconds later, would still come in time.
    now[0] = 3.9
    leadership.step()
    assert reign.events == ["begin 1"]
    now[0] = 4.0
    leadership.step()
    assert reign.events == ["begin 1", "end"]


def test_the_lease_counts_from_before_the_question(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    reign, now = Reign(), [0.0]
    leadership = Leadership(store, reign, "a", 6, monotonic=lambda: now[0])
    leadership.step()
    renew = leases.renew

    def slowly(store: Store, grant: Grant, seconds: float) -> bool:
        now[0] += 3.0
        return renew(store, grant, seconds)

    monkeypatch.setattr(leases, "renew", slowly)
    now[0] = 2.0
    leadership.step()  # asked at 2, so that the lease holds until 8 at least
    monkeypatch.setattr(leases, "renew", unavailable)
    now[0] = 5.9
    leadership.step()
    assert reign.events == ["begin 1"]
    now[0] = 6.0
    leadership.step()
    assert reign.events == ["begin 1", "end"]


def test_no_database_is_no_reason_to_stop_campaigning(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    reign = Reign()
    leadership = Leadership(store, reign, "a", 6)
    acquire = leases.acquire
    monkeypatch.setattr(leases, "acquire", unavailable)
    leadership.step()
    assert reign.events == []
    monkeypatch.setattr(leases, "acquire", acquire)
    leadership.step()
    assert reign.events == ["begin 1"]


def test_a_lease_that_cannot_be_given_back_keeps_nobody_from_stopping(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "release", unavailable)
    with Campaign(store, "a", 60) as campaign:
        assert campaign.reign.begun.wait(10)
    assert campaign.reign.events == ["begin 1", "end"]
    assert not campaign.leadership.leads


def test_a_reign_that_cannot_begin_gives_the_lease_back(store: Store) -> None:
    class Broken(Reign):
        def begin(self, grant: Grant) -> None:
            raise RuntimeError("out of threads")

    leadership = Leadership(store, Broken(), "a", 60)
    with pytest.raises(RuntimeError, match="out of threads"):
        leadership.run(threading.Event())
    assert leases.acquire(store, LEASE, "b", 60) is not None
