"""The one place where a URL decides which broker there is."""

from urllib.parse import urlsplit

import pika
import pika.exceptions
from dramatiq import Broker

from core.bus.dramatiq_embedded import EmbeddedBroker
from core.bus.dramatiq_rabbit import rabbit_task_broker
from core.bus.embedded import EmbeddedArticleBus
from core.bus.listening import EmbeddedAnnouncements
from core.bus.ports import Announcer, ArticleConsumer, ArticlePublisher, Bus, Listener, TaskQueue
from core.bus.rabbit_announcements import RabbitAnnouncer, RabbitListener
from core.bus.rabbit_connection import connection_parameters, describe
from core.bus.rabbit_consumer import RabbitConsumer
from core.bus.rabbit_publisher import RabbitArticlePublisher
from core.bus.tasks import DramatiqTaskQueue
from core.errors import ConfigurationError, Unavailable


def connect_bus(broker_url: str) -> Bus:
    """Return the bus that `broker_url` names; RabbitMQ is connected to when first used.

    Raises ConfigurationError for any URL that is not `memory:`, `amqp:` or `amqps:`.
    """
    scheme = urlsplit(broker_url).scheme
    if scheme == "memory":
        return EmbeddedBus()
    if scheme in ("amqp", "amqps"):
        return RabbitBus(broker_url)
    raise ConfigurationError("CLARION_BROKER_URL: must start with memory: or amqp: or amqps:")


class EmbeddedBus:
    """Articles and tasks inside this process; all parts share one instance."""

    def __init__(self) -> None:
        self._articles = EmbeddedArticleBus()
        self._announcements = EmbeddedAnnouncements()
        self._task_broker = EmbeddedBroker()

    @property
    def task_broker(self) -> Broker:
        """The in-process Dramatiq broker."""
        return self._task_broker

    def publisher(self) -> ArticlePublisher:
        """Return the shared publisher."""
        return self._articles

    def consumer(self) -> ArticleConsumer:
        """Return the shared consumer."""
        return self._articles

    def announcer(self) -> Announcer:
        """Return the shared announcer."""
        return self._announcements

    def listener(self) -> Listener:
        """Return the shared listener."""
        return self._announcements

    def task_queue(self) -> TaskQueue:
        """Return the enqueuing side of the in-process broker."""
        return DramatiqTaskQueue(self._task_broker)

    def ping(self) -> None:
        """Return: there is nothing that could be away."""

    def close(self) -> None:
        """Refuse further tasks."""
        self._task_broker.close()


class RabbitBus:
    """Articles and tasks over RabbitMQ."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._task_broker = rabbit_task_broker(url)
        self._opened: list[ArticlePublisher | Announcer] = []

    @property
    def task_broker(self) -> Broker:
        """The Dramatiq broker on quorum queues."""
        return self._task_broker

    def publisher(self) -> ArticlePublisher:
        """Return a publisher with a connection of its own, made at its first publish."""
        publisher = RabbitArticlePublisher(connection_parameters(self._url, "publisher"))
        self._opened.append(publisher)
        return publisher

    def consumer(self) -> ArticleConsumer:
        """Return a consumer, which connects while it runs."""
        return RabbitConsumer(connection_parameters(self._url, "consumer"))

    def announcer(self) -> Announcer:
        """Return an announcer with a connection of its own, made at its first announcement."""
        announcer = RabbitAnnouncer(connection_parameters(self._url, "announcer"))
        self._opened.append(announcer)
        return announcer

    def listener(self) -> Listener:
        """Return a listener, which connects while it runs."""
        return RabbitListener(connection_parameters(self._url, "listener"))

    def task_queue(self) -> TaskQueue:
        """Return the enqueuing side; all of them share one connection."""
        return DramatiqTaskQueue(self._task_broker)

    def ping(self) -> None:
        """Connect afresh, log in and open a channel; raises Unavailable saying what went wrong."""
        parameters = connection_parameters(self._url, "ping")
        try:
            connection = pika.BlockingConnection(parameters)
            try:
                connection.channel()
            finally:
                connection.close()
        except (pika.exceptions.AMQPError, OSError) as error:
            raise Unavailable(describe(error, parameters)) from error

    def close(self) -> None:
        """Close all publishers, announcers and the task broker."""
        for each in self._opened:
            each.close()
        self._task_broker.close()
