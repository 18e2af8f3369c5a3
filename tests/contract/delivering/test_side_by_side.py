"""That nobody pays for a slow receiver, and that workers side by side send nothing twice."""

import threading

import pytest

from notifiers.delivery import DeliveryService
from notifiers.lines import Bounds
from tests.contract.delivering.workers import Workers, attempts, eventually, of_channel, only, publish, told
from tests.contract.world import World
from tests.receiver import Hang, Receiver, Respond


def states(world: World, *channels: str) -> set[str]:
    """Return in which states the deliveries of these channels are."""
    return {row.state for row in world.deliveries() if row.channel_id in channels}


def test_one_that_hangs_costs_99_others_nothing(
    world: World, workers: Workers, service: DeliveryService, receiver: Receiver
) -> None:
    hanging, *healthy = told(
        world, receiver.script("/hang", Hang()), *(f"{receiver.url}/{number}" for number in range(99))
    )
    for article in ("a2", "a3"):
        publish(world, article)
    workers.hand_out()

    eventually(lambda: states(world, *healthy) == {"delivered"})
    assert len(receiver.requests) - len(receiver.requests_for("/hang")) == 297
    assert states(world, hanging) == {"sending"}


def test_a_result_is_written_while_others_of_its_batch_are_under_way(
    world: World, workers: Workers, service: DeliveryService, receiver: Receiver
) -> None:
    release = threading.Event()
    slow, quick = told(world, receiver.script("/slow", Respond(after=release)), receiver.url + "/quick")
    workers.hand_out()
    eventually(lambda: of_channel(world, quick).state == "delivered")
    assert of_channel(world, slow).state == "sending"

    release.set()
    assert service.wait_until_idle(60)
    assert of_channel(world, slow).state == "delivered"


def test_one_that_hangs_with_more_than_there_is_room_for_leaves_room(
    world: World, workers: Workers, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("notifiers.delivery.JOBS_AT_ONCE", 60)
    workers.start(bounds=Bounds(channel_waiting=30))
    (hanging,) = told(world, receiver.script("/hang", Hang()), article="first")
    publish(world, *(f"b{number}" for number in range(99)))
    while workers.hand_out():
        pass
    eventually(lambda: [row.state for row in world.deliveries()].count("pending") == 100 - 30 - 8)
    (healthy,) = told(world, receiver.url + "/healthy", article="last")
    while workers.hand_out():
        pass

    eventually(lambda: states(world, healthy) == {"delivered"})
    rows = [row for row in world.deliveries() if row.channel_id == hanging]
    assert {row.state for row in rows} == {"sending", "pending"}
    # What found no room comes back without having used up a try.
    assert {(row.attempts, row.step, row.reason) for row in rows} == {(0, 0, None)}
    assert len(receiver.requests_for("/hang")) == 8


@pytest.mark.parametrize("hanging", [12, 60])
def test_retries_to_many_that_hang_do_not_keep_back_first_tries(
    world: World, workers: Workers, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, hanging: int
) -> None:
    monkeypatch.setattr("notifiers.delivery.JOBS_AT_ONCE", 40)
    workers.start(bounds=Bounds(total=8, suspects_waiting=20))
    slow = told(world, *(receiver.script(f"/slow/{n}", Respond(500), Hang()) for n in range(hanging)))
    workers.settle()
    world.clock.advance(seconds=13)
    workers.sweep()
    workers.hand_out()
    receiver.wait_for(hanging + 2)  # a quarter of the connections

    (healthy,) = told(world, receiver.url + "/healthy", article="last", title="News of kubernetes")
    delivering = threading.Thread(target=workers.hand_out)
    delivering.start()
    eventually(lambda: states(world, healthy) == {"delivered"})
    delivering.join()
    assert {row.state for row in world.deliveries() if row.attempts == 1 and row.channel_id in slow} <= {
        "sending",
        "pending",
    }


def test_two_workers_with_the_same_tasks_send_once(
    world: World, workers: Workers, receiver: Receiver
) -> None:
    services = workers.start(), workers.start()
    told(world, *(f"{receiver.url}/{number}" for number in range(20)))
    publish(world, *(f"b{number}" for number in range(10)))
    batches = list(world.tasks.batches)

    def deliver_all(service: DeliveryService) -> None:
        for _kind, batch_id, ids in batches:
            service.deliver(batch_id, ids)

    threads = [threading.Thread(target=deliver_all, args=(service,)) for service in services]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    workers.settle()
    assert {row.state for row in world.deliveries()} == {"delivered"}
    assert len({request.header("webhook-id") for request in receiver.requests}) == 220
    assert len(receiver.requests) == 220


def test_a_late_result_of_a_claim_that_was_lost_is_dropped(
    world: World, workers: Workers, receiver: Receiver
) -> None:
    release = threading.Event()
    first, second = workers.start(), workers.start()
    told(world, receiver.script("/hook", Respond(500, after=release), Respond(200)))
    workers.hand_out(first)
    receiver.wait_for(1)

    world.clock.advance(seconds=61)
    workers.sweep()
    workers.settle(second)
    release.set()
    assert first.wait_until_idle(60)

    assert (only(world).state, only(world).attempts) == ("delivered", 1)
    assert [(one.number, one.status) for one in attempts(world)] == [(1, 200)]
    assert len(receiver.requests) == 2
