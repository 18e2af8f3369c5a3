"""Announcing that subscriptions changed: heard at once by every router, and harmless when lost."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pika.exceptions
import pytest

from core.bus import listening, topology
from core.bus.backend import connect_bus
from core.bus.ports import Bus
from tests.contract.bus_running import WAIT_SECONDS, channel_to, eventually
from tests.servers import PrivateRabbit

NEVER = 1_000.0


@pytest.fixture(autouse=True)
def only_when_announced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "LOOK_SECONDS", NEVER)


@pytest.fixture(params=["memory", pytest.param("rabbitmq", marks=pytest.mark.rabbitmq)])
def bus(request: pytest.FixtureRequest) -> Iterator[Bus]:
    url = "memory:" if request.param == "memory" else request.getfixturevalue("fresh_broker_url")
    bus = connect_bus(url)
    yield bus
    bus.close()


class Looks:
    """Counts looks; a look that is `held` lasts until it is let go."""

    def __init__(self) -> None:
        self.count = 0
        self.free = threading.Event()
        self.free.set()

    def look(self) -> None:
        self.count += 1
        assert self.free.wait(WAIT_SECONDS)


@contextmanager
def listening_to(bus: Bus, look: Callable[[], None]) -> Iterator[threading.Event]:
    stop = threading.Event()
    thread = threading.Thread(target=bus.listener().run, args=(look, stop), name="listener under test")
    thread.start()
    try:
        yield stop
    finally:
        stop.set()
        thread.join(WAIT_SECONDS)
        assert not thread.is_alive(), "the listener did not stop"


@contextmanager
def hearing(bus: Bus) -> Iterator[Looks]:
    """Run a listener that is known to hear."""
    looks, announcer = Looks(), bus.announcer()
    with listening_to(bus, looks.look):
        assert eventually(lambda: looks.count > 0)

        def heard() -> bool:
            before = looks.count
            announcer.announce()
            return eventually(lambda: looks.count > before, 1)

        assert eventually(heard)
        yield looks


def test_a_listener_looks_without_being_told(bus: Bus) -> None:
    looks = Looks()
    with listening_to(bus, looks.look):
        assert eventually(lambda: looks.count > 0)


def test_a_listener_looks_now_and_then(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "LOOK_SECONDS", listening.STOP_CHECK_SECONDS)
    looks = Looks()
    with listening_to(bus, looks.look):
        assert eventually(lambda: looks.count > 3)


def test_every_listener_hears_each_announcement(bus: Bus) -> None:
    announcer = bus.announcer()
    with hearing(bus) as one, hearing(bus) as another:
        for _ in range(3):
            before = one.count, another.count
            announcer.announce()
            assert eventually(lambda: one.count > before[0] and another.count > before[1])  # noqa: B023


def test_many_announcements_are_few_looks(bus: Bus) -> None:
    announcer = bus.announcer()
    with hearing(bus) as looks:
        looks.free.clear()
        before = looks.count
        announcer.announce()
        assert eventually(lambda: looks.count > before)
        held = looks.count
        for _ in range(1_000):
            announcer.announce()
        looks.free.set()
        assert eventually(lambda: looks.count > held)
        assert looks.count < held + 500


def test_without_a_listener_nothing_happens(bus: Bus) -> None:
    bus.announcer().announce()


def test_a_look_that_fails_ends_the_listener(bus: Bus) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        bus.listener().run(fail, threading.Event())


def test_a_broker_that_is_away_is_nobodys_concern() -> None:
    bus = connect_bus("amqp://guest:guest@127.0.0.1:1/")
    announcer, looks = bus.announcer(), Looks()
    with listening_to(bus, looks.look):
        for _ in range(1_000):
            announcer.announce()
        assert eventually(lambda: looks.count > 0)
    bus.close()
    announcer.announce()


@pytest.mark.rabbitmq
def test_listeners_leave_no_queue_behind(fresh_broker_url: str) -> None:
    bus = connect_bus(fresh_broker_url)
    with hearing(bus), channel_to(fresh_broker_url) as channel:
        assert queues_hear(channel)
    bus.close()
    with channel_to(fresh_broker_url) as channel:
        assert eventually(lambda: not queues_hear(channel))


def queues_hear(channel: Any) -> bool:
    """Tell whether an announcement reaches any queue."""
    channel.confirm_delivery()
    try:
        channel.basic_publish(topology.SUBSCRIPTIONS_EXCHANGE, "", b"", mandatory=True)
    except pika.exceptions.UnroutableError:
        return False
    return True


@pytest.mark.rabbitmq
def test_after_an_outage_announcements_are_heard_again(private_rabbit: PrivateRabbit) -> None:
    bus = connect_bus(private_rabbit.url)
    announcer = bus.announcer()
    with hearing(bus) as looks:
        private_rabbit.kill()
        before = looks.count
        announcer.announce()
        private_rabbit.start()
        assert eventually(lambda: looks.count > before)

        def heard() -> bool:
            seen = looks.count
            announcer.announce()
            return eventually(lambda: looks.count > seen, 1)

        assert eventually(heard)
    bus.close()


@pytest.mark.rabbitmq
def test_a_frozen_broker_keeps_nobody_waiting(private_rabbit: PrivateRabbit) -> None:
    bus = connect_bus(private_rabbit.url)
    announcer = bus.announcer()
    with hearing(bus) as looks:
        private_rabbit.pause()
        for _ in range(1_000):
            announcer.announce()
        before = looks.count
        private_rabbit.resume()
        assert eventually(lambda: looks.count > before)
    bus.close()
