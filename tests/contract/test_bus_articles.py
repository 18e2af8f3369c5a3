"""Articles from publisher to handler: the same over every broker."""

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from core.bus.backend import connect_bus
from core.bus.ports import Bus
from core.message import ArticleMessage, SourceRef, decode
from tests.contract.bus_running import WAIT_SECONDS, article, consuming, eventually, name_of, routing


@pytest.fixture(params=["memory", pytest.param("rabbit", marks=pytest.mark.rabbitmq)])
def bus(request: pytest.FixtureRequest) -> Iterator[Bus]:
    url = "memory:" if request.param == "memory" else request.getfixturevalue("fresh_broker_url")
    bus = connect_bus(url)
    yield bus
    bus.close()


def test_the_handler_gets_what_was_published(bus: Bus) -> None:
    sent = ArticleMessage(
        id="1",
        version=7,
        title="Überschrift – 標題",
        summary="ß " * 1_000,
        source=SourceRef(id="s", name="S"),
    )
    got: list[bytes] = []
    with routing(bus, got.append) as publisher:
        publisher.publish(sent)
        assert eventually(lambda: bool(got))
    assert [decode(body) for body in got] == [sent]


def test_many_published_together_arrive_once_each_in_order(bus: Bus) -> None:
    names = [f"a{number}" for number in range(300)]
    got: list[str] = []
    with routing(bus, lambda body: got.append(name_of(body))) as publisher:
        assert publisher.publish_many([article(name) for name in names]) == [None] * len(names)
        assert eventually(lambda: len(got) >= len(names))
    assert sorted(got) == sorted(names)


def test_nothing_published_together_is_nothing(bus: Bus) -> None:
    assert bus.publisher().publish_many([]) == []


def test_many_threads_share_a_publisher_and_the_handler_runs_one_at_a_time(bus: Bus) -> None:
    busy = threading.Lock()
    got: Counter[str] = Counter()

    def handle(body: bytes) -> None:
        assert busy.acquire(blocking=False), "two articles handled at once"
        try:
            got[name_of(body)] += 1
        finally:
            busy.release()

    names = [f"a{number}" for number in range(200)]
    with routing(bus, handle) as publisher, ThreadPoolExecutor(8) as pool:
        list(pool.map(publisher.publish, map(article, names)))
        assert eventually(lambda: got.total() >= len(names))
    assert got == Counter(names)


def test_stopping_waits_for_the_article_being_handled(bus: Bus) -> None:
    begun, go_on = threading.Event(), threading.Event()
    finished: list[str] = []

    def handle(body: bytes) -> None:
        begun.set()
        assert go_on.wait(WAIT_SECONDS)
        finished.append(name_of(body))

    publisher = bus.publisher()
    with consuming(bus.consumer(), handle) as stop, ThreadPoolExecutor(1) as pool:
        # In process nobody may be bound yet at the first try.
        published = pool.submit(eventually, lambda: publisher.publish_many([article("a")]) == [None])
        assert begun.wait(WAIT_SECONDS)
        stop.set()
        go_on.set()
        assert published.result(WAIT_SECONDS)
    assert finished == ["a"]


def test_a_consumer_can_run_again_after_it_was_stopped(bus: Bus) -> None:
    got: list[str] = []
    handled = threading.Event()

    def handle(body: bytes) -> None:
        got.append(name_of(body))
        handled.set()

    for name in ("first", "second"):
        handled.clear()
        with routing(bus, handle) as publisher:
            publisher.publish(article(name))
            assert handled.wait(WAIT_SECONDS)
    assert got == ["first", "second"]


def test_a_bus_that_is_there_answers_a_ping(bus: Bus) -> None:
    bus.ping()


def test_closing_twice_is_harmless(bus: Bus) -> None:
    bus.publisher().close()
    bus.close()
