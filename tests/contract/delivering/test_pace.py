"""Rate limits and strict order, with two workers on one database."""

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from itertools import groupby

import pytest
from sqlalchemy import update

from core.clock import SystemClock
from core.store.engine import Store, open_store
from core.store.models import Channel
from core.store.schema import migrate
from core.store.states import ChannelState
from notifiers.delivery import DeliveryService
from tests.contract.delivering.workers import Workers, attempts, change, eventually, publish, told
from tests.contract.world import World
from tests.receiver import Receiver, Respond


@pytest.fixture
def stores(postgresql_url: str) -> Iterator[tuple[Store, Store]]:
    """Two processes' ways to one database."""
    with closing(open_store(postgresql_url)) as one, closing(open_store(postgresql_url)) as two:
        migrate(one)
        yield one, two


def begun(world: World) -> list[float]:
    """Return when each try began, in seconds."""
    return sorted(one.started_at.timestamp() for one in attempts(world))


@pytest.mark.postgresql
def test_no_second_sees_more_than_the_limit_however_many_workers_there_are(
    stores: tuple[Store, Store], receiver: Receiver
) -> None:
    clock, rate = SystemClock(), 10
    world = World(stores[0])
    workers = Workers(world)
    for store in stores:
        workers.start(store=store, clock=clock)
    account = world.account()
    world.subscribe(account, world.webhook(account, receiver.url + "/hook", rate_limit=rate), "kubernetes")
    publish(world, *(f"a{number}" for number in range(40)), clock=clock)

    def all_done() -> bool:
        workers.sweep(clock=clock)
        for number, (_kind, batch_id, ids) in enumerate(workers.new_batches()):
            workers.services[number % 2].deliver(batch_id, ids)
        return {row.state for row in world.deliveries()} == {"delivered"}

    eventually(all_done)
    workers.close()

    times = begun(world)
    assert {row.attempts for row in world.deliveries()} == {1}
    assert len({request.header("webhook-id") for request in receiver.requests}) == 40
    assert len(receiver.requests) == len(times) == 40
    assert [
        later - earlier for earlier, later in zip(times, times[rate:], strict=False) if later - earlier < 1
    ] == []
    # Nothing can arrive before it was sent, so arrivals may bunch, but not run ahead.
    arrived = sorted(request.at for request in receiver.requests)
    assert all(at >= times[0] + number // rate for number, at in enumerate(arrived))


def test_what_has_a_slot_later_waits_in_the_ledger(
    world: World, workers: Workers, service: DeliveryService, receiver: Receiver
) -> None:
    account = world.account()
    world.subscribe(account, world.webhook(account, receiver.url + "/hook", rate_limit=0.1), "kubernetes")
    publish(world, "a1", "a2", "a3")
    workers.settle()

    first, *later = world.deliveries()
    assert (first.state, first.attempts) == ("delivered", 1)
    for number, row in enumerate(later, start=1):
        assert (row.state, row.attempts, row.step, row.reason) == ("pending", 0, 0, None)
        assert row.slot_at == row.due_at
        assert row.due_at is not None
        assert row.enqueue_after == row.due_at - timedelta(seconds=2)
        assert timedelta(seconds=10 * number) <= row.due_at - attempts(world)[0].started_at
    assert len(receiver.requests) == 1


# --- strict order


def test_a_strict_channel_gets_everything_in_the_order_of_the_ledger(
    world: World, workers: Workers, receiver: Receiver
) -> None:
    count = 20
    for _ in range(2):
        workers.start()
    account = world.account()
    answers = [Respond(500 if number % 3 == 1 else 200) for number in range(10 * count)]
    url = receiver.script("/hook", *answers)
    strict = world.webhook(account, url, ordering="strict", retry_schedule=[0, 0, 0])
    world.subscribe(account, strict, "kubernetes")
    publish(world, *(f"a{number}" for number in range(count)))
    while {row.state for row in world.deliveries()} != {"delivered"}:
        workers.sweep_and_settle()

    ledger = [row.id for row in world.deliveries()]
    arrived = [request.header("webhook-id") for request in receiver.requests]
    assert [id_ for id_, _repeats in groupby(arrived)] == ledger
    assert len(arrived) == sum(row.attempts for row in world.deliveries())
    assert len(arrived) > count
    assert {row.sequence for row in world.deliveries()} == {None}


def test_what_has_failed_for_good_lets_the_next_go(
    world: World, workers: Workers, service: DeliveryService, receiver: Receiver
) -> None:
    answers = Respond(500), Respond(500), Respond()
    told(world, receiver.script("/hook", *answers), ordering="strict", retry_schedule=[60])
    publish(world, "a2")
    workers.settle()
    failing, waiting = world.deliveries()
    assert (failing.state, failing.attempts) == ("pending", 1)
    assert (waiting.state, waiting.attempts, waiting.due_at) == ("pending", 0, None)

    world.clock.advance(seconds=73)
    workers.sweep_and_settle()
    assert [(row.state, row.attempts) for row in world.deliveries()] == [("failed", 2), ("delivered", 1)]


def test_what_is_cancelled_at_the_head_of_the_line_lets_the_next_go(
    world: World, workers: Workers, service: DeliveryService, receiver: Receiver
) -> None:
    account = world.account()
    channel = world.webhook(account, receiver.script("/hook", Respond(500), Respond()), ordering="strict")
    first = world.subscribe(account, channel, "first")
    world.subscribe(account, channel, "second")
    publish(world, "a1", title="the first")
    publish(world, "a2", title="the second")
    workers.settle()
    world.unsubscribe(first)
    world.clock.advance(seconds=13)
    workers.sweep_and_settle()
    workers.sweep_and_settle()
    assert [(row.state, row.attempts) for row in world.deliveries()] == [("cancelled", 1), ("delivered", 1)]


def test_a_strict_channel_that_was_paused_goes_on_in_order(
    world: World, workers: Workers, service: DeliveryService, receiver: Receiver
) -> None:
    (channel,) = told(world, receiver.url + "/hook", ordering="strict")
    publish(world, "a2", "a3")
    change(world, update(Channel).where(Channel.id == channel).values(state=ChannelState.PAUSED))
    workers.settle()
    assert {row.state for row in world.deliveries()} <= {"held", "pending"}
    assert receiver.requests == []

    world.set_state(channel, ChannelState.ACTIVE)
    for _ in range(3):
        workers.sweep_and_settle()
    assert {row.state for row in world.deliveries()} == {"delivered"}
    arrived = [request.header("webhook-id") for request in receiver.requests]
    assert arrived == [row.id for row in world.deliveries()]
