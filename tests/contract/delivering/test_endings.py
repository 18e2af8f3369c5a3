"""What a worker leaves behind when it ends."""

import threading

from notifiers.delivery import DeliveryService
from tests.contract.delivering.workers import Workers, attempts, only, publish, told
from tests.contract.world import World
from tests.receiver import Hang, Receiver, Respond


def test_a_worker_that_ends_waits_for_what_is_under_way(
    world: World, workers: Workers, service: DeliveryService, receiver: Receiver
) -> None:
    release = threading.Event()
    told(world, receiver.script("/hook", Respond(after=release)))
    workers.hand_out()
    receiver.wait_for(1)

    closing = threading.Thread(target=service.close, args=(60,))
    closing.start()
    release.set()
    closing.join()
    assert (only(world).state, only(world).attempts) == ("delivered", 1)


def test_a_worker_that_ends_cuts_off_what_hangs_and_another_sends_it(
    world: World, workers: Workers, receiver: Receiver
) -> None:
    ending, other = workers.start(), workers.start()
    told(world, receiver.script("/hook", Hang(), Respond()))
    workers.hand_out(ending)
    receiver.wait_for(1)

    ending.close(patience_seconds=0.1)
    row = only(world)
    assert (row.state, row.due_at, row.claim_id, row.attempts) == ("pending", world.clock.now(), None, 0)

    workers.sweep_and_settle(other)
    assert (only(world).state, only(world).attempts) == ("delivered", 1)
    assert [one.status for one in attempts(world)] == [200]


def test_what_waits_within_a_worker_that_ends_is_given_back_untried(
    world: World, workers: Workers, service: DeliveryService, receiver: Receiver
) -> None:
    told(world, receiver.script("/hang", Hang()), article="first")
    publish(world, *(f"a{number}" for number in range(29)))
    while workers.hand_out():
        pass
    receiver.wait_for(8)
    assert {row.state for row in world.deliveries()} == {"sending"}

    service.close(patience_seconds=0.1)
    rows = world.deliveries()
    assert {(row.state, row.attempts, row.claim_id) for row in rows} == {("pending", 0, None)}
    receiver.script("/hang", Respond())
    other = workers.start()
    while {row.state for row in world.deliveries()} != {"delivered"}:
        workers.sweep_and_settle(other)
    assert {row.attempts for row in world.deliveries()} == {1}


def test_a_worker_that_has_ended_begins_nothing(
    world: World, workers: Workers, service: DeliveryService, receiver: Receiver
) -> None:
    told(world, receiver.url + "/hook")
    service.close(patience_seconds=1)
    workers.hand_out()
    assert only(world).state == "pending"
    assert receiver.requests == []


def test_a_worker_that_begins_to_stop_begins_nothing_but_finishes(
    world: World, workers: Workers, service: DeliveryService, receiver: Receiver
) -> None:
    release = threading.Event()
    told(world, receiver.script("/hook", Respond(after=release)))
    workers.hand_out()
    receiver.wait_for(1)
    service.begin_to_stop()
    publish(world, "a2")
    workers.hand_out()
    release.set()
    assert service.wait_until_idle(60)
    assert [row.state for row in world.deliveries()] == ["delivered", "pending"]
