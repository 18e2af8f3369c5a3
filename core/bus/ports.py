"""What services ask of the broker, whichever one it is."""

import threading
from collections.abc import Callable, Sequence
from typing import Protocol

from dramatiq import Broker

from core.errors import PublishError
from core.message import ArticleMessage

PublishOutcome = PublishError | None
"""None when the broker has confirmed the message, else why it has not."""

Handler = Callable[[bytes], None]
"""Takes the body of one message and returns once its work is committed."""


class ArticlePublisher(Protocol):
    """Where articles are handed to everyone who consumes them; safe to call from many threads."""

    def publish(self, message: ArticleMessage) -> None:
        """Publish one article and return once the broker has confirmed it.

        Raises PublishError when it may not have arrived: publish it again.
        """

    def publish_many(self, messages: Sequence[ArticleMessage]) -> list[PublishOutcome]:
        """Publish articles together; return for each, in order, None when confirmed, else its error."""

    def close(self) -> None:
        """Give back what publishing holds; publishing afterwards raises PublishError."""


class ArticleConsumer(Protocol):
    """Where the router takes articles from."""

    def run(self, handler: Handler, stop: threading.Event) -> None:
        """Pass messages to `handler`, one at a time in this thread, until `stop` is set.

        A message is acknowledged once the handler has returned. When it raises UnreadableMessage, the
        message goes to the dead queue with that reason. When it raises Unavailable, the message is kept
        and the handler called again until it succeeds. Any other exception is tried again a few times,
        then the message goes to the dead queue with reason `handler_error`.
        """


class Announcer(Protocol):
    """Where it is said that subscriptions changed; safe to call from many threads."""

    def announce(self) -> None:
        """Have every router look at the subscriptions soon; never waits, never fails, and may be lost.

        Call it after the commit.
        """

    def close(self) -> None:
        """Give back what announcing holds; nothing is announced afterwards."""


class Listener(Protocol):
    """Where a router hears that subscriptions changed."""

    def run(self, look: Callable[[], None], stop: threading.Event) -> None:
        """Call `look` in this thread until `stop` is set: at first, soon after announcements, now and then.

        Several announcements may be one call. What `look` raises ends this.
        """


class TaskQueue(Protocol):
    """Where deliveries that are due are handed to the workers; safe to call from many threads."""

    def enqueue(self, kind: str, batch: str, ids: Sequence[str]) -> None:
        """Enqueue a batch, by its id and the delivery ids in it, on the queue of `kind`.

        Call it after the commit. Raises PublishError when the broker did not confirm; ValueError for a
        kind outside `topology.TASK_KINDS`.
        """


class Bus(Protocol):
    """One broker with everything that services ask of it."""

    @property
    def task_broker(self) -> Broker:
        """The Dramatiq broker on which actors are declared and workers run."""

    def publisher(self) -> ArticlePublisher:
        """Return a publisher of articles; `close` of the bus closes it too."""

    def consumer(self) -> ArticleConsumer:
        """Return a consumer of articles."""

    def announcer(self) -> Announcer:
        """Return what announces changed subscriptions; `close` of the bus closes it too."""

    def listener(self) -> Listener:
        """Return what hears of changed subscriptions."""

    def task_queue(self) -> TaskQueue:
        """Return the enqueuing side of the task queues."""

    def ping(self) -> None:
        """Ask the broker whether it takes this process's connections; raises Unavailable saying why not."""

    def close(self) -> None:
        """Close every publisher and connection; consumers and workers are stopped by their owners first."""
