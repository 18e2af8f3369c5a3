"""Consuming articles from RabbitMQ, at least once."""

import threading
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any

import structlog

from core.bus import topology
from core.bus.backoff import backoff
from core.bus.handling import Rejected, Undecided, settle
from core.bus.ports import Handler
from core.bus.rabbit_connection import RabbitConnection
from core.bus.rabbit_publisher import ConfirmedPublisher, Outgoing
from core.errors import PublishError

PREFETCH = 32
# More than what lost sessions give back, at whose end the message that ended them comes again: it must
# meet consumers that take one at a time, or its fellows reach the delivery limit with it.
WIDEN_AFTER = 4 * PREFETCH
STOP_CHECK_SECONDS = 0.2

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message and the channel it came on: nowhere else does its tag mean anything."""

    channel: Any
    tag: int
    body: bytes


class RabbitConsumer:
    """Takes articles from the router's queue, which all replicas share."""

    def __init__(self, parameters: Any) -> None:
        self._parameters = parameters

    def run(self, handler: Handler, stop: threading.Event) -> None:
        """Pass messages to `handler` in this thread until `stop` is set, whatever the broker does."""
        consumption = _Consumption(self._parameters, handler, stop)
        try:
            consumption.serve()
        finally:
            consumption.close()


class _Consumption:
    """One run of a consumer: its connection's thread fills the inbox, the caller's thread empties it."""

    def __init__(self, parameters: Any, handler: Handler, stop: threading.Event) -> None:
        self._handler = handler
        self._stop = stop
        self._inbox: SimpleQueue[Delivery] = SimpleQueue()
        self._outage = False
        self._channel: Any = None
        self._consuming = False
        self._acked = 0
        # Publishing needs a connection of its own: one that the broker blocks would keep back acks too.
        self._dead_letters = ConfirmedPublisher(parameters, topology.declare)
        self._connection = RabbitConnection(
            parameters, declare=topology.declare, on_ready=self._ready, on_lost=self._lost
        )

    def serve(self) -> None:
        self._connection.open()
        while not self._stop.is_set():
            with suppress(Empty):
                self._process(self._inbox.get(timeout=STOP_CHECK_SECONDS))

    def close(self) -> None:
        """Give back what was not handled by closing the connection, after the acks on their way."""
        self._connection.close()
        self._dead_letters.close()

    def _process(self, delivery: Delivery) -> None:
        if not delivery.channel.is_open:
            return
        settlement = settle(self._handler, delivery.body, self._stop, self._on_outage)
        if isinstance(settlement, Undecided):
            return
        if isinstance(settlement, Rejected) and not self._put_aside(delivery, settlement):
            return
        self._connection.call(partial(self._ack, delivery))

    def _put_aside(self, delivery: Delivery, rejected: Rejected) -> bool:
        """Return True once the dead queue has the message; False leaves it with the broker."""
        attempt = 0
        while True:
            try:
                self._dead_letters.publish(_dead_letter(delivery.body, rejected))
            except PublishError as error:
                log.warning("dead_letter_not_confirmed", reason=rejected.reason, error=str(error))
            else:
                log.warning("message_put_aside", reason=rejected.reason, detail=rejected.detail)
                return True
            if self._stop.wait(backoff(attempt, 0.2, 5.0)) or not delivery.channel.is_open:
                return False
            attempt += 1

    def _on_outage(self, outage: bool) -> None:
        """While a server is away no new session consumes, so that no message's delivery count grows."""
        self._outage = outage
        if not outage:
            self._connection.call(self._consume)

    def _ready(self, channel: Any) -> None:
        self._channel = channel
        self._consuming = False
        self._acked = 0
        channel.add_on_cancel_callback(lambda _: channel.close())
        self._consume()

    def _consume(self) -> None:
        """Begin one by one: if a message ends this process or connection, no other is counted with it."""
        if self._channel is None or self._consuming or self._outage:
            return
        self._consuming = True
        self._channel.basic_consume(topology.ROUTER_QUEUE, self._receive)

    def _widen(self) -> None:
        """After many messages that ended well, take others ahead with a second consumer tag."""
        self._channel.basic_qos(prefetch_count=PREFETCH - 1)
        self._channel.basic_consume(topology.ROUTER_QUEUE, self._receive)

    def _receive(self, channel: Any, method: Any, _properties: Any, body: bytes) -> None:
        self._inbox.put(Delivery(channel, method.delivery_tag, body))

    def _ack(self, delivery: Delivery) -> None:
        if not delivery.channel.is_open:
            return
        delivery.channel.basic_ack(delivery.tag)
        self._acked += 1
        if self._acked == WIDEN_AFTER:
            self._widen()

    def _lost(self, _reason: str) -> None:
        self._channel = None


def _dead_letter(body: bytes, rejected: Rejected) -> Outgoing:
    headers = {topology.REASON_HEADER: rejected.reason, topology.DETAIL_HEADER: rejected.detail}
    return Outgoing("", topology.DEAD_QUEUE, body, "application/octet-stream", headers)
