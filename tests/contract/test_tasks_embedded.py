"""Tasks inside one process: memory stays bounded, and it is known when all is done."""

import threading
from collections.abc import Iterator

import pytest
from dramatiq import Message

from core.bus.dramatiq_embedded import EmbeddedBroker
from core.bus.tasks import DramatiqTaskQueue, TaskWorker, declare_delivery_actors
from core.errors import PublishError
from tests.contract.bus_running import WAIT_SECONDS, running

BATCH = "bat_1"


@pytest.fixture
def broker() -> Iterator[EmbeddedBroker]:
    broker = EmbeddedBroker(limit=3)
    yield broker
    broker.close()


def test_a_full_queue_refuses_and_takes_again_once_there_is_room(broker: EmbeddedBroker) -> None:
    tasks = DramatiqTaskQueue(broker)
    for name in ("a", "b", "c"):
        tasks.enqueue("webhook", BATCH, [name])
    with pytest.raises(PublishError, match="full"):
        tasks.enqueue("webhook", BATCH, ["d"])
    tasks.enqueue("chat", BATCH, ["other queues have their own room"])
    broker.flush("webhook")
    tasks.enqueue("webhook", BATCH, ["d"])


def test_it_is_idle_once_the_last_actor_has_returned(broker: EmbeddedBroker) -> None:
    go_on = threading.Event()

    def deliver(_batch: str, _ids: list[str]) -> None:
        assert go_on.wait(WAIT_SECONDS)

    declare_delivery_actors(broker, deliver)
    assert broker.wait_idle(0)
    with running(TaskWorker(broker, 1)):
        DramatiqTaskQueue(broker).enqueue("webhook", BATCH, ["d"])
        assert not broker.wait_idle(0.1)
        go_on.set()
        assert broker.wait_idle(WAIT_SECONDS)


def test_a_message_for_no_actor_is_dropped_and_not_kept(broker: EmbeddedBroker) -> None:
    got: list[str] = []
    declare_delivery_actors(broker, lambda _batch, ids: got.extend(ids))
    with running(TaskWorker(broker, 1)):
        broker.enqueue(Message("webhook", "stranger", (), {}, {}))
        DramatiqTaskQueue(broker).enqueue("webhook", BATCH, ["d"])
        assert broker.wait_idle(WAIT_SECONDS)
    assert got == ["d"]


def test_closed_it_drops_what_is_queued_and_refuses_more(broker: EmbeddedBroker) -> None:
    tasks = DramatiqTaskQueue(broker)
    tasks.enqueue("webhook", BATCH, ["d"])
    broker.close()
    assert broker.wait_idle(0)
    with pytest.raises(PublishError, match="closed"):
        tasks.enqueue("webhook", BATCH, ["e"])
