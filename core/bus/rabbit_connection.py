"""One connection to RabbitMQ that a thread of its own keeps open: heartbeats, reconnection, clean close."""

import threading
from collections.abc import Callable
from typing import Any

import pika
import pika.exceptions
import structlog
from pika.adapters.select_connection import SelectConnection

from core.bus.backoff import backoff
from core.errors import ConfigurationError

HEARTBEAT_SECONDS = 30
CONNECT_SECONDS = 5
CLOSE_SECONDS = 3

log = structlog.get_logger()

Declare = Callable[[Any], None]


def connection_parameters(url: str, name: str) -> Any:
    """Return pika parameters for an `amqp:` or `amqps:` URL; `name` is what the broker's tools show.

    What the URL's query says (`heartbeat`, `socket_timeout`, …) stays. Raises ConfigurationError.
    """
    try:
        parameters = pika.URLParameters(url)
    except (ValueError, TypeError, AttributeError) as error:
        raise ConfigurationError("CLARION_BROKER_URL: not a valid amqp:// or amqps:// URL") from error
    if "heartbeat=" not in url:
        parameters.heartbeat = HEARTBEAT_SECONDS
    if "socket_timeout=" not in url:
        parameters.socket_timeout = CONNECT_SECONDS
    if "stack_timeout=" not in url:
        parameters.stack_timeout = 2 * CONNECT_SECONDS
    parameters.client_properties = {"connection_name": f"clarion {name}"}
    return parameters


def describe(error: object, parameters: Any) -> str:
    """Say in one line, without credentials, why RabbitMQ at `parameters` could not be used."""
    where = f"RabbitMQ at {parameters.host}:{parameters.port}"
    cause = _root(error)
    if isinstance(cause, pika.exceptions.ProbableAuthenticationError):
        return f"{where} refuses the user name or password"
    if isinstance(cause, pika.exceptions.ProbableAccessDeniedError):
        return f"{where} denies access to the virtual host {parameters.virtual_host!r}"
    if isinstance(cause, pika.exceptions.ConnectionClosed | pika.exceptions.ChannelClosed):
        return f"{where} says {cause.reply_code} {cause.reply_text}"
    return f"{where} does not answer: {str(cause) or type(cause).__name__}"


def _root(error: Any) -> Any:
    """Dig out of pika's nested workflow errors the one that tells the cause."""
    for attribute in ("exceptions", "exception"):
        inner = getattr(error, attribute, None)
        if inner:
            return _root(inner[-1] if isinstance(inner, list | tuple) else inner)
    if type(error) is pika.exceptions.AMQPConnectionError and error.args and error.args[0]:
        return _root(error.args[0])
    return error


class RabbitConnection:
    """A connection with one channel, opened again by itself whenever it is lost.

    `declare` runs on every new channel; `on_ready` once the broker has accepted what it declared;
    `on_lost`, with the reason, after every attempt or session that ended. All three, and what is passed
    to `call`, run in the connection's thread and must not block.
    """

    def __init__(
        self,
        parameters: Any,
        *,
        declare: Declare,
        on_ready: Callable[[Any], None],
        on_lost: Callable[[str], None],
    ) -> None:
        self._parameters = parameters
        self._declare = declare
        self._on_ready = on_ready
        self._on_lost = on_lost
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._connection: Any = None
        self._closing = False
        self._hurry = threading.Event()
        self._failures = 0
        self._reason: object = None

    def open(self) -> None:
        """Start connecting, or cut the wait before the next attempt short; returns at once."""
        self._hurry.set()
        with self._lock:
            if self._thread is None and not self._closing:
                name = self._parameters.client_properties["connection_name"]
                self._thread = threading.Thread(target=self._keep_open, name=name, daemon=True)
                self._thread.start()

    def call(self, callback: Callable[[], None]) -> None:
        """Have the connection's thread run `callback` soon; dropped when there is no connection."""
        with self._lock:
            if self._connection is not None:
                self._connection.ioloop.add_callback_threadsafe(callback)

    def close(self) -> None:
        """Finish what was passed to `call`, close the connection and end its thread."""
        with self._lock:
            self._closing = True
            thread = self._thread
        self.call(self._hang_up)
        self._hurry.set()
        if thread is not None:
            thread.join(2 * CLOSE_SECONDS)

    def _keep_open(self) -> None:
        while not self._closing:
            self._hurry.clear()
            self._serve()
            reason = describe(self._reason, self._parameters)
            if not self._closing:
                log.warning("rabbitmq_connection_lost", reason=reason, attempt=self._failures)
            self._on_lost(reason)
            if not self._closing:
                self._hurry.wait(backoff(self._failures, 0.2, 5.0))
                self._failures += 1

    def _serve(self) -> None:
        self._reason = None
        try:
            connection = SelectConnection(
                self._parameters,
                on_open_callback=self._opened,
                on_open_error_callback=self._ended,
                on_close_callback=self._ended,
            )
        except Exception as error:
            self._reason = error
            return
        with self._lock:
            self._connection = connection
        try:
            if self._closing:
                self._hang_up()
            connection.ioloop.start()
        except Exception as error:
            log.exception("rabbitmq_connection_failed")
            self._reason = error
        finally:
            with self._lock:
                self._connection = None
            connection.ioloop.close()

    def _opened(self, connection: Any) -> None:
        connection.channel(on_open_callback=self._channel_opened)

    def _channel_opened(self, channel: Any) -> None:
        channel.add_on_close_callback(self._channel_closed)
        self._declare(channel)
        # Declarations are sent without waiting; this answer comes after the broker has taken them all.
        channel.basic_qos(prefetch_count=1, callback=lambda _: self._accepted(channel))

    def _accepted(self, channel: Any) -> None:
        self._failures = 0
        self._on_ready(channel)

    def _channel_closed(self, _channel: Any, reason: Exception) -> None:
        if self._reason is None:
            self._reason = reason
        self._hang_up()

    def _ended(self, connection: Any, reason: object) -> None:
        if self._reason is None:
            self._reason = reason
        connection.ioloop.stop()

    def _hang_up(self) -> None:
        connection = self._connection
        if connection is None or connection.is_closing or connection.is_closed:
            return
        connection.close()
        connection.ioloop.call_later(CLOSE_SECONDS, connection.ioloop.stop)
