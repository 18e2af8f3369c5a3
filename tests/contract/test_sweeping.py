"""The leader's sweep over the ledger, on both databases."""

from contextlib import closing
from datetime import timedelta

import pytest
from sqlalchemy import update

from core.errors import Reason
from core.store import instances, leases, ledger
from core.store.engine import Store, open_store
from core.store.instances import InstanceInfo
from core.store.leases import Grant, LeaseLost
from core.store.ledger import Finished, NewDelivery
from core.store.models import Instance, Lease
from core.store.partitions import ensure_partition
from core.store.schema import migrate
from core.store.states import ChannelState, DeliveryState
from notifiers.sweep import Sweep
from tests.contract.world import NOON, World

TODAY = NOON.date()
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


def make(
    world: World,
    count: int = 1,
    *,
    queue: str = "webhook",
    state: DeliveryState = DeliveryState.PENDING,
    day: int = 0,
    article: str = "art_1",
) -> list[str]:
    rows = [
        NewDelivery(f"ch_{number}", "acc", queue, "article.published", state, [["s", "q"]], 1)
        for number in range(count)
    ]
    before = {row.id for row in world.deliveries()}
    with world.store.write() as session:
        ledger.make(session, article, 1, TODAY - timedelta(days=day), rows, world.clock.now())
    return sorted(row.id for row in world.deliveries() if row.id not in before)


def claim(world: World, ids: list[str], instance: str, claim_id: str = "c1") -> None:
    with world.store.write() as session:
        assert len(ledger.claim(session, TODAY, ids, claim_id, instance, world.clock.now())) == len(ids)


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
    (id_,) = make(world)
    claim(world, [id_], "i1")
    due = world.clock.now() + timedelta(seconds=300)
    with world.store.write() as session:
        failed = Finished(id_, DeliveryState.PENDING, Reason.TIMEOUT, due_at=due, attempt=1, started_at=NOON)
        assert ledger.finish(session, TODAY, "c1", [failed], world.clock.now()) == 1

    world.clock.advance(seconds=299)
    sweep(grant)
    assert world.tasks.ids == []
    world.clock.advance(seconds=1)
    sweep(grant)
    assert world.tasks.ids == [id_]


def test_batches_are_of_one_queue_and_one_day(world: World, sweep: Sweep, grant: Grant) -> None:
    expected = {
        ("webhook", "2026-03-01", tuple(make(world, 2))),
        ("email", "2026-03-01", tuple(make(world, 2, queue="email", article="art_2"))),
        ("webhook", "2026-02-28", tuple(make(world, 2, day=1, article="art_3"))),
    }
    world.clock.advance(seconds=61)
    sweep(grant)
    assert {(queue, day, tuple(sorted(ids))) for queue, day, ids in world.tasks.batches} == expected


def test_a_backlog_is_enqueued_whole_in_one_pass(world: World, sweep: Sweep, grant: Grant) -> None:
    ids = make(world, 4_500)
    world.clock.advance(seconds=61)
    sweep(grant)
    assert sorted(world.tasks.ids) == ids
    assert max(len(batch) for _queue, _day, batch in world.tasks.batches) <= 200


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
    new = NewDelivery(
        channel, account, "webhook", "article.published", DeliveryState.PENDING, [["s", "q"]], 1
    )
    with world.store.write() as session:
        ledger.make(session, "art_1", 1, TODAY, [new], world.clock.now())
    world.set_state(channel, ChannelState.PAUSED)
    world.clock.advance(seconds=61)
    sweep(grant)
    assert world.tasks.ids == []

    world.set_state(channel, ChannelState.ACTIVE)
    sweep(grant)
    assert len(world.tasks.ids) == 1


# --- what workers lost


def test_what_a_silent_worker_had_is_enqueued_in_the_same_pass(
    world: World, sweep: Sweep, grant: Grant
) -> None:
    lost, kept = make(world, 2)
    beat(world, "living")
    claim(world, [kept], "living", "c1")
    claim(world, [lost], "dead", "c2")
    sweep(grant)
    assert world.tasks.ids == [lost]
    assert {row.id: row.state for row in world.deliveries()} == {lost: "pending", kept: "sending"}


def test_a_worker_that_falls_silent_loses_what_it_had_after_15_seconds(
    world: World, sweep: Sweep, grant: Grant
) -> None:
    (id_,) = make(world)
    beat(world, "slow")
    claim(world, [id_], "slow")
    world.clock.advance(seconds=14)
    sweep(grant)
    assert world.tasks.ids == []
    world.clock.advance(seconds=2)
    sweep(grant)
    assert world.tasks.ids == [id_]


def test_a_claim_past_its_deadline_is_lost_however_alive_its_worker_is(
    world: World, sweep: Sweep, grant: Grant
) -> None:
    (id_,) = make(world)
    claim(world, [id_], "stuck")
    world.clock.advance(seconds=61)
    beat(world, "stuck")
    sweep(grant)
    assert world.tasks.ids == [id_]


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

    world.tasks.broken = False
    sweep(grant)
    assert sorted(world.tasks.ids) == ids


# --- who may


def depose(world: World) -> None:
    with world.store.write() as session:
        session.execute(update(Lease).values(expires_at=NOON.replace(year=2020)))
    assert leases.acquire(world.store, "leader", "another", 600) is not None


def test_a_deposed_leader_moves_nothing(world: World, sweep: Sweep, grant: Grant) -> None:
    make(world, 2)
    claim(world, [make(world, article="art_2")[0]], "dead")
    world.clock.advance(seconds=61)
    before = [(row.id, row.state, row.enqueue_after) for row in world.deliveries()]
    depose(world)

    with pytest.raises(LeaseLost):
        sweep(grant)

    assert [(row.id, row.state, row.enqueue_after) for row in world.deliveries()] == before
    assert world.tasks.ids == []


@pytest.mark.postgresql
def test_what_another_transaction_is_taking_is_left_to_it(postgresql_url: str) -> None:
    with closing(open_store(postgresql_url)) as one, closing(open_store(postgresql_url)) as two:
        migrate(one)
        ensure_partition(one, TODAY)
        world = World(one)
        make(world, 10)
        world.clock.advance(seconds=61)
        with one.write() as first, two.write() as second:
            (taken,) = ledger.take_due(first, world.clock.now())
            assert ledger.take_due(second, world.clock.now()) == []
        assert len(taken.ids) == 10
