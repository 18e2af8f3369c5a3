"""Tasks on RabbitMQ: quorum queues, one shared connection, and what becomes of the unreadable."""

import threading
from collections.abc import Iterator

import pika.exceptions
import pytest
from dramatiq.brokers.rabbitmq import RabbitmqBroker

from core.bus import topology
from core.bus.backend import connect_bus
from core.bus.ports import Bus
from core.errors import PublishError
from tests.contract.bus_running import channel_to, eventually, take, waiting_in, working

pytestmark = pytest.mark.rabbitmq
BATCH = "bat_1"


@pytest.fixture
def bus(fresh_broker_url: str) -> Iterator[Bus]:
    bus = connect_bus(fresh_broker_url)
    yield bus
    bus.close()


def test_a_confirmed_task_is_persistent(bus: Bus, fresh_broker_url: str) -> None:
    bus.task_queue().enqueue("webhook", BATCH, ["d1"])
    ((properties, _),) = take(fresh_broker_url, "webhook", 1)
    assert properties.delivery_mode == 2


def test_every_queue_that_dramatiq_declares_is_a_quorum_queue(bus: Bus, fresh_broker_url: str) -> None:
    with working(bus, lambda _batch, _ids: None):
        assert isinstance(bus.task_broker, RabbitmqBroker)
        assert eventually(lambda: not bus.task_broker.queues_pending)  # type: ignore[attr-defined]
    for kind in topology.TASK_KINDS:
        for queue, arguments in (
            (kind, topology.task_arguments(f"{kind}.XQ")),
            (f"{kind}.DQ", topology.delayed_task_arguments(f"{kind}.XQ")),
            (f"{kind}.XQ", topology.failed_task_arguments()),
        ):
            with channel_to(fresh_broker_url) as channel:
                channel.queue_declare(queue, durable=True, arguments=arguments)
            with (
                channel_to(fresh_broker_url) as channel,
                pytest.raises(pika.exceptions.ChannelClosedByBroker),
            ):
                channel.queue_declare(queue, durable=True)


def test_neither_enqueuing_nor_consuming_threads_keep_connections_of_their_own(bus: Bus) -> None:
    tasks = bus.task_queue()
    got: list[str] = []
    with working(bus, lambda _batch, ids: got.extend(ids)):
        threads = [threading.Thread(target=tasks.enqueue, args=("chat", BATCH, [str(n)])) for n in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert eventually(lambda: len(got) == 10)
        assert isinstance(bus.task_broker, RabbitmqBroker)
        assert bus.task_broker.connections == set()


def test_a_task_that_nobody_can_read_is_set_aside_and_the_next_is_delivered(
    bus: Bus, fresh_broker_url: str
) -> None:
    got: list[str] = []
    with working(bus, lambda _batch, ids: got.extend(ids)):
        bus.task_queue().enqueue("webhook", BATCH, ["first"])
        with channel_to(fresh_broker_url) as channel:
            for body in (b"", b"\xff", b'{"queue_name": 1}'):
                channel.basic_publish("", "webhook", body)
        bus.task_queue().enqueue("webhook", BATCH, ["second"])
        assert eventually(lambda: got == ["first", "second"])
        assert eventually(lambda: waiting_in(fresh_broker_url, "webhook.XQ") >= 2)


def test_a_task_queue_that_was_deleted_is_declared_again(bus: Bus, fresh_broker_url: str) -> None:
    bus.task_queue().enqueue("webhook", BATCH, ["d1"])
    with channel_to(fresh_broker_url) as channel:
        channel.queue_delete("webhook")
    bus.task_queue().enqueue("webhook", BATCH, ["d2"])
    assert waiting_in(fresh_broker_url, "webhook") == 1


def test_a_closed_bus_enqueues_no_more(bus: Bus) -> None:
    tasks = bus.task_queue()
    bus.close()
    with pytest.raises(PublishError, match="closed"):
        tasks.enqueue("webhook", BATCH, ["d1"])
