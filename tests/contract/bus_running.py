"""Running a bus in tests: consumers, workers and a look at the broker from outside."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pika

from core.bus.ports import ArticleConsumer, ArticlePublisher, Bus, Handler
from core.bus.rabbit_consumer import WIDEN_AFTER
from core.bus.tasks import TaskWorker, declare_delivery_actors
from core.errors import PublishError
from core.message import ArticleMessage, decode

WAIT_SECONDS = 30
_GREETING = ArticleMessage(id="greeting", version=1, title="Is anybody there?")


def article(name: str) -> ArticleMessage:
    """Return an article whose id and title are `name`."""
    return ArticleMessage(id=name, version=1, title=name)


def name_of(body: bytes) -> str:
    """Return the id of the article in a message."""
    return decode(body).id


def eventually(condition: Callable[[], bool], seconds: float = WAIT_SECONDS) -> bool:
    """Return whether `condition` came true within `seconds`, looking every now and then."""
    pause = threading.Event()
    looks = int(seconds / 0.02)
    return any(condition() or pause.wait(0.02) for _ in range(looks))


@contextmanager
def consuming(consumer: ArticleConsumer, handler: Handler) -> Iterator[threading.Event]:
    """Run a consumer in a thread until the block ends; yields what stops it sooner."""
    stop = threading.Event()
    thread = threading.Thread(target=consumer.run, args=(handler, stop), name="consumer under test")
    thread.start()
    try:
        yield stop
    finally:
        stop.set()
        thread.join(WAIT_SECONDS)
        assert not thread.is_alive(), "the consumer did not stop"


@contextmanager
def routing(bus: Bus, handler: Handler) -> Iterator[ArticlePublisher]:
    """Run a consumer that has taken enough to take articles ahead, and yield a publisher for it."""
    greetings: list[bytes] = []
    publisher = bus.publisher()

    def greet_or_handle(body: bytes) -> None:
        if body == _GREETING.encode():
            greetings.append(body)
        else:
            handler(body)

    with consuming(bus.consumer(), greet_or_handle):
        assert eventually(lambda: _greeting_published(publisher))
        publisher.publish_many([_GREETING] * WIDEN_AFTER)
        assert eventually(lambda: len(greetings) > WIDEN_AFTER)
        yield publisher


def _greeting_published(publisher: ArticlePublisher) -> bool:
    try:
        publisher.publish(_GREETING)
    except PublishError:
        return False
    return True


@contextmanager
def working(
    bus: Bus, deliver: Callable[[str, list[str]], None], *, threads: int = 2, prefetch: int = 1
) -> Iterator[TaskWorker]:
    """Run a worker whose actors call `deliver`, until the block ends."""
    declare_delivery_actors(bus.task_broker, deliver)
    with running(TaskWorker(bus.task_broker, threads, prefetch=prefetch)) as worker:
        yield worker


@contextmanager
def running(worker: TaskWorker) -> Iterator[TaskWorker]:
    """Run a worker until the block ends."""
    worker.start()
    try:
        yield worker
    finally:
        worker.stop()


@contextmanager
def channel_to(url: str) -> Iterator[Any]:
    """Yield a channel of another client of the same broker."""
    connection = pika.BlockingConnection(pika.URLParameters(url))
    try:
        yield connection.channel()
    finally:
        if connection.is_open:
            connection.close()


def waiting_in(url: str, queue: str) -> int:
    """Return how many messages of a queue are ready, not counting those that a consumer holds."""
    with channel_to(url) as channel:
        return int(channel.queue_declare(queue=queue, passive=True).method.message_count)


def take(url: str, queue: str, count: int) -> Sequence[tuple[Any, bytes]]:
    """Take `count` messages off a queue, waiting for them; return properties and body of each."""
    taken: list[tuple[Any, bytes]] = []

    def take_one() -> bool:
        _, properties, body = channel.basic_get(queue, auto_ack=True)
        if body is not None:
            taken.append((properties, body))
        return len(taken) == count

    with channel_to(url) as channel:
        assert eventually(take_one), f"{len(taken)} of {count} messages arrived in {queue}"
    return taken
