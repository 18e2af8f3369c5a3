"""Campaigning for the leader's lease, and stepping down before it can have passed to another."""

import threading
import time
from collections.abc import Callable
from typing import Protocol

import structlog

from core.errors import ClarionError, Unavailable
from core.store import leases
from core.store.engine import Store
from core.store.leases import Grant

log = structlog.get_logger()

LEASE = "leader"


class Reign(Protocol):
    """What runs while this process leads."""

    def begin(self, grant: Grant) -> None:
        """Start the leader's jobs."""

    def end(self) -> None:
        """Stop them; returns when none runs any more, or soon after."""


class Leadership:
    """One thread that takes, renews and gives back the lease."""

    def __init__(
        self,
        store: Store,
        reign: Reign,
        holder: str,
        lease_seconds: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self._reign, self._holder = store, reign, holder
        self._seconds = lease_seconds
        self._interval = lease_seconds / 3
        self._monotonic = monotonic
        self._grant: Grant | None = None
        self._valid_until = 0.0

    @property
    def leads(self) -> bool:
        """Tell whether this process leads, as far as it knows."""
        return self._grant is not None

    def run(self, stop: threading.Event) -> None:
        """Campaign until told to stop, then give the lease back."""
        try:
            while not stop.is_set():
                self.step()
                stop.wait(self._interval)
        finally:
            self._resign()

    def step(self) -> None:
        """Take or renew the lease once; steps down when it is lost or can no longer be renewed in time."""
        asked_at = self._monotonic()
        try:
            if self._grant is None:
                self._campaign(asked_at)
            else:
                self._renew(self._grant, asked_at)
        except Unavailable as error:
            log.warning("the lease cannot be reached", problem=str(error))
            # Before the next try could come too late, somebody else may lead.
            if self._grant is not None and self._monotonic() + self._interval >= self._valid_until:
                self._step_down("the lease could not be renewed in time")

    def _campaign(self, asked_at: float) -> None:
        grant = leases.acquire(self._store, LEASE, self._holder, self._seconds)
        if grant is None:
            return
        self._grant, self._valid_until = grant, asked_at + self._seconds
        log.info("leading", token=grant.token)
        self._reign.begin(grant)

    def _renew(self, grant: Grant, asked_at: float) -> None:
        if leases.renew(self._store, grant, self._seconds):
            self._valid_until = asked_at + self._seconds
        else:
            self._step_down("the lease passed to another")

    def _step_down(self, why: str) -> None:
        log.warning("leading no more", reason=why)
        self._grant = None
        self._reign.end()

    def _resign(self) -> None:
        grant, self._grant = self._grant, None
        if grant is None:
            return
        self._reign.end()
        try:
            leases.release(self._store, grant)
        except ClarionError as error:
            log.warning("the lease was not given back and will expire", problem=str(error))
