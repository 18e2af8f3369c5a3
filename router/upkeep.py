"""What the leader does for routers: compile queries once for all, and keep the revision log short."""

from core.clock import Clock
from core.store import queries, revisions
from core.store.engine import Store
from core.store.leases import Grant, check
from core.store.revisions import Position


class Upkeep:
    """Jobs on what routers load; every write checks the leader's token in its own transaction.

    Each raises LeaseLost when somebody else leads.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._token: int | None = None
        self._position: Position | None = None

    def compile_queries(self, grant: Grant) -> None:
        """Keep the compiled form of what new subscriptions ask; at first, of what all ask."""
        since = self._position if grant.token == self._token else None
        with self._store.read() as session:
            changes = revisions.changes_since(session, since)
            for asked in queries.lacking(session, changes.numbers):
                codes = queries.compile_all(asked)
                with self._store.write() as writing:
                    check(writing, grant)
                    queries.keep(writing, codes)
        self._token, self._position = grant.token, changes.position

    def forget_queries(self, grant: Grant) -> None:
        """Drop the compiled form of what nobody asks any more."""
        with self._store.read() as session:
            for digests in queries.unused(session):
                with self._store.write() as writing:
                    check(writing, grant)
                    queries.forget(writing, digests)

    def cut_log(self, grant: Grant) -> None:
        """Delete the part of the revision log that no router needs."""
        with self._store.write() as session:
            check(session, grant)
            floor = revisions.mark(session, self._clock.now())
        while floor is not None and self._cut_part(grant, floor):
            pass

    def _cut_part(self, grant: Grant, floor: int) -> bool:
        with self._store.write() as session:
            check(session, grant)
            return revisions.cut(session, floor)
