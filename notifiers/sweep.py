"""The leader's sweep: enqueues what is due, and finds again what was lost on the way."""

import structlog

from core.bus.ports import TaskQueue
from core.clock import Clock
from core.errors import PublishError
from core.store import instances, ledger
from core.store.engine import Store
from core.store.leases import Grant, check

log = structlog.get_logger()


class Sweep:
    """One pass over the ledger; every write checks the leader's token in its own transaction."""

    def __init__(self, store: Store, tasks: TaskQueue, clock: Clock) -> None:
        self._store, self._tasks, self._clock = store, tasks, clock

    def __call__(self, grant: Grant) -> None:
        """Run once; raises LeaseLost when somebody else leads."""
        self._return_lost(grant)
        while self._enqueue_due(grant):
            pass

    def _return_lost(self, grant: Grant) -> None:
        now = self._clock.now()
        with self._store.write() as session:
            check(session, grant)
            returned = ledger.return_lost_claims(session, now)
            instances.forget_old(session, now)
        if returned:
            log.warning("claims of lost workers returned", deliveries=returned)

    def _enqueue_due(self, grant: Grant) -> bool:
        with self._store.write() as session:
            check(session, grant)
            batches = ledger.take_due(session, self._clock.now())
        for index, batch in enumerate(batches):
            try:
                self._tasks.enqueue(batch.queue, batch.day.isoformat(), batch.ids)
            except PublishError as error:
                log.warning("the broker takes no tasks", problem=str(error))
                self._give_back(grant, batches[index:])
                return False
        return bool(batches)

    def _give_back(self, grant: Grant, batches: list[ledger.Batch]) -> None:
        with self._store.write() as session:
            check(session, grant)
            ledger.give_back_to_sweep(session, batches, self._clock.now())
