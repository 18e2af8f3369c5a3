"""Articles over RabbitMQ: what is never dropped, never looping, and never handed out twice."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pika
import pika.exceptions
import pytest
from structlog.testing import capture_logs

from core.bus import topology
from core.bus.backend import connect_bus
from core.bus.ports import Bus
from core.bus.rabbit_consumer import WIDEN_AFTER
from core.errors import PublishError, Unavailable
from core.message import decode
from tests.contract.bus_running import (
    WAIT_SECONDS,
    article,
    channel_to,
    consuming,
    eventually,
    name_of,
    routing,
    take,
    waiting_in,
)

pytestmark = pytest.mark.rabbitmq


@pytest.fixture
def bus(fresh_broker_url: str) -> Iterator[Bus]:
    bus = connect_bus(fresh_broker_url)
    yield bus
    bus.close()


def publish_raw(url: str, body: bytes, **properties: Any) -> None:
    with channel_to(url) as channel:
        topology.declare(channel)
        channel.basic_publish(topology.ARTICLES_EXCHANGE, "", body, pika.BasicProperties(**properties))


def test_a_confirmed_article_waits_for_a_consumer(bus: Bus, fresh_broker_url: str) -> None:
    bus.publisher().publish(article("early"))
    ((properties, body),) = take(fresh_broker_url, topology.ROUTER_QUEUE, 1)
    assert name_of(body) == "early"
    assert properties.delivery_mode == 2
    assert properties.content_type == "application/json"


def test_every_further_queue_that_is_bound_gets_its_own_copy(bus: Bus, fresh_broker_url: str) -> None:
    with channel_to(fresh_broker_url) as channel:
        topology.declare(channel)
        channel.queue_declare("audit")
        channel.queue_bind("audit", topology.ARTICLES_EXCHANGE)
        bus.publisher().publish(article("a"))
    for queue in ("audit", topology.ROUTER_QUEUE):
        ((_, body),) = take(fresh_broker_url, queue, 1)
        assert name_of(body) == "a"


def test_replicas_share_the_work(bus: Bus) -> None:
    got: list[str] = []
    first_busy, go_on = threading.Event(), threading.Event()

    def stuck(_body: bytes) -> None:
        first_busy.set()
        assert go_on.wait(WAIT_SECONDS)

    publisher = bus.publisher()
    # Before a consumer declares the queue too: RabbitMQ has refused an article that came during that.
    publisher.publish(article("a"))
    with consuming(bus.consumer(), stuck):
        assert first_busy.wait(WAIT_SECONDS)
        with consuming(bus.consumer(), lambda body: got.append(name_of(body))):
            publisher.publish_many([article(f"b{number}") for number in range(50)])
            assert eventually(lambda: len(got) == 50)
            go_on.set()


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not_json"),
        (b"\xff\xfe\x00 no text", "not_json"),
        (b"[1, 2]", "invalid"),
        (b'{"id":"x","version":0,"title":"t"}', "invalid"),
        (b'{"schema":99,"id":"x","version":1,"title":"t"}', "unsupported_schema"),
    ],
)
def test_garbage_ends_in_the_dead_queue_and_the_next_is_handled(
    bus: Bus, fresh_broker_url: str, body: bytes, reason: str
) -> None:
    got: list[str] = []
    publish_raw(fresh_broker_url, body)
    with routing(bus, lambda body: got.append(decode(body).id)) as publisher:
        publisher.publish(article("next"))
        assert eventually(lambda: got == ["next"])
        ((properties, dead),) = take(fresh_broker_url, topology.DEAD_QUEUE, 1)
    assert dead == body
    assert properties.headers["reason"] == reason
    assert waiting_in(fresh_broker_url, topology.ROUTER_QUEUE) == 0


class Milliseconds(datetime):
    """A timestamp as producers send it who take AMQP's seconds for milliseconds."""

    def utctimetuple(self) -> time.struct_time:
        return time.struct_time((9_999, 12, 31, 24 * 365 * 40_000, 0, 0, 0, 365, 0))


# The broker gives the message up after 50 connections that it ended.
@pytest.mark.timeout(300)
def test_a_header_that_the_client_library_cannot_read_costs_no_other_article(
    bus: Bus, fresh_broker_url: str
) -> None:
    got: list[str] = []
    names = [f"a{number}" for number in range(WIDEN_AFTER + 60)]
    before, behind, later = names[:-40], names[-40:-20], names[-20:]
    publisher = bus.publisher()
    publisher.publish_many([article(name) for name in before])
    publish_raw(
        fresh_broker_url, article("bad").encode(), headers={"at": Milliseconds(2030, 1, 1, tzinfo=UTC)}
    )
    publisher.publish_many([article(name) for name in behind])
    with consuming(bus.consumer(), lambda body: got.append(name_of(body))):
        publisher.publish_many([article(name) for name in later])
        # Only a consumer that goes on until then has the broker give the message up.
        assert eventually(lambda: waiting_in(fresh_broker_url, topology.DEAD_QUEUE) == 1, 4 * WAIT_SECONDS)
        assert eventually(lambda: set(got) == set(names))
    assert eventually(lambda: waiting_in(fresh_broker_url, topology.ROUTER_QUEUE) == 0)
    assert waiting_in(fresh_broker_url, topology.DEAD_QUEUE) == 1
    # Those taken ahead together with it came once more, and then it was alone with each next connection.
    assert max(Counter(got).values()) <= 2


def test_an_article_that_no_handler_can_take_ends_in_the_dead_queue(bus: Bus, fresh_broker_url: str) -> None:
    got: list[str] = []

    def handle(body: bytes) -> None:
        got.append(name_of(body))
        if got[-1] == "poison":
            raise ZeroDivisionError

    with routing(bus, handle) as publisher:
        publisher.publish(article("poison"))
        publisher.publish(article("next"))
        assert eventually(lambda: "next" in got)
        ((properties, body),) = take(fresh_broker_url, topology.DEAD_QUEUE, 1)
    assert name_of(body) == "poison"
    assert properties.headers["reason"] == "handler_error"
    assert got == ["poison"] * 4 + ["next"]


def test_while_a_server_is_away_the_message_is_kept_and_none_overtakes_it(
    bus: Bus, fresh_broker_url: str
) -> None:
    got: list[str] = []

    def handle(body: bytes) -> None:
        got.append(name_of(body))
        if len(got) < 4:
            raise Unavailable("the database is away")

    names = [f"a{number}" for number in range(60)]
    with routing(bus, handle) as publisher:
        publisher.publish_many([article(name) for name in names])
        assert eventually(lambda: len(got) >= len(names) + 3)
    assert got == [names[0]] * 3 + names
    assert waiting_in(fresh_broker_url, topology.ROUTER_QUEUE) == 0
    assert waiting_in(fresh_broker_url, topology.DEAD_QUEUE) == 0


def test_told_to_stop_while_a_server_is_away_it_gives_the_message_back(bus: Bus) -> None:
    called = threading.Event()

    def away(_body: bytes) -> None:
        called.set()
        raise Unavailable("the database is away")

    got: list[str] = []
    names = ["a", "b", "c"]
    assert bus.publisher().publish_many([article(name) for name in names]) == [None] * 3
    with consuming(bus.consumer(), away):
        assert called.wait(WAIT_SECONDS)
    with consuming(bus.consumer(), lambda body: got.append(name_of(body))):
        assert eventually(lambda: len(got) == 3)
    assert got == names


def test_stopping_acknowledges_what_was_handled_and_gives_back_the_rest(
    bus: Bus, fresh_broker_url: str
) -> None:
    got: list[str] = []
    many = threading.Event()

    def handle(body: bytes) -> None:
        got.append(name_of(body))
        if len(got) == WIDEN_AFTER + 10:
            many.set()
            stop.set()

    names = [f"a{number}" for number in range(WIDEN_AFTER + 100)]
    bus.publisher().publish_many([article(name) for name in names])
    with consuming(bus.consumer(), handle) as stop:
        assert many.wait(WAIT_SECONDS)
    left = [name_of(body) for _, body in take(fresh_broker_url, topology.ROUTER_QUEUE, 90)]
    assert sorted(got + left) == sorted(names)


def test_heartbeats_are_kept_up_while_a_handler_works_long_and_a_publisher_idles(
    fresh_broker_url: str,
) -> None:
    bus = connect_bus(f"{fresh_broker_url}?heartbeat=2")
    calls: list[str] = []
    begun, never = threading.Event(), threading.Event()

    def work_long(body: bytes) -> None:
        calls.append(name_of(body))
        begun.set()
        never.wait(7)

    with capture_logs() as logs:
        publisher = bus.publisher()
        publisher.publish(article("long"))
        with consuming(bus.consumer(), work_long):
            assert begun.wait(WAIT_SECONDS)
        publisher.publish(article("after a long silence"))
        bus.close()
    assert calls == ["long"]
    assert waiting_in(fresh_broker_url, topology.ROUTER_QUEUE) == 1
    assert not [entry for entry in logs if entry["event"] == "rabbitmq_connection_lost"]


def test_a_queue_deleted_under_a_publisher_is_declared_again(bus: Bus, fresh_broker_url: str) -> None:
    publisher = bus.publisher()
    publisher.publish(article("a"))
    with channel_to(fresh_broker_url) as channel:
        channel.queue_delete(topology.ROUTER_QUEUE)
    publisher.publish(article("b"))
    ((_, body),) = take(fresh_broker_url, topology.ROUTER_QUEUE, 1)
    assert name_of(body) == "b"


def test_a_queue_deleted_under_a_consumer_is_declared_and_consumed_again(
    bus: Bus, fresh_broker_url: str
) -> None:
    got: list[str] = []
    with routing(bus, lambda body: got.append(name_of(body))) as publisher:
        with channel_to(fresh_broker_url) as channel:
            channel.queue_delete(topology.ROUTER_QUEUE)
        publisher.publish(article("a"))
        assert eventually(lambda: got == ["a"])


def test_a_queue_of_another_make_is_reported_not_used(bus: Bus, fresh_broker_url: str) -> None:
    with channel_to(fresh_broker_url) as channel:
        channel.queue_declare(topology.ROUTER_QUEUE, durable=True)
    with pytest.raises(PublishError, match="406 PRECONDITION_FAILED"):
        bus.publisher().publish(article("a"))


def test_a_closed_publisher_refuses(bus: Bus) -> None:
    publisher = bus.publisher()
    publisher.publish(article("a"))
    publisher.close()
    with pytest.raises(PublishError, match="closed"):
        publisher.publish(article("b"))


def test_closing_while_others_publish_leaves_nobody_waiting(bus: Bus) -> None:
    publisher = bus.publisher()
    with ThreadPoolExecutor(4) as pool:
        running = [pool.submit(publisher.publish_many, [article("a")] * 500) for _ in range(4)]
        publisher.close()
        outcomes = [outcome for each in running for outcome in each.result(WAIT_SECONDS)]
    assert len(outcomes) == 2_000
    assert {type(outcome) for outcome in outcomes} <= {type(None), PublishError}


def test_the_queues_are_quorum_queues_with_the_agreed_limits(bus: Bus, fresh_broker_url: str) -> None:
    bus.publisher().publish(article("a"))
    for queue, arguments in (
        (topology.ROUTER_QUEUE, topology.ROUTER_ARGUMENTS),
        (topology.DEAD_QUEUE, topology.DEAD_ARGUMENTS),
    ):
        with channel_to(fresh_broker_url) as channel:
            channel.queue_declare(queue, durable=True, arguments=arguments)
        with channel_to(fresh_broker_url) as channel, pytest.raises(pika.exceptions.ChannelClosedByBroker):
            channel.queue_declare(queue, durable=True, arguments={**arguments, "x-queue-type": "classic"})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("guest:guest", "guest:wrong"), "refuses the user name or password"),
        (("/clarion_test", "/no_such"), "virtual host"),
        ((":5672", ":1"), "refused"),
    ],
)
def test_a_ping_says_in_words_what_is_wrong(
    fresh_broker_url: str, change: tuple[str, str], words: str
) -> None:
    if change[0] not in fresh_broker_url:
        pytest.skip(f"the broker's URL has no {change[0]} in it")
    bus = connect_bus(fresh_broker_url.replace(*change))
    with pytest.raises(Unavailable, match=words) as caught:
        bus.ping()
    assert "wrong" not in str(caught.value)
    with pytest.raises(PublishError, match=words):
        bus.publisher().publish(article("a"))
    with pytest.raises(PublishError, match=words):
        bus.task_queue().enqueue("webhook", "2030-01-01", ["d1"])
    bus.close()
