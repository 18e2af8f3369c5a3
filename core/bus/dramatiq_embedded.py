"""Dramatiq inside one process, in bounded memory."""

import threading
from collections.abc import Iterable
from queue import Empty, Full, Queue
from typing import Any

import structlog
from dramatiq import Broker, Message, MessageProxy
from dramatiq.broker import Consumer

from core.bus.task_errors import NotEnqueued, refuse_delay

QUEUE_LIMIT = 10_000

log = structlog.get_logger()


class EmbeddedBroker(Broker):
    """A Dramatiq broker without a server: what a crash loses, the ledger's sweep enqueues again."""

    def __init__(self, limit: int = QUEUE_LIMIT) -> None:
        super().__init__(middleware=[])
        self._limit = limit
        self._unfinished = 0
        self._changed = threading.Condition()
        self._closed = False

    def declare_queue(self, queue_name: str) -> None:
        """Make the queue unless it is there; it has no companion for delayed messages."""
        if queue_name in self.queues:
            return
        self.emit_before("declare_queue", queue_name)
        self.queues[queue_name] = Queue(self._limit)
        self.emit_after("declare_queue", queue_name)

    def enqueue(self, message: Message[Any], *, delay: int | None = None) -> Message[Any]:
        """Enqueue a message without waiting.

        Raises NotEnqueued when the queue is full or the broker closed, and ValueError when asked for
        a delay.
        """
        refuse_delay(delay)
        if self._closed:
            raise NotEnqueued("the task broker is closed")
        self.declare_queue(message.queue_name)
        self.emit_before("enqueue", message, delay)
        self._put(message.queue_name, message.encode())
        self.emit_after("enqueue", message, delay)
        return message

    def _put(self, queue_name: str, data: bytes) -> None:
        self._count(1)
        try:
            self.queues[queue_name].put_nowait(data)
        except Full:
            self._count(-1)
            raise NotEnqueued(f"the queue {queue_name} is full ({self._limit} messages)") from None

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 30_000) -> Consumer:
        """Return a consumer that waits up to `timeout` milliseconds for each message."""
        self.declare_queue(queue_name)
        return _EmbeddedConsumer(self.queues[queue_name], prefetch, timeout / 1000, self._count)

    def flush(self, queue_name: str) -> None:
        """Drop all messages of a queue."""
        try:
            while True:
                self.queues[queue_name].get_nowait()
                self._count(-1)
        except Empty:
            return

    def flush_all(self) -> None:
        """Drop all messages of all queues."""
        for queue_name in list(self.queues):
            self.flush(queue_name)

    def wait_idle(self, timeout: float) -> bool:
        """Wait up to `timeout` seconds until no message is queued or being processed; return whether so."""
        with self._changed:
            return self._changed.wait_for(lambda: self._unfinished == 0, timeout)

    def close(self) -> None:
        """Drop what is queued and refuse more."""
        self._closed = True
        self.flush_all()

    def _count(self, difference: int) -> None:
        with self._changed:
            self._unfinished += difference
            self._changed.notify_all()


class _EmbeddedConsumer(Consumer):
    def __init__(self, queue: Queue[bytes], prefetch: int, timeout: float, count: Any) -> None:
        self._queue = queue
        self._timeout = timeout
        self._count = count
        self._slots = threading.Semaphore(prefetch)

    def __next__(self) -> MessageProxy | None:
        if not self._slots.acquire(timeout=self._timeout):
            return None
        try:
            return MessageProxy(Message.decode(self._queue.get(timeout=self._timeout)))
        except Empty:
            self._slots.release()
            return None

    def ack(self, message: MessageProxy) -> None:
        self._slots.release()
        self._count(-1)

    def nack(self, message: MessageProxy) -> None:
        log.warning("task_dropped", queue=message.queue_name, actor=message.actor_name)
        self.ack(message)

    def requeue(self, messages: Iterable[MessageProxy]) -> None:
        """Put back what a stopping worker had fetched; drop what no longer fits."""
        for message in messages:
            try:
                self._queue.put_nowait(message.encode())
                self._slots.release()
            except Full:
                self.nack(message)
