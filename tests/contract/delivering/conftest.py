"""What every test of delivering gets."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from core.clock import ManualClock
from core.store.engine import Store
from notifiers.delivery import DeliveryService
from tests.contract.delivering.workers import Workers
from tests.contract.world import World


@pytest.fixture
def world(store: Store) -> World:
    """An installation with nothing in it, on a clock that stands still."""
    # The libraries that verify signatures compare their time with the machine's.
    return World(store, ManualClock(datetime.now(UTC).replace(microsecond=0)))


@pytest.fixture
def workers(world: World) -> Iterator[Workers]:
    """No worker yet; those that are started end with the test."""
    made = Workers(world)
    yield made
    made.close()


@pytest.fixture
def service(workers: Workers) -> DeliveryService:
    """One worker."""
    return workers.start()
