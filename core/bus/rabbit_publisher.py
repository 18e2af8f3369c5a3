"""Publishing to RabbitMQ with publisher confirms."""

import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import pika
import structlog

from core.bus import topology
from core.bus.ports import PublishOutcome
from core.bus.rabbit_connection import Declare, RabbitConnection
from core.errors import PublishError
from core.ids import new_id
from core.message import ArticleMessage

PUBLISH_SECONDS = 10.0
# RabbitMQ 3.10 does not tell the consumers of a deleted quorum queue when one of the same name is declared
# within some ten milliseconds: they would wait for ever.
REDECLARE_SECONDS = 1.0

log = structlog.get_logger()


@dataclass(eq=False, slots=True)
class Outgoing:
    """One message on its way to an exchange, and the promise of its confirm."""

    exchange: str
    routing_key: str
    body: bytes
    content_type: str = "application/json"
    headers: dict[str, str] | None = None
    id: str = field(default_factory=lambda: new_id("msg"))
    routed_again: bool = False
    confirmed: Future[None] = field(default_factory=Future)

    def settle(self, error: PublishError | None) -> None:
        """Tell whoever waits, unless they have given up."""
        if not self.confirmed.set_running_or_notify_cancel():
            return
        if error is None:
            self.confirmed.set_result(None)
        else:
            self.confirmed.set_exception(error)

    def properties(self) -> Any:
        """Return the AMQP properties: persistent, with its content type, headers and id."""
        return pika.BasicProperties(
            delivery_mode=2, content_type=self.content_type, headers=self.headers, message_id=self.id
        )


class ConfirmedPublisher:
    """Publishes for any number of threads over one connection, many confirms in flight at once.

    What a lost connection leaves unconfirmed is sent again over the next one, or fails when that cannot
    be opened: a message may arrive twice. It connects at the first publish.
    """

    def __init__(self, parameters: Any, declare: Declare, timeout: float = PUBLISH_SECONDS) -> None:
        self._declare = declare
        self._timeout = timeout
        self._connection = RabbitConnection(
            parameters, declare=declare, on_ready=self._ready, on_lost=self._lost
        )
        self._lock = threading.Lock()
        self._waiting: deque[Outgoing] = deque()
        self._unconfirmed: dict[int, Outgoing] = {}
        self._returned: set[str] = set()
        self._unrouted: list[Outgoing] = []
        self._channel: Any = None
        self._sent = 0
        self._blocked = False
        self._closed = False

    def publish(self, message: Outgoing) -> None:
        """Return once the broker has confirmed `message`; raises PublishError."""
        (error,) = self.publish_many([message])
        if error is not None:
            raise error

    def publish_many(self, messages: Sequence[Outgoing]) -> list[PublishOutcome]:
        """Send all, then wait for their confirms together; return None or an error for each, in order."""
        with self._lock:
            if self._closed:
                return [PublishError("the publisher is closed") for _ in messages]
            self._waiting.extend(messages)
        self._connection.open()
        self._connection.call(self._send_waiting)
        deadline = time.monotonic() + self._timeout
        return [self._outcome(message, deadline) for message in messages]

    def close(self) -> None:
        """Close the connection; what is still unconfirmed fails."""
        with self._lock:
            self._closed = True
        self._connection.close()
        self._fail_all("the publisher was closed")

    def _outcome(self, message: Outgoing, deadline: float) -> PublishOutcome:
        try:
            message.confirmed.result(max(0.0, deadline - time.monotonic()))
        except PublishError as error:
            return error
        except TimeoutError:
            return self._give_up(message)
        return None

    def _give_up(self, message: Outgoing) -> PublishOutcome:
        if not message.confirmed.cancel():
            return self._outcome(message, time.monotonic() + 1.0)
        self._connection.call(self._forget_cancelled)
        why = ": it blocks publishers (a memory or disk alarm)" if self._blocked else ""
        return PublishError(f"RabbitMQ did not confirm within {self._timeout:g} s{why}")

    def _ready(self, channel: Any) -> None:
        channel.add_on_return_callback(self._on_return)
        channel.connection.add_on_connection_blocked_callback(lambda *_: self._set_blocked(True))
        channel.connection.add_on_connection_unblocked_callback(lambda *_: self._set_blocked(False))
        channel.confirm_delivery(self._on_confirm, callback=lambda _: self._confirming(channel))

    def _confirming(self, channel: Any) -> None:
        self._channel = channel
        self._sent = 0
        self._send_waiting()

    def _set_blocked(self, blocked: bool) -> None:
        self._blocked = blocked
        self._send_waiting()

    def _send_waiting(self) -> None:
        while self._waiting and self._channel is not None and self._channel.is_open and not self._blocked:
            message = self._waiting.popleft()
            if not message.confirmed.cancelled():
                self._send(message)

    def _send(self, message: Outgoing) -> None:
        self._sent += 1
        self._unconfirmed[self._sent] = message
        self._channel.basic_publish(
            message.exchange, message.routing_key, message.body, message.properties(), mandatory=True
        )

    def _on_return(self, _channel: Any, _method: Any, properties: Any, _body: bytes) -> None:
        self._returned.add(properties.message_id)

    def _on_confirm(self, frame: Any) -> None:
        method = frame.method
        refused = isinstance(method, pika.spec.Basic.Nack)
        for message in self._confirmed_by(method.delivery_tag, method.multiple):
            if refused:
                message.settle(PublishError("RabbitMQ refused the message"))
            elif message.id in self._returned:
                self._returned.discard(message.id)
                self._route_again(message)
            else:
                message.settle(None)

    def _confirmed_by(self, tag: int, multiple: bool) -> list[Outgoing]:
        tags = [sent for sent in self._unconfirmed if sent <= tag] if multiple else [tag]
        return [self._unconfirmed.pop(each) for each in tags if each in self._unconfirmed]

    def _route_again(self, message: Outgoing) -> None:
        """Declare anew what somebody deleted under us, and send once more."""
        if message.routed_again:
            message.settle(PublishError(f"no queue for {message.exchange or message.routing_key}"))
            return
        message.routed_again = True
        if not self._unrouted:
            log.warning("queue_missing", exchange=message.exchange, routing_key=message.routing_key)
            self._channel.connection.ioloop.call_later(REDECLARE_SECONDS, self._redeclare)
        self._unrouted.append(message)

    def _redeclare(self) -> None:
        if self._channel is not None and self._channel.is_open:
            self._declare(self._channel)
        self._waiting.extend(self._unrouted)
        self._unrouted.clear()
        self._send_waiting()

    def _forget_cancelled(self) -> None:
        for _ in range(len(self._waiting)):
            message = self._waiting.popleft()
            if not message.confirmed.cancelled():
                self._waiting.append(message)

    def _lost(self, reason: str) -> None:
        had_session = self._channel is not None
        self._channel = None
        self._blocked = False
        self._returned.clear()
        self._waiting.extendleft(reversed([*self._unconfirmed.values(), *self._unrouted]))
        self._unconfirmed.clear()
        self._unrouted.clear()
        if not had_session or self._closed:
            self._fail_all(reason)

    def _fail_all(self, reason: str) -> None:
        while self._waiting:
            self._waiting.popleft().settle(PublishError(reason))


class RabbitArticlePublisher:
    """Publishes articles to the fanout exchange."""

    def __init__(self, parameters: Any, timeout: float = PUBLISH_SECONDS) -> None:
        self._publisher = ConfirmedPublisher(parameters, topology.declare, timeout)

    def publish(self, message: ArticleMessage) -> None:
        """Return once the broker has confirmed the article; raises PublishError."""
        self._publisher.publish(_to_everyone(message))

    def publish_many(self, messages: Sequence[ArticleMessage]) -> list[PublishOutcome]:
        """Publish articles with their confirms pipelined; return None or an error for each, in order."""
        return self._publisher.publish_many([_to_everyone(message) for message in messages])

    def close(self) -> None:
        """Close the connection; what is still unconfirmed fails."""
        self._publisher.close()


def _to_everyone(message: ArticleMessage) -> Outgoing:
    return Outgoing(topology.ARTICLES_EXCHANGE, "", message.encode())
