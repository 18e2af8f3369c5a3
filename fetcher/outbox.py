"""The outbox: committed first, then published, then marked."""

from collections.abc import Sequence
from datetime import timedelta

import structlog

from core.bus.ports import ArticlePublisher
from core.clock import Clock
from core.store import entries
from core.store.engine import Store
from core.store.entries import Unpublished
from core.store.leases import Grant, check

log = structlog.get_logger()

# Whoever made a row publishes it at once; the leader looks after those that are still there later.
LEFT_BEHIND_AFTER = timedelta(seconds=5)


class Outbox:
    """Publishes what waits in the outbox, under the leader's token."""

    def __init__(self, store: Store, publisher: ArticlePublisher, clock: Clock) -> None:
        self._store, self._publisher, self._clock = store, publisher, clock

    def __call__(self, grant: Grant) -> None:
        """Publish everything that was left behind; a leader's job."""
        while True:
            with self._store.read() as session:
                before = self._clock.now() - LEFT_BEHIND_AFTER
                waiting = entries.unpublished(session, changed_before=before)
            if not waiting or not self.publish(waiting, grant):
                return

    def publish(self, waiting: Sequence[Unpublished], grant: Grant) -> bool:
        """Publish messages and mark those that were confirmed; return whether all were."""
        confirmed = self.send(waiting)
        with self._store.write() as session:
            check(session, grant)
            entries.mark_published(session, confirmed)
        return len(confirmed) == len(waiting)

    def send(self, waiting: Sequence[Unpublished]) -> list[Unpublished]:
        """Publish messages; return those that were confirmed, for the caller to mark."""
        if not waiting:
            return []
        outcomes = self._publisher.publish_many([item.message for item in waiting])
        problem = next((outcome for outcome in outcomes if outcome is not None), None)
        if problem is not None:
            log.warning("articles wait in the outbox", problem=str(problem))
        return [item for item, outcome in zip(waiting, outcomes, strict=True) if outcome is None]
