"""A broker that goes away, comes back, freezes or runs out of memory."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from core.bus import topology
from core.bus.backend import connect_bus
from core.bus.ports import ArticlePublisher, Bus, TaskQueue
from core.bus.rabbit_connection import connection_parameters
from core.bus.rabbit_publisher import RabbitArticlePublisher
from core.errors import PublishError, Unavailable, UnreadableMessage
from tests.contract.bus_running import (
    WAIT_SECONDS,
    article,
    eventually,
    name_of,
    routing,
    waiting_in,
    working,
)
from tests.servers import PrivateRabbit

pytestmark = pytest.mark.rabbitmq


@pytest.fixture
def bus(private_rabbit: PrivateRabbit) -> Iterator[Bus]:
    bus = connect_bus(private_rabbit.url)
    yield bus
    bus.close()


def publish_until_confirmed(publisher: ArticlePublisher, name: str) -> None:
    assert eventually(lambda: publisher.publish_many([article(name)]) == [None])


def enqueued(tasks: TaskQueue, ids: list[str]) -> bool:
    try:
        tasks.enqueue("webhook", "bat_1", ids)
    except PublishError:
        return False
    return True


def test_after_a_crash_of_the_broker_everything_recovers_by_itself(
    bus: Bus, private_rabbit: PrivateRabbit
) -> None:
    got: list[str] = []
    delivered: list[str] = []
    tasks = bus.task_queue()
    with (
        routing(bus, lambda body: got.append(name_of(body))) as publisher,
        working(bus, lambda _batch, ids: delivered.extend(ids)),
    ):
        publisher.publish(article("before"))
        tasks.enqueue("webhook", "bat_1", ["before"])
        assert eventually(lambda: got == ["before"] == delivered)

        private_rabbit.kill()
        with pytest.raises(PublishError, match="refused"):
            publisher.publish(article("lost"))
        with pytest.raises(PublishError, match="refused"):
            tasks.enqueue("webhook", "bat_1", ["lost"])
        with pytest.raises(Unavailable, match="refused"):
            bus.ping()

        private_rabbit.start()
        bus.ping()
        publish_until_confirmed(publisher, "after")
        assert eventually(lambda: enqueued(tasks, ["after"]))
        assert eventually(lambda: "after" in got and "after" in delivered)
    assert "lost" not in got + delivered


def test_after_a_restart_in_good_order_the_first_enqueue_and_publish_work(
    bus: Bus, private_rabbit: PrivateRabbit
) -> None:
    publisher, tasks = bus.publisher(), bus.task_queue()
    publisher.publish(article("before"))
    tasks.enqueue("webhook", "bat_1", ["before"])
    private_rabbit.stop()
    private_rabbit.start()
    publisher.publish(article("after"))
    tasks.enqueue("webhook", "bat_1", ["after"])
    assert waiting_in(private_rabbit.url, topology.ROUTER_QUEUE) == 2
    assert waiting_in(private_rabbit.url, "webhook") == 2


def test_a_message_in_hand_when_the_broker_restarts_is_handled_again_and_no_other_is_lost(
    bus: Bus, private_rabbit: PrivateRabbit
) -> None:
    got: list[str] = []
    begun, go_on = threading.Event(), threading.Event()

    def handle(body: bytes) -> None:
        got.append(name_of(body))
        if got == ["a0"]:
            begun.set()
            assert go_on.wait(2 * WAIT_SECONDS)

    names = [f"a{number}" for number in range(50)]
    with routing(bus, handle) as publisher:
        publisher.publish_many([article(name) for name in names])
        assert begun.wait(WAIT_SECONDS)
        private_rabbit.stop()
        private_rabbit.start()
        publish_until_confirmed(publisher, "last")
        # Its tag belongs to the connection that is gone; on the new one it would mean another message.
        go_on.set()
        assert eventually(lambda: got.count("a0") == 2 and "last" in got)
        assert eventually(lambda: set(got) == {*names, "last"})
    assert waiting_in(private_rabbit.url, topology.ROUTER_QUEUE) == 0
    assert waiting_in(private_rabbit.url, topology.DEAD_QUEUE) == 0


def test_an_outage_of_the_database_over_a_restart_of_the_broker_loses_nothing(
    bus: Bus, private_rabbit: PrivateRabbit
) -> None:
    got: list[str] = []
    called, database = threading.Event(), threading.Event()

    def handle(body: bytes) -> None:
        called.set()
        if not database.is_set():
            raise Unavailable("the database is away")
        got.append(name_of(body))

    assert bus.publisher().publish_many([article("a"), article("b")]) == [None, None]
    stop = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(bus.consumer().run, handle, stop)
        assert called.wait(WAIT_SECONDS)
        private_rabbit.stop()
        private_rabbit.start()
        database.set()
        assert eventually(lambda: {"a", "b"} <= set(got))
        stop.set()
        running.result(WAIT_SECONDS)
    assert waiting_in(private_rabbit.url, topology.ROUTER_QUEUE) == 0


def test_a_frozen_broker_costs_a_publisher_its_timeout_and_no_more(private_rabbit: PrivateRabbit) -> None:
    publisher = RabbitArticlePublisher(connection_parameters(private_rabbit.url, "publisher"), timeout=1.0)
    publisher.publish(article("before"))
    private_rabbit.pause()
    try:
        first, second = publisher.publish_many([article("a"), article("b")])
        assert "not confirm within 1 s" in str(first)
        assert "not confirm within 1 s" in str(second)
    finally:
        private_rabbit.resume()
    publish_until_confirmed(publisher, "after")
    publisher.close()


def test_a_broker_out_of_memory_is_named_as_such_and_recovered_from(private_rabbit: PrivateRabbit) -> None:
    publisher = RabbitArticlePublisher(connection_parameters(private_rabbit.url, "publisher"), timeout=1.0)
    publisher.publish(article("before"))
    private_rabbit.rabbitmqctl("set_vm_memory_high_watermark", "0.000001")
    assert eventually(lambda: "memory or disk alarm" in str(publisher.publish_many([article("a")])))
    private_rabbit.rabbitmqctl("set_vm_memory_high_watermark", "0.9")
    publish_until_confirmed(publisher, "after")
    publisher.close()


def test_a_message_that_cannot_be_put_aside_stays_with_the_broker(
    bus: Bus, private_rabbit: PrivateRabbit
) -> None:
    handled = threading.Event()

    def handle(body: bytes) -> None:
        private_rabbit.stop()
        handled.set()
        raise UnreadableMessage("invalid", name_of(body))

    stop = threading.Event()
    bus.publisher().publish(article("poison"))
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(bus.consumer().run, handle, stop)
        assert handled.wait(WAIT_SECONDS)
        stop.set()
        running.result(WAIT_SECONDS)
    private_rabbit.start()
    waiting = (topology.ROUTER_QUEUE, topology.DEAD_QUEUE)
    assert eventually(lambda: [waiting_in(private_rabbit.url, queue) for queue in waiting] == [1, 0])
