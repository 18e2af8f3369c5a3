"""Articles inside one process: publishing tells whether they were taken."""

from collections.abc import Iterator

import pytest

from core.bus.backend import connect_bus
from core.bus.ports import Bus
from core.errors import ConfigurationError, PublishError, Unavailable, UnreadableMessage
from tests.contract.bus_running import article, name_of, routing


@pytest.fixture
def bus() -> Iterator[Bus]:
    bus = connect_bus("memory:")
    yield bus
    bus.close()


def test_without_a_consumer_nothing_is_confirmed(bus: Bus) -> None:
    with pytest.raises(PublishError, match="nobody"):
        bus.publisher().publish(article("a"))


def test_an_article_is_confirmed_once_the_handler_has_returned(bus: Bus) -> None:
    got: list[str] = []
    with routing(bus, lambda body: got.append(name_of(body))) as publisher:
        publisher.publish(article("a"))
        assert got == ["a"]


@pytest.mark.parametrize("error", [ZeroDivisionError(), Unavailable("away"), UnreadableMessage("invalid")])
def test_what_the_handler_raises_leaves_the_article_unconfirmed(bus: Bus, error: Exception) -> None:
    def fail(body: bytes) -> None:
        if name_of(body) == "bad":
            raise error

    with routing(bus, fail) as publisher:
        with pytest.raises(PublishError, match="not taken"):
            publisher.publish(article("bad"))
        publisher.publish(article("good"))


def test_of_many_only_the_failed_ones_are_unconfirmed(bus: Bus) -> None:
    def fail(body: bytes) -> None:
        if name_of(body) == "bad":
            raise ZeroDivisionError

    with routing(bus, fail) as publisher:
        first, second, third = publisher.publish_many([article("a"), article("bad"), article("c")])
    assert (first, third) == (None, None)
    assert isinstance(second, PublishError)


def test_a_stopped_consumer_is_no_longer_asked(bus: Bus) -> None:
    got: list[bytes] = []
    with routing(bus, got.append) as publisher:
        pass
    with pytest.raises(PublishError):
        publisher.publish(article("a"))
    assert got == []


@pytest.mark.parametrize("url", ["redis://localhost", "", "amqp", "postgresql://x", "amqp://host:notaport/"])
def test_a_url_that_names_no_broker_is_a_configuration_error(url: str) -> None:
    with pytest.raises(ConfigurationError, match="CLARION_BROKER_URL"):
        connect_bus(url)
