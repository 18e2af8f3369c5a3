"""When a delivery is tried again, and when no more."""

from datetime import datetime, timedelta

import pytest

from notifiers.delivery import DeliveryService
from tests.contract.delivering.workers import Workers, attempts, of_channel, only, told
from tests.contract.world import World
from tests.receiver import Receiver, Respond


def waits(world: World) -> list[timedelta]:
    """Return how long after each try the next was due."""
    return [one.next_try_at - one.started_at for one in attempts(world) if one.next_try_at is not None]


def test_the_schedule_is_gone_through_with_jitter_until_the_delivery_has_failed(
    world: World, workers: Workers, receiver: Receiver
) -> None:
    schedule = (5, 30, 120, 900)
    workers.start(retry_schedule=schedule)
    told(world, receiver.script("/hook", Respond(500)))
    workers.settle()
    while (due := only(world).due_at) is not None:
        world.clock.advance(seconds=(due - world.clock.now()).total_seconds() - 3)
        workers.sweep_and_settle()
        assert only(world).due_at == due
        world.clock.advance(seconds=3)
        workers.sweep_and_settle()

    row = only(world)
    assert (row.state, row.reason, row.attempts, row.due_at) == ("failed", "status_5xx", 5, None)
    assert (row.finished_at, row.enqueue_after) == (world.clock.now(), None)
    assert [one.number for one in attempts(world)] == [1, 2, 3, 4, 5]
    assert len(receiver.requests) == 5
    for wait, seconds in zip(waits(world), schedule, strict=True):
        assert timedelta(seconds=seconds * 0.8) <= wait <= timedelta(seconds=seconds * 1.2)


def test_those_that_failed_together_are_not_tried_together(
    world: World, workers: Workers, service: DeliveryService, receiver: Receiver
) -> None:
    told(world, *(receiver.script(f"/{number}", Respond(500)) for number in range(20)))
    workers.settle()
    due: set[datetime | None] = {row.due_at for row in world.deliveries()}
    assert len(due) == 20
    assert None not in due


def test_each_try_is_recorded_with_when_the_next_one_is(
    world: World, workers: Workers, service: DeliveryService, receiver: Receiver
) -> None:
    told(world, receiver.script("/hook", Respond(500, b"out of order"), Respond(204)))
    workers.settle()
    due, began = only(world).due_at, world.clock.now()
    world.clock.advance(seconds=13)
    workers.sweep_and_settle()

    first, second = attempts(world)
    assert (first.number, first.started_at, first.next_try_at) == (1, began, due)
    assert (first.status, first.excerpt) == (500, "out of order")
    assert (second.number, second.started_at, second.next_try_at) == (2, world.clock.now(), None)
    assert (second.status, second.reason, second.excerpt) == (204, None, None)


def test_a_delivery_is_not_tried_before_it_is_due(
    world: World, workers: Workers, service: DeliveryService, receiver: Receiver
) -> None:
    told(world, receiver.script("/hook", Respond(500)))
    workers.settle()
    world.clock.advance(seconds=5)
    workers.sweep_and_settle()
    assert len(receiver.requests) == 1


@pytest.mark.parametrize(("schedule", "tries"), [([], 1), ([1], 2), ([1, 1, 1, 1], 5)])
def test_a_channel_may_have_a_schedule_of_its_own(
    world: World,
    workers: Workers,
    service: DeliveryService,
    receiver: Receiver,
    schedule: list[int],
    tries: int,
) -> None:
    (own,) = told(world, receiver.script("/own", Respond(500)), retry_schedule=schedule)
    (other,) = told(world, receiver.script("/other", Respond(500)), article="a2", title="Other kubernetes")
    for _ in range(6):
        workers.sweep_and_settle()
        world.clock.advance(seconds=1.5)
    ended = [row for row in world.deliveries() if row.channel_id == own]
    assert {(row.state, row.attempts) for row in ended} == {("failed", tries)}
    assert (of_channel(world, other).state, of_channel(world, other).attempts) == ("pending", 1)


def test_a_repeated_task_message_sends_nothing_again(
    world: World, workers: Workers, service: DeliveryService, receiver: Receiver
) -> None:
    told(world, receiver.url + "/hook")
    workers.settle()
    for _kind, batch_id, ids in world.tasks.batches:
        service.deliver(batch_id, ids)
    assert service.wait_until_idle(60)
    assert len(receiver.requests) == 1
