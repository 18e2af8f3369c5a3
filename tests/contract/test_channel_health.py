"""Channels that cannot be reached: since when, when they are disabled, and what becomes of what waits."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from core.errors import Reason
from core.store import channel_health, recovery, turns
from core.store.channel_health import Tried
from core.store.engine import Store
from core.store.models import Channel, Notice
from core.store.partitions import ensure_partition
from core.store.states import ChannelState
from tests.contract.world import NOON, TODAY, World, due

PATIENCE = timedelta(days=5)


@dataclass
class Patients(World):
    """A world with one channel, and what its tries come to."""

    articles: int = 0
    account_id: str = ""
    channel_id: str = field(default="")

    def settle(self) -> "Patients":
        self.account_id = self.account()
        self.channel_id = self.webhook(self.account_id, "https://example.com/a")
        return self

    def channel(self) -> Channel:
        """Return it as it is now."""
        with self.store.read() as session:
            return session.get_one(Channel, self.channel_id)

    def wait(self, count: int = 1) -> None:
        """Have deliveries wait for the channel."""
        for _ in range(count):
            self.articles += 1
            self.make(due(self.channel_id, self.account_id), article=f"art_{self.articles}")

    def deliver(self) -> None:
        """Have one more delivered, without anything being noted."""
        self.articles += 1
        (batch,) = self.make(due(self.channel_id, self.account_id), article=f"art_{self.articles}")
        (row,) = self.claim(batch.id, f"c{self.articles}") or []
        self.finish(self.delivered(row, f"c{self.articles}"))

    def note(self, reason: Reason | None, known: datetime | None = None) -> list[str]:
        """Note how a try ended, as the writer of results does; return the channels disabled."""
        now = self.clock.now()
        tried = Tried(self.channel_id, reason is None, reason, known)
        with self.store.write() as session:
            locked = turns.lock(session, [self.channel_id])
            found = channel_health.worth_noting([tried], now, PATIENCE)
            return [one.id for one in channel_health.note(session, locked, found, now, PATIENCE)]

    def notices(self) -> list[tuple[str | None, str | None, str, str | None]]:
        with self.store.read() as session:
            rows = session.query(Notice).all()
            return [(one.account_id, one.channel_id, one.kind, one.reason) for one in rows]

    def rows(self) -> list[tuple[str, str | None]]:
        return [(row.state, row.reason) for row in self.deliveries()]


@pytest.fixture
def world(store: Store) -> Patients:
    ensure_partition(store, TODAY)
    return Patients(store).settle()


def test_the_first_failure_says_since_when_and_a_success_clears_it(world: Patients) -> None:
    assert world.note(Reason.TIMEOUT) == []
    assert world.channel().failing_since == NOON
    world.clock.advance(hours=1)
    # Another worker, which took its batch before, knows nothing of the first failure yet.
    assert world.note(Reason.DNS) == []
    assert world.channel().failing_since == NOON
    assert world.note(None, NOON) == []
    assert world.channel().failing_since is None
    assert (world.channel().state, world.notices()) == ("active", [])


def test_a_410_disables_the_channel_cancels_what_waits_and_tells_the_owner(world: Patients) -> None:
    world.wait(2)
    assert world.note(Reason.GONE) == [world.channel_id]
    assert (world.channel().state, world.channel().state_reason) == ("disabled", "gone")
    assert world.rows() == [("cancelled", "gone")] * 2
    assert world.notices() == [(world.account_id, world.channel_id, "channel_disabled", "gone")]


def test_a_second_410_tells_nobody_again(world: Patients) -> None:
    world.note(Reason.GONE)
    assert world.note(Reason.GONE) == []
    assert len(world.notices()) == 1


@pytest.mark.parametrize("state", [ChannelState.PAUSED, ChannelState.DISABLED])
def test_a_channel_that_its_owner_has_stopped_is_left_as_it_is(world: Patients, state: ChannelState) -> None:
    world.set_state(world.channel_id, state)
    assert world.note(Reason.GONE) == []
    assert (world.channel().state, world.channel().state_reason, world.notices()) == (state, None, [])


def test_five_days_of_nothing_but_failures_disable_it_and_what_waits_is_held(world: Patients) -> None:
    world.wait()
    world.note(Reason.TIMEOUT)
    world.clock.advance(days=5)
    assert world.note(Reason.TIMEOUT, NOON) == [world.channel_id]
    assert (world.channel().state, world.channel().state_reason) == ("disabled", "failing")
    assert world.rows() == [("held", None)]
    assert world.notices() == [(world.account_id, world.channel_id, "channel_disabled", "failing")]


def test_less_than_five_days_do_not(world: Patients) -> None:
    world.note(Reason.TIMEOUT)
    world.clock.advance(days=5, seconds=-1)
    assert world.note(Reason.TIMEOUT, NOON) == []
    assert world.channel().state == "active"


def test_a_success_that_was_not_noted_keeps_it_from_being_disabled(world: Patients) -> None:
    world.note(Reason.TIMEOUT)
    world.clock.advance(days=4)
    world.deliver()
    world.clock.advance(days=1)
    assert world.note(Reason.TIMEOUT, NOON) == []
    assert (world.channel().state, world.channel().failing_since) == ("active", world.clock.now())


def test_a_success_before_the_first_failure_does_not(world: Patients) -> None:
    world.deliver()
    world.clock.advance(seconds=1)
    since = world.clock.now()
    world.note(Reason.TIMEOUT)
    world.clock.advance(days=5)
    assert world.note(Reason.TIMEOUT, since) == [world.channel_id]


def test_one_that_was_noted_as_well_meanwhile_is_not_disabled(world: Patients) -> None:
    world.note(Reason.TIMEOUT)
    world.note(None, NOON)
    world.clock.advance(days=5)
    assert world.note(Reason.TIMEOUT, NOON) == []
    assert world.channel().failing_since == world.clock.now()


@pytest.mark.parametrize(("reason", "revived"), [(Reason.GONE, "cancelled"), (Reason.FAILING, "held")])
def test_what_a_disabled_channel_missed_can_be_recovered(
    world: Patients, reason: Reason, revived: str
) -> None:
    world.wait(2)
    world.note(reason)
    world.clock.advance(days=5)
    world.note(reason, NOON)
    assert {state for state, _reason in world.rows()} == {revived}
    with world.store.write() as session:
        (channel,) = turns.lock(session, [world.channel_id])
        recovery.recover_channel(session, channel, NOON, world.clock.now())
    assert world.rows() == [("pending", None)] * 2
    assert {row.enqueue_after for row in world.deliveries()} == {world.clock.now()}
    assert (world.channel().state, world.channel().failing_since) == ("active", None)


def test_resuming_gives_a_channel_its_whole_patience_again(world: Patients) -> None:
    world.note(Reason.TIMEOUT)
    world.clock.advance(days=5)
    world.note(Reason.TIMEOUT, NOON)
    world.set_state(world.channel_id, ChannelState.ACTIVE)
    assert world.note(Reason.TIMEOUT) == []
    assert (world.channel().state, world.channel().failing_since) == ("active", world.clock.now())


def test_a_channel_that_was_deleted_meanwhile_is_passed_over(world: Patients) -> None:
    with world.store.write() as session:
        session.delete(session.get_one(Channel, world.channel_id))
    assert world.note(Reason.GONE) == []
