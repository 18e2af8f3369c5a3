"""Delivery batches as Dramatiq messages: actors, enqueuing and the worker."""

from collections.abc import Callable, Sequence

import dramatiq
import structlog
from dramatiq.errors import DramatiqError

from core.bus.topology import TASK_KINDS
from core.errors import PublishError

Deliver = Callable[[str, list[str]], None]
"""Takes the id of a batch and those of the deliveries in it."""

WAKE_MS = 500
STOP_SECONDS = 8.0

log = structlog.get_logger()


def actor_name(kind: str) -> str:
    """Return the name of the actor for a kind of channel; raises ValueError for an unknown kind."""
    if kind not in TASK_KINDS:
        raise ValueError(f"unknown kind of task {kind!r}: expected one of {', '.join(TASK_KINDS)}")
    return f"deliver_{kind}"


def declare_delivery_actors(broker: dramatiq.Broker, deliver: Deliver) -> None:
    """Declare on `broker` one actor per kind, each on the queue of that name, that calls `deliver`.

    What `deliver` raises is logged and the message dropped: the ledger's sweep finds its rows again.
    """
    for kind in TASK_KINDS:
        dramatiq.actor(actor_name=actor_name(kind), queue_name=kind, broker=broker)(deliver)


class DramatiqTaskQueue:
    """The enqueuing side of a Dramatiq broker; needs no actors in this process."""

    def __init__(self, broker: dramatiq.Broker) -> None:
        self._broker = broker

    def enqueue(self, kind: str, batch: str, ids: Sequence[str]) -> None:
        """Enqueue a batch on the queue of `kind`; raises PublishError when the broker did not confirm."""
        message: dramatiq.Message[None] = dramatiq.Message(
            queue_name=kind, actor_name=actor_name(kind), args=(batch, list(ids)), kwargs={}, options={}
        )
        try:
            self._broker.enqueue(message)
        except DramatiqError as error:
            raise PublishError(str(error)) from error


class TaskWorker:
    """Runs the actors of a broker on threads of its own."""

    def __init__(self, broker: dramatiq.Broker, threads: int, *, prefetch: int = 1) -> None:
        self._broker = broker
        self._worker = dramatiq.Worker(broker, worker_timeout=WAKE_MS, worker_threads=threads)
        # Dramatiq would fetch two messages per thread and queue, which then wait here for a busy engine
        # while other workers are idle.
        self._worker.queue_prefetch = prefetch

    def start(self) -> None:
        """Start consuming; a broker that is away is tried again every few seconds."""
        self._worker.start()

    def stop(self, timeout: float = STOP_SECONDS) -> None:
        """Take no more, wait up to `timeout` seconds for what runs, and give back the rest."""
        self._worker.stop(timeout=int(timeout * 1000))
        # Dramatiq leaves the worker subscribed to queues declared later.
        self._broker.middleware[:] = [
            each for each in self._broker.middleware if getattr(each, "worker", None) is not self._worker
        ]
