"""The leader's sweep: puts what is due into batches, and finds again what was lost on the way."""

from collections.abc import Callable

import structlog
from sqlalchemy.orm import Session

from core.bus.ports import TaskQueue
from core.clock import Clock
from core.dispatch import Dispatcher
from core.store import batches, claims, instances, ledger, turns
from core.store.batches import Batch
from core.store.engine import Store
from core.store.leases import Grant, check

log = structlog.get_logger()

DUE_AT_ONCE = 2_000


class Sweep:
    """One pass over the ledger; every write checks the leader's token in its own transaction."""

    def __init__(self, store: Store, tasks: TaskQueue, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._dispatcher = Dispatcher(store, tasks)

    def __call__(self, grant: Grant) -> None:
        """Run once; raises LeaseLost when somebody else leads."""
        self._return_lost(grant)
        self._promote(grant, self._lines_that_stopped)
        while self._batch_due(grant):
            pass
        self._promote(grant, self._waiting_and_lost)

    def _return_lost(self, grant: Grant) -> None:
        now = self._clock.now()
        with self._store.write() as session:
            check(session, grant)
            returned = claims.return_lost(session, now)
            instances.forget_old(session, now)
        if returned:
            log.warning("claims of lost workers returned", deliveries=returned)

    def _batch_due(self, grant: Grant) -> bool:
        """Put what is due into batches; True while there may be more and the broker takes it."""
        now = self._clock.now()
        with self._store.write() as session:
            check(session, grant)
            due = ledger.take_due(session, now, DUE_AT_ONCE)
            promoted = batches.put(session, due, now)
        return self._enqueue(promoted, grant) and len(due) == DUE_AT_ONCE

    def _promote(self, grant: Grant, find: Callable[[Session], list[Batch]]) -> None:
        with self._store.write() as session:
            check(session, grant)
            promoted = find(session)
        self._enqueue(promoted, grant)

    def _waiting_and_lost(self, session: Session) -> list[Batch]:
        now = self._clock.now()
        return batches.take_lost(session, now) + batches.promote_waiting(session, now)

    def _lines_that_stopped(self, session: Session) -> list[Batch]:
        """Call the heads of lines for which nobody did, as when the one before was cancelled."""
        channels = turns.lock(session, turns.stopped_lines(session))
        now = self._clock.now()
        return batches.put(session, turns.call_next(session, [c.id for c in channels], now), now)

    def _enqueue(self, promoted: list[Batch], grant: Grant) -> bool:
        return self._dispatcher.enqueue(promoted, lambda session: check(session, grant))
