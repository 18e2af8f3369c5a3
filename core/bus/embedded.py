"""Articles handed on inside one process."""

import threading
from collections.abc import Sequence

import structlog

from core.bus.ports import Handler, PublishOutcome
from core.errors import PublishError
from core.message import ArticleMessage

log = structlog.get_logger()


class EmbeddedArticleBus:
    """Publisher and consumer in one: publishing runs the handlers, one article at a time.

    Never publish inside a transaction: the handlers commit their own.
    """

    def __init__(self) -> None:
        self._handlers: list[Handler] = []
        self._one_at_a_time = threading.Lock()

    def publish(self, message: ArticleMessage) -> None:
        """Return once every bound handler has taken the article.

        Raises PublishError when one fails or none is bound.
        """
        body = message.encode()
        with self._one_at_a_time:
            if not self._handlers:
                raise PublishError("nobody in this process consumes articles yet")
            for handler in self._handlers:
                _hand_over(handler, body)

    def publish_many(self, messages: Sequence[ArticleMessage]) -> list[PublishOutcome]:
        """Publish articles in order; return for each None when taken, else its error."""
        return [self._outcome(message) for message in messages]

    def _outcome(self, message: ArticleMessage) -> PublishOutcome:
        try:
            self.publish(message)
        except PublishError as error:
            return error
        return None

    def run(self, handler: Handler, stop: threading.Event) -> None:
        """Bind `handler` until `stop` is set; it is not running any more when this returns."""
        with self._one_at_a_time:
            self._handlers.append(handler)
        try:
            stop.wait()
        finally:
            with self._one_at_a_time:
                self._handlers.remove(handler)

    def close(self) -> None:
        """Do nothing: the bus holds nothing, and others may share it."""


def _hand_over(handler: Handler, body: bytes) -> None:
    try:
        handler(body)
    except Exception as error:
        log.exception("article_not_taken")
        raise PublishError(f"the article was not taken: {error}") from error
