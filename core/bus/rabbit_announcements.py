"""Announcing over RabbitMQ that subscriptions changed: at once if the broker is there, else not at all.

Nothing depends on it, for routers look at the revision log before each article. So there are no confirms, and
a message that waited for its connection stands for all that were announced meanwhile.
"""

import threading
from collections.abc import Callable
from typing import Any

from core.bus import topology
from core.bus.listening import Bell
from core.bus.rabbit_connection import RabbitConnection

SPACING_SECONDS = 0.005


class RabbitAnnouncer:
    """Announces for any number of threads over one connection, at most every 5 ms."""

    def __init__(self, parameters: Any) -> None:
        self._connection = RabbitConnection(
            parameters, declare=topology.declare, on_ready=self._ready, on_lost=self._lost
        )
        self._lock = threading.Lock()
        self._due = self._opened = False
        # Of the connection's thread.
        self._channel: Any = None
        self._blocked = self._resting = False

    def announce(self) -> None:
        """Have the connection's thread publish a message, unless it is about to."""
        with self._lock:
            if self._due:
                return
            self._due, first, self._opened = True, not self._opened, True
        if first:
            self._connection.open()
        self._connection.call(self._send)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _send(self) -> None:
        if self._channel is None or not self._channel.is_open or self._blocked or self._resting:
            return
        with self._lock:
            if not self._due:
                return
            self._due = False
        self._channel.basic_publish(topology.SUBSCRIPTIONS_EXCHANGE, "", b"")
        self._resting = True
        self._channel.connection.ioloop.call_later(SPACING_SECONDS, self._rested)

    def _rested(self) -> None:
        self._resting = False
        self._send()

    def _ready(self, channel: Any) -> None:
        channel.connection.add_on_connection_blocked_callback(lambda *_: self._set_blocked(True))
        channel.connection.add_on_connection_unblocked_callback(lambda *_: self._set_blocked(False))
        self._channel = channel
        self._send()

    def _set_blocked(self, blocked: bool) -> None:
        self._blocked = blocked
        self._send()

    def _lost(self, _reason: str) -> None:
        self._channel = None
        self._blocked = self._resting = False


class RabbitListener:
    """Hears announcements through a queue that lasts as long as its connection."""

    def __init__(self, parameters: Any) -> None:
        self._parameters = parameters

    def run(self, look: Callable[[], None], stop: threading.Event) -> None:
        """Call `look` at first, after announcements, and every 2 seconds, until `stop` is set."""
        bell = Bell()
        connection = RabbitConnection(
            self._parameters,
            declare=topology.declare,
            on_ready=lambda channel: _listen(channel, bell),
            on_lost=lambda _reason: None,
        )
        connection.open()
        try:
            bell.run(look, stop)
        finally:
            connection.close()


def _listen(channel: Any, bell: Bell) -> None:
    def consume(declared: Any) -> None:
        queue = declared.method.queue
        channel.queue_bind(queue, topology.SUBSCRIPTIONS_EXCHANGE)
        # What was announced before the queue was bound is looked at now.
        channel.basic_consume(queue, hear, auto_ack=True, exclusive=True, callback=lambda _: bell.ring())

    def hear(*_: Any) -> None:
        bell.ring()

    channel.add_on_cancel_callback(lambda _: channel.close())
    channel.queue_declare(
        "", exclusive=True, auto_delete=True, arguments=topology.LISTENER_ARGUMENTS, callback=consume
    )
