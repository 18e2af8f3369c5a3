"""Handing batches that are committed to the broker; what it does not take waits for the leader's sweep."""

from collections.abc import Callable, Sequence

import structlog
from sqlalchemy.orm import Session

from core.bus.ports import TaskQueue
from core.errors import PublishError, Unavailable
from core.store import batches
from core.store.batches import Batch
from core.store.engine import Store

log = structlog.get_logger()


class Dispatcher:
    """Enqueues batches after the commit that promoted them; safe to call from many threads."""

    def __init__(self, store: Store, tasks: TaskQueue) -> None:
        self._store, self._tasks = store, tasks

    def enqueue(self, promoted: Sequence[Batch], check: Callable[[Session], None] | None = None) -> bool:
        """Enqueue batches in order; False when the broker did not take them all.

        `check` runs in the transaction that gives the rest back, as a leader checks its token.
        """
        for index, batch in enumerate(promoted):
            try:
                self._tasks.enqueue(batch.queue, batch.id, batch.ids)
            except PublishError as error:
                log.warning("not enqueued, left to the sweep", problem=str(error))
                self.give_back([unsent.id for unsent in promoted[index:]], check)
                return False
        return True

    def give_back(self, batch_ids: Sequence[str], check: Callable[[Session], None] | None = None) -> None:
        """Let enqueued batches wait again that nobody will claim by their message."""
        try:
            with self._store.write() as session:
                if check:
                    check(session)
                batches.give_back(session, batch_ids)
        except Unavailable:
            log.warning("the sweep will find these batches a minute later", batches=len(batch_ids))
