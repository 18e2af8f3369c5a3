"""Workers over one database, and the leader's sweep, as tests of delivering drive them."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from ipaddress import ip_network
from typing import Any

from sqlalchemy import select

import notifiers.channels
from core.clock import Clock
from core.egress import EgressPolicy
from core.registry import discover
from core.store import instances, leases
from core.store.engine import Store
from core.store.instances import InstanceInfo
from core.store.leases import Grant
from core.store.models import Attempt, Delivery
from notifiers.channels.base import Transports
from notifiers.delivery import DeliveryService, DeliverySettings
from notifiers.rendering import template_environment
from notifiers.sweep import Sweep
from router.service import Router
from tests.contract.test_routing import message
from tests.contract.world import World

OPEN = EgressPolicy((ip_network("127.0.0.0/8"),))
CLOSED = EgressPolicy()
# A receiver that hangs does so for as long as the slowest test takes.
SETTINGS = DeliverySettings((10, 100), total_seconds=100.0)
_DEADLINE_SECONDS = 60


@dataclass
class Workers:
    """Worker processes, each an instance of its own that is heard of whenever the leader looks."""

    world: World
    made: list[DeliveryService] = field(default_factory=list)
    _handed_out: int = 0

    def start(
        self,
        *,
        policy: EgressPolicy = OPEN,
        store: Store | None = None,
        clock: Clock | None = None,
        **settings: Any,
    ) -> DeliveryService:
        """Start one; `settings` are those of `DeliverySettings`."""
        transports = Transports(
            mail=None,
            mail_from="clarion@example.com",
            templates=template_environment(),
            egress=policy,
            clock=clock or self.world.clock,
        )
        service = DeliveryService(
            store or self.world.store,
            self.world.tasks,
            discover(notifiers.channels, "KIND"),
            transports,
            self.world.box,
            instance=f"ins_{len(self.made)}",
            settings=replace(SETTINGS, **settings),
            clock=clock or self.world.clock,
        )
        service.start()
        self.made.append(service)
        return service

    @property
    def services(self) -> list[DeliveryService]:
        """All that were started."""
        return list(self.made)

    def new_batches(self) -> list[tuple[str, str, list[str]]]:
        """Return every batch enqueued since: its queue, its id and its deliveries."""
        batches = self.world.tasks.batches[self._handed_out :]
        self._handed_out += len(batches)
        return batches

    def hand_out(self, *services: DeliveryService) -> int:
        """Give every batch enqueued since to each of the services (all by default); return how many."""
        batches = self.new_batches()
        for _kind, batch_id, ids in batches:
            for service in services or self.services:
                service.deliver(batch_id, ids)
        return len(batches)

    def settle(self, *services: DeliveryService) -> None:
        """Hand out until nothing more is enqueued and nothing is under way."""
        while self.hand_out(*services):
            for service in services or self.services:
                assert service.wait_until_idle(_DEADLINE_SECONDS)

    def sweep(self, *, alive: bool = True, clock: Clock | None = None) -> None:
        """Run the leader's sweep once; the workers were heard of just before, unless they are not `alive`."""
        time = clock or self.world.clock
        if alive:
            self._beat(time.now())
        Sweep(self.world.store, self.world.tasks, time)(self._grant)

    def sweep_and_settle(self, *services: DeliveryService) -> None:
        """Have what is due enqueued, and all of it sent."""
        self.sweep()
        self.settle(*services)

    def close(self, patience_seconds: float = 0.0) -> None:
        """End all of them, cutting off what hangs."""
        for service in self.made:
            service.close(patience_seconds)

    @cached_property
    def _grant(self) -> Grant:
        granted = leases.acquire(self.world.store, "leader", "me", 600)
        assert granted is not None
        return granted

    def _beat(self, now: datetime) -> None:
        with self.world.store.write() as session:
            for number in range(len(self.made)):
                instances.beat(session, InstanceInfo(f"ins_{number}", "worker", "host", "1", now), now)


def told(
    world: World, *urls: str, article: str = "a1", title: str = "Kubernetes", **channel: Any
) -> list[str]:
    """Have an article matched for a webhook at each URL; return the channels."""
    account = world.account()
    made = [world.webhook(account, url, **channel) for url in urls]
    for channel_id in made:
        world.subscribe(account, channel_id, "kubernetes")
    publish(world, article, title=title)
    return made


def publish(world: World, *articles: str, clock: Clock | None = None, **fields: Any) -> None:
    """Have articles routed."""
    router = Router(world.store, world.tasks, clock or world.clock)
    for article in articles:
        router.handle(message(id=article, **({"title": "Kubernetes"} | fields)))


def only(world: World) -> Delivery:
    """Return the one delivery that there is."""
    (row,) = world.deliveries()
    return row


def of_channel(world: World, channel_id: str) -> Delivery:
    """Return the one delivery of a channel."""
    (row,) = (row for row in world.deliveries() if row.channel_id == channel_id)
    return row


def attempts(world: World) -> list[Attempt]:
    """Return all attempts, in the order of their numbers."""
    with world.store.read() as session:
        return list(session.execute(select(Attempt).order_by(Attempt.number, Attempt.delivery_id)).scalars())


def change(world: World, statement: Any) -> None:
    """Change what is stored behind everybody's back."""
    with world.store.write() as session:
        session.execute(statement)


def eventually(holds: Callable[[], bool]) -> None:
    """Wait until something is so; the deadline is for a machine that is very busy."""
    waiting = threading.Event()
    for _ in range(_DEADLINE_SECONDS * 20):
        if holds():
            return
        waiting.wait(0.05)
    raise AssertionError("it never came to be")
