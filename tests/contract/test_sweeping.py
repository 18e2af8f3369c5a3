"""The leader's sweep over the ledger, on both databases."""

from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from core.errors import Reason
from core.store import claims, instances, leases, ledger
from core.store.batches import BATCH_SIZE, IN_BROKER
from core.store.claims import Claimed, Finished
from core.store.engine import Store, open_store
from core.store.instances import InstanceInfo
from core.store.leases import Grant, LeaseLost
from core.store.models import Instance, Lease
from core.store.partitions import ensure_partition
from core.store.schema import migrate
from core.store.states import ChannelState, DeliveryState
from notifiers.sweep import Sweep
from tests.contract.world import NOON, TODAY, World, due

YESTERDAY = TODAY - timedelta(days=1)


@pytest.fixture
def world(store: Store) -> World:
    for day in (TODAY, YESTERDAY):
        ensure_partition(store, day)
    return World(store)


@pytest.fixture
def grant(store: Store) -> Grant:
    granted = leases.acquire(store, "leader", "me", 600)
    assert granted is not None
    return granted


@pytest.fixture
def sweep(world: World) -> Sweep:
    return Sweep(world.store, world.tasks, world.clock)


def make(world: World, count: int = 1, *, article: str = "art_1", **row: Any) -> list[str]:
    """Make deliveries whose batches the broker loses; return their ids."""
    before = {one.id for one in world.deliveries()}
    world.make(*(due(f"ch_{number}", **row) for number in range(count)), article=article)
    return sorted(one.id for one in world.deliveries() if one.id not in before)


def claim_all(world: World, instance: str = "i1", claim_id: str = "c1") -> list[Claimed]:
    """Claim whatever batches are not claimed, as a worker would that dies afterwards."""
    rows: list[Claimed] = []
    for batch in world.batches_left():
        rows += world.claim(batch.id, claim_id, instance) or []
    return rows


def beat(world: World, instance: str) -> None:
    with world.store.write() as session:
        instances.beat(session, InstanceInfo(instance, "worker", "host", "1", NOON), world.clock.now())


def test_what_was_just_made_is_left_to_the_router(world: World, sweep: Sweep, grant: Grant) -> None:
    make(world, 3)
    sweep(grant)
    assert world.tasks.batches == []


def test_what_the_broker_lost_is_enqueued_again_after_a_minute_and_every_minute(
    world: World, sweep: Sweep, grant: Grant
) -> None:
    ids = make(world, 3)
    for minute in (1, 2):
        world.clock.advance(seconds=61)
        sweep(grant)
        sweep(grant)
        assert sorted(world.tasks.ids) == sorted(ids * minute)


def test_a_retry_is_enqueued_when_it_is_due(world: World, sweep: Sweep, grant: Grant) -> None:
    make(world)
    (row,) = claim_all(world)
    later = world.clock.now() + timedelta(seconds=300)
    failed = Finished(
        row.id,
        TODAY,
        "c1",
        DeliveryState.PENDING,
        Reason.TIMEOUT,
        due_at=later,
        enqueue_after=later,
        attempt=1,
        started_at=NOON,
    )
    world.finish(failed)
    with world.store.write() as session:
        claims.end(session, ["c1"])

    world.clock.advance(seconds=299)
    sweep(grant)
    assert world.tasks.ids == []
    world.clock.advance(seconds=1)
    sweep(grant)
    assert world.tasks.ids == [row.id]
    assert [batch.retry for batch in world.batches_left()] == [True]


def test_batches_are_of_one_queue_and_one_day(world: World, sweep: Sweep, grant: Grant) -> None:
    account = world.account()
    first, second = (world.webhook(account, f"https://example.com/{n}", ChannelState.PAUSED) for n in (1, 2))
    expected = set()
    for number, (queue, day) in enumerate(
        [("webhook", TODAY), ("email", TODAY), ("webhook", YESTERDAY), ("email", YESTERDAY)]
    ):
        rows = [due(channel, account, queue=queue, state=DeliveryState.HELD) for channel in (first, second)]
        world.make(*rows, article=f"art_{number}", day=day)
        made = [row.id for row in world.deliveries() if row.article_id == f"art_{number}"]
        expected.add((queue, tuple(made)))
    for channel in (first, second):
        world.set_state(channel, ChannelState.ACTIVE)
    sweep(grant)
    assert {(queue, tuple(sorted(ids))) for queue, _batch, ids in world.tasks.batches} == expected


def test_a_backlog_gets_into_batches_in_one_pass_and_a_little_of_it_into_the_broker(
    world: World, sweep: Sweep, grant: Grant
) -> None:
    account = world.account()
    channel = world.webhook(account, "https://example.com/a", ChannelState.PAUSED)
    for number in range(0, 4_500, 300):
        rows = [due(f"ch_{number + n}", account, state=DeliveryState.HELD) for n in range(299)]
        world.make(due(channel, account, state=DeliveryState.HELD), *rows, article=f"art_{number}")
    with world.store.write() as session:
        for one in {row.channel_id for row in world.deliveries()}:
            ledger.release_channel(session, one, world.clock.now())
    sweep(grant)
    batched = [id_ for batch in world.batches_left() for id_ in batch.delivery_ids]
    assert sorted(batched) == [row.id for row in world.deliveries()]
    assert max(len(batch.delivery_ids) for batch in world.batches_left()) <= BATCH_SIZE
    assert len(world.tasks.batches) == IN_BROKER[False]


@pytest.mark.parametrize("state", [DeliveryState.HELD, DeliveryState.DELIVERED, DeliveryState.CANCELLED])
def test_what_must_not_be_sent_is_not_enqueued(
    world: World, sweep: Sweep, grant: Grant, state: DeliveryState
) -> None:
    make(world, 2, state=state)
    world.clock.advance(hours=2)
    sweep(grant)
    assert world.tasks.ids == []


def test_what_was_held_is_enqueued_at_once_when_its_channel_is_resumed(
    world: World, sweep: Sweep, grant: Grant
) -> None:
    account = world.account()
    channel = world.webhook(account, "https://example.com/a")
    (batch,) = world.make(due(channel, account))
    world.set_state(channel, ChannelState.PAUSED)
    assert world.claim(batch.id) == []
    with world.store.write() as session:
        claims.end(session, ["c1"])
    world.clock.advance(seconds=61)
    sweep(grant)
    assert world.tasks.ids == []

    world.set_state(channel, ChannelState.ACTIVE)
    sweep(grant)
    assert world.tasks.ids == batch.ids


# --- what workers lost


def test_what_a_silent_worker_had_is_enqueued_in_the_same_pass(
    world: World, sweep: Sweep, grant: Grant
) -> None:
    beat(world, "living")
    kept = make(world)
    claim_all(world, "living", "c1")
    lost = make(world, article="art_2")
    claim_all(world, "dead", "c2")
    sweep(grant)
    assert world.tasks.ids == lost
    assert {row.id: row.state for row in world.deliveries()} == {lost[0]: "pending", kept[0]: "sending"}


def test_a_worker_that_falls_silent_loses_what_it_had_after_15_seconds(
    world: World, sweep: Sweep, grant: Grant
) -> None:
    ids = make(world)
    beat(world, "slow")
    claim_all(world, "slow")
    world.clock.advance(seconds=14)
    sweep(grant)
    assert world.tasks.ids == []
    world.clock.advance(seconds=2)
    sweep(grant)
    assert world.tasks.ids == ids


def test_a_claim_past_its_deadline_is_lost_however_alive_its_worker_is(
    world: World, sweep: Sweep, grant: Grant
) -> None:
    ids = make(world)
    claim_all(world, "stuck")
    world.clock.advance(seconds=61)
    beat(world, "stuck")
    sweep(grant)
    assert world.tasks.ids == ids


def test_processes_that_died_long_ago_are_forgotten(world: World, sweep: Sweep, grant: Grant) -> None:
    beat(world, "old")
    world.clock.advance(hours=23)
    beat(world, "new")
    world.clock.advance(hours=2)
    sweep(grant)
    with world.store.read() as session:
        assert [row.id for row in session.query(Instance)] == ["new"]


# --- the broker away


def test_what_the_broker_does_not_take_is_handed_out_by_the_next_pass(
    world: World, sweep: Sweep, grant: Grant
) -> None:
    ids = make(world, 450)
    world.clock.advance(seconds=61)
    world.tasks.broken = True
    sweep(grant)
    assert world.tasks.ids == []
    assert {batch.state for batch in world.batches_left()} == {"waiting"}

    world.tasks.broken = False
    sweep(grant)
    assert sorted(world.tasks.ids) == ids


# --- who may


def depose(world: World) -> None:
    with world.store.write() as session:
        session.execute(update(Lease).values(expires_at=NOON.replace(year=2020)))
    assert leases.acquire(world.store, "leader", "another", 600) is not None


def moved(world: World) -> list[Any]:
    deliveries = [(row.id, row.state, row.due_at, row.enqueue_after) for row in world.deliveries()]
    return deliveries + [(batch.id, batch.state, batch.enqueue_after) for batch in world.batches_left()]


def test_a_deposed_leader_moves_nothing(world: World, sweep: Sweep, grant: Grant) -> None:
    make(world, 2)
    claim_all(world, "dead")
    make(world, 2, article="art_2")
    make(world, 1, article="art_3", state=DeliveryState.HELD)
    with world.store.write() as session:
        ledger.release_channel(session, "ch_0", world.clock.now())
    world.clock.advance(seconds=61)
    before = moved(world)
    depose(world)

    with pytest.raises(LeaseLost):
        sweep(grant)

    assert moved(world) == before
    assert world.tasks.ids == []


@pytest.mark.postgresql
def test_what_another_transaction_is_taking_is_left_to_it(postgresql_url: str) -> None:
    with closing(open_store(postgresql_url)) as one, closing(open_store(postgresql_url)) as two:
        migrate(one)
        ensure_partition(one, TODAY)
        world = World(one)
        make(world, 10, state=DeliveryState.HELD)
        with one.write() as session:
            for number in range(10):
                ledger.release_channel(session, f"ch_{number}", world.clock.now())
        with one.write() as first, two.write() as second:
            taken = ledger.take_due(first, world.clock.now())
            assert ledger.take_due(second, world.clock.now()) == []
        assert len(taken) == 10
