"""Dramatiq on RabbitMQ's quorum queues, with publisher confirms."""

from typing import Any

from dramatiq import Message
from dramatiq.brokers.rabbitmq import RabbitmqBroker
from dramatiq.common import dq_name, xq_name

from core.bus import topology
from core.bus.rabbit_connection import connection_parameters
from core.bus.rabbit_publisher import ConfirmedPublisher, Outgoing
from core.bus.task_errors import NotEnqueued, refuse_delay
from core.errors import PublishError


class QuorumRabbitmqBroker(RabbitmqBroker):
    """RabbitmqBroker with replicated queues, whose threads share one connection for enqueuing.

    Delays are refused and nothing is retried: the ledger knows what is due.
    """

    def __init__(self, url: str) -> None:
        parameters = connection_parameters(url, "tasks")
        super().__init__(confirm_delivery=True, middleware=[])
        self.parameters = parameters
        self._publisher = ConfirmedPublisher(connection_parameters(url, "enqueue"), self._declare_all)

    def declare_queue(self, queue_name: str, *, ensure: bool = False) -> None:
        """Declare a queue and, unlike the base class, have no worker listen for delayed messages.

        Raises ConnectionClosed when `ensure` is set and the broker cannot be reached.
        """
        if queue_name not in self.queues:
            self.emit_before("declare_queue", queue_name)
            self.queues.add(queue_name)
            self.queues_pending.add(queue_name)
            self.emit_after("declare_queue", queue_name)
        if ensure:
            self._ensure_queue(queue_name)

    def enqueue(self, message: Message[Any], *, delay: int | None = None) -> Message[Any]:
        """Enqueue a message and return it once the broker has confirmed it.

        Raises NotEnqueued when it has not, and ValueError when asked for a delay.
        """
        refuse_delay(delay)
        self.declare_queue(message.queue_name)
        self.emit_before("enqueue", message, delay)
        try:
            self._publisher.publish(Outgoing("", message.queue_name, message.encode()))
        except PublishError as error:
            raise NotEnqueued(str(error)) from error
        self.emit_after("enqueue", message, delay)
        return message

    def close(self) -> None:
        """Close every connection."""
        self._publisher.close()
        super().close()

    def _ensure_queue(self, canonical_queue_name: str) -> None:
        try:
            super()._ensure_queue(canonical_queue_name)  # type: ignore[no-untyped-call]
        finally:
            # The base class keeps it for this thread's life, and nobody would answer its heartbeats.
            del self.connection

    def _declare_all(self, channel: Any) -> None:
        for name in self.queues.copy():
            _declare_task_queue(channel, name)
            _declare_failed_queue(channel, name)

    def _declare_queue(self, queue_name: str) -> Any:
        return _declare_task_queue(self.channel, queue_name)

    def _declare_dq_queue(self, queue_name: str) -> Any:
        arguments = topology.delayed_task_arguments(xq_name(queue_name))
        return self.channel.queue_declare(queue=dq_name(queue_name), durable=True, arguments=arguments)

    def _declare_xq_queue(self, queue_name: str) -> Any:
        return _declare_failed_queue(self.channel, queue_name)


def _declare_task_queue(channel: Any, name: str) -> Any:
    return channel.queue_declare(queue=name, durable=True, arguments=topology.task_arguments(xq_name(name)))


def _declare_failed_queue(channel: Any, name: str) -> Any:
    arguments = topology.failed_task_arguments()
    return channel.queue_declare(queue=xq_name(name), durable=True, arguments=arguments)


def rabbit_task_broker(url: str) -> QuorumRabbitmqBroker:
    """Return a Dramatiq broker for an `amqp:` or `amqps:` URL; it connects when first used.

    Raises ConfigurationError for a bad URL.
    """
    return QuorumRabbitmqBroker(url)
