"""Whatever happens on the way, every delivery ends: chance decides what happens, on both databases."""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel
from sqlalchemy.orm import Session

from core.clock import Clock
from core.egress import EgressPolicy
from core.errors import Reason, Unavailable
from core.store import channels, instances, leases, pacing, recovery
from core.store.channels import NewChannel
from core.store.claims import CLAIM_LENGTH
from core.store.engine import Store
from core.store.instances import InstanceInfo
from core.store.leases import Grant
from core.store.models import Channel, Delivery
from core.store.partitions import ensure_partition
from core.store.states import UNFINISHED, ChannelState, DeliveryState
from core.store.turns import STRICT
from notifiers import admission, delivery, finishing
from notifiers.channels.base import Transports
from notifiers.delivery import DeliveryService, DeliverySettings
from notifiers.notice import Notice
from notifiers.opened import ChannelRow, channel_rows
from notifiers.outcome import Outcome
from notifiers.rendering import template_environment
from notifiers.sweep import Sweep
from router.service import Router
from tests.contract.bus_running import WAIT_SECONDS, eventually
from tests.contract.test_routing import message
from tests.contract.world import World

STEPS = 70
ROUNDS = 40


class Letters:
    """A kind of channel that notes what it is given, and succeeds as chance has it."""

    name: ClassVar[str] = "letter"
    queue: ClassVar[str] = "chat"
    initial_state: ClassVar[ChannelState] = ChannelState.ACTIVE
    fields: ClassVar[type[BaseModel]] = BaseModel

    def __init__(self, chance: Random) -> None:
        self._chance, self._lock = chance, threading.Lock()
        self.sent: defaultdict[str, list[int]] = defaultdict(list)
        self.reliable = False

    def configure(self, _fields: Any, _egress: EgressPolicy) -> dict[str, Any]:
        """Take no fields."""
        return {}

    def target(self, config: Mapping[str, Any]) -> str:
        """Return whose letters they are."""
        return str(config["to"])

    def view(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Show all."""
        return dict(config)

    def send(self, notice: Notice, config: Mapping[str, Any], _transports: Transports) -> Outcome:
        """Note which message to the router it is of, and answer by chance."""
        with self._lock:
            self.sent[config["to"]].append(int(notice.article["title"].split()[-1]))
            dice = 0.0 if self.reliable else self._chance.random()
        if dice < 0.5:
            return Outcome()
        if dice < 0.75:
            return Outcome(Reason.TIMEOUT)
        if dice < 0.9:
            return Outcome(Reason.THROTTLED, 429, wait=timedelta(seconds=self._chance.randint(1, 90)))
        return (
            Outcome(Reason.REJECTED, permanent=True)
            if dice < 0.98
            else Outcome(Reason.GONE, 410, permanent=True)
        )


@dataclass(frozen=True)
class Ahead:
    """The leader's clock, which is ahead of the workers'."""

    clock: Clock

    def now(self) -> datetime:
        """Return their time in four seconds."""
        return self.clock.now() + timedelta(seconds=4)


@dataclass
class Fate:
    """An installation to which things happen."""

    world: World
    grant: Grant
    chance: Random
    service: DeliveryService
    letters: Letters
    channel_ids: list[str] = field(default_factory=list)
    strict: set[str] = field(default_factory=set)
    articles: int = 0
    routed: int = 0
    deaths: int = 0

    def __post_init__(self) -> None:
        self._router = Router(self.world.store, self.world.tasks, self.world.clock)
        self._sweep = Sweep(self.world.store, self.world.tasks, Ahead(self.world.clock))

    def settle(self, accounts: int = 3, of_each: int = 3) -> None:
        """Make channels, the first of each account with strict order, and subscribe them all."""
        for number in range(accounts):
            account = self.world.account(f"account {number}")
            for place in range(of_each):
                made = self._channel(account, f"{number}.{place}", STRICT if place == 0 else "any")
                self.world.subscribe(account, made, "kubernetes", updates=True)
                self.channel_ids.append(made)

    def _channel(self, account: str, target: str, ordering: str) -> str:
        if ordering == STRICT:
            self.strict.add(target)
        new = NewChannel("letter", "chat", target, ChannelState.ACTIVE, {"to": target}, ordering=ordering)
        with self.world.store.write() as session:
            return channels.add(session, self.world.box, account, new, self.world.clock.now()).id

    # --- what happens

    def publish(self) -> None:
        """Route a new article."""
        self.articles += 1
        self._route(self.articles)

    def update(self) -> None:
        """Route a newer version of an article, which cancels what is unfinished of it."""
        if self.articles:
            self._route(self.chance.randint(1, self.articles))

    def _route(self, article: int) -> None:
        self.routed += 1
        self._router.handle(message(self.routed, id=str(article), title=f"Kubernetes {self.routed}"))

    def work(self) -> None:
        """Have a worker take a message, whichever comes first."""
        if batch := self._message():
            self.service.deliver(batch, [])
            assert self.service.wait_until_idle(30)

    def lose(self) -> None:
        """Have the broker lose a message."""
        self._message()

    def repeat(self) -> None:
        """Have the broker deliver a message again."""
        if self.world.tasks.batches:
            self.world.tasks.batches.append(self.chance.choice(self.world.tasks.batches))

    def die(self) -> None:
        """Have a worker take a message and die."""
        if batch := self._message():
            self.deaths += 1
            was_broken, self.world.tasks.broken = self.world.tasks.broken, False
            self.world.claim(batch, f"died {self.deaths}", "dead")
            self.world.tasks.broken = was_broken

    def toggle_broker(self) -> None:
        """Take the broker away, or bring it back."""
        self.world.tasks.broken = not self.world.tasks.broken

    def stop_or_resume(self) -> None:
        """Pause a channel, disable it, or have it sent to again."""
        states = (ChannelState.PAUSED, ChannelState.DISABLED, ChannelState.ACTIVE, ChannelState.ACTIVE)
        self.world.set_state(self.chance.choice(self.channel_ids), self.chance.choice(states))

    def retry(self) -> None:
        """Ask for a delivery to be sent again."""
        with self.world.store.write() as session:
            rows = session.query(Delivery).filter(Delivery.state != DeliveryState.SENDING).all()
            if rows:
                row = self.chance.choice(rows)
                channel = session.get_one(Channel, row.channel_id, with_for_update=True)
                if channel.ordering != STRICT:
                    recovery.retry_delivery(session, row, channel, self.world.clock.now())

    def recover(self) -> None:
        """Ask for everything that a channel missed."""
        now = self.world.clock.now()
        with self.world.store.write() as session:
            channel = session.get_one(Channel, self.chance.choice(self.channel_ids), with_for_update=True)
            if channel.ordering != STRICT:
                recovery.recover_channel(session, channel, now - timedelta(hours=1), now)

    def change_pace(self) -> None:
        """Have slots reserved anew."""
        with self.world.store.write() as session:
            channel = session.get_one(Channel, self.chance.choice(self.channel_ids), with_for_update=True)
            pacing.forget_slots(session, channel, self.world.clock.now())

    def pass_time(self) -> None:
        """Let some seconds pass."""
        self.world.clock.advance(seconds=self.chance.choice((0.5, 3, 12, 61, 100)))

    def sweep(self) -> None:
        """Have the leader look, while the living worker says that it lives."""
        now = self.world.clock.now()
        with self.world.store.write() as session:
            instances.beat(session, InstanceInfo("living", "worker", "host", "1", now), now)
        self._sweep(self.grant)

    def _message(self) -> str | None:
        waiting = self.world.tasks.batches
        return waiting.pop(self.chance.randrange(len(waiting)))[1] if waiting else None

    # --- what must be true

    def check(self) -> None:
        """Fail unless each delivery is in a batch, or due some time, or waits for its turn or its channel."""
        left = self.world.batches_left()
        batched = {id_ for batch in left for id_ in batch.delivery_ids}
        claimed = {(batch.claim_id, id_) for batch in left for id_ in batch.delivery_ids}
        with self.world.store.read() as session:
            active = {one.id for one in session.query(Channel) if one.state == ChannelState.ACTIVE}
        for row in self.world.deliveries():
            if row.state == DeliveryState.SENDING:
                assert (row.claim_id, row.id) in claimed, "sent by nobody"
            elif row.state == DeliveryState.PENDING and row.due_at is None:
                assert row.sequence is not None, "waits for a turn that does not come"
            elif row.state == DeliveryState.PENDING:
                assert row.id in batched or row.enqueue_after is not None, "in no batch and never due"
            elif row.state == DeliveryState.HELD:
                assert row.channel_id not in active, "held for a channel that is sent to"

    def finish(self) -> None:
        """From now on nothing goes wrong; work until everything has ended."""
        self.world.tasks.broken, self.letters.reliable = False, True
        for channel_id in self.channel_ids:
            self.world.set_state(channel_id, ChannelState.ACTIVE)
        for _ in range(ROUNDS):
            self.world.clock.advance(seconds=61)
            self.sweep()
            while self.world.tasks.batches:
                self.work()
            if not self.world.batches_left() and not self._unfinished():
                return
        pytest.fail(f"unfinished: {self._unfinished()}")

    def _unfinished(self) -> list[tuple[str, str]]:
        return [(row.id, row.state) for row in self.world.deliveries() if row.state in UNFINISHED]


@pytest.fixture
def world(store: Store) -> World:
    made = World(store)
    ensure_partition(store, made.clock.now().date())
    return made


@contextmanager
def working(world: World, letters: Letters) -> Iterator[DeliveryService]:
    """Run a worker until the block ends."""
    transports = Transports(
        mail=None,
        mail_from="clarion@example.com",
        templates=template_environment(),
        egress=EgressPolicy(),
        clock=world.clock,
    )
    service = DeliveryService(
        world.store,
        world.tasks,
        {"letter": letters},
        transports,
        world.box,
        instance="living",
        settings=DeliverySettings(retry_schedule=(10, 100)),
        clock=world.clock,
    )
    service.start()
    try:
        yield service
    finally:
        service.close(patience_seconds=5)


@pytest.fixture(params=range(5))
def fate(world: World, request: pytest.FixtureRequest) -> Iterator[Fate]:
    chance = Random(request.param)
    letters = Letters(chance)
    granted = leases.acquire(world.store, "leader", "me", 3_600)
    assert granted is not None
    with working(world, letters) as service:
        yield Fate(world, granted, chance, service, letters)


def test_whatever_happens_every_delivery_ends_and_strict_order_is_kept(fate: Fate) -> None:
    happens: Mapping[Callable[[], None], int] = {
        fate.publish: 6,
        fate.update: 3,
        fate.work: 14,
        fate.lose: 2,
        fate.repeat: 2,
        fate.die: 2,
        fate.toggle_broker: 2,
        fate.stop_or_resume: 3,
        fate.retry: 2,
        fate.recover: 1,
        fate.change_pace: 1,
        fate.pass_time: 6,
        fate.sweep: 8,
    }
    fate.settle()
    for step in fate.chance.choices(list(happens), list(happens.values()), k=STEPS):
        step()
        fate.check()
    fate.finish()
    for target in fate.strict:
        assert fate.letters.sent[target] == sorted(fate.letters.sent[target])


class SlowLetters(Letters):
    """Letters that are under way until they may arrive."""

    def __init__(self) -> None:
        super().__init__(Random(1))
        self.reliable = True
        self.may_arrive = threading.Event()

    def send(self, notice: Notice, config: Mapping[str, Any], transports: Transports) -> Outcome:
        """Wait, then arrive."""
        assert self.may_arrive.wait(WAIT_SECONDS)
        return super().send(notice, config, transports)


def test_a_claim_is_kept_while_its_deliveries_are_under_way_and_not_when_they_never_began(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finishing, "RENEW_SECONDS", 0.0)
    letters = SlowLetters()
    with working(world, letters) as service:
        account = world.account()
        batches = {}
        for name in ("under way", "never begun"):
            new = NewChannel("letter", "chat", name, ChannelState.ACTIVE, {"to": name})
            with world.store.write() as session:
                channel = channels.add(session, world.box, account, new, world.clock.now()).id
            world.subscribe(account, channel, name)
            Router(world.store, world.tasks, world.clock).handle(message(id=name, title=f"{name} 1"))
            batches[name] = world.tasks.batches.pop()[1]
        service.deliver(batches["under way"], [])
        with monkeypatch.context() as away:
            away.setattr(admission, "admit", unavailable)
            service.deliver(batches["never begun"], [])
        first = world.clock.now() + CLAIM_LENGTH
        world.clock.advance(seconds=30)

        def deadlines() -> dict[str, datetime | None]:
            return {batch.id: batch.claim_deadline for batch in world.batches_left()}

        assert eventually(lambda: deadlines()[batches["under way"]] == first + timedelta(seconds=30))
        assert deadlines()[batches["never begun"]] == first
        letters.may_arrive.set()
        assert service.wait_until_idle(WAIT_SECONDS)
        assert list(deadlines()) == [batches["never begun"]]


def test_what_a_worker_holds_while_its_channel_is_being_resumed_is_let_go(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def as_it_was_before(session: Session, channel_ids: set[str]) -> dict[str, ChannelRow]:
        found = channel_rows(session, channel_ids)
        return {id_: replace(row, state=ChannelState.PAUSED) for id_, row in found.items()}

    with working(world, Letters(Random(1))) as service:
        account = world.account()
        new = NewChannel("letter", "chat", "a", ChannelState.ACTIVE, {"to": "a"})
        with world.store.write() as session:
            channel = channels.add(session, world.box, account, new, world.clock.now()).id
        world.subscribe(account, channel, "kubernetes")
        Router(world.store, world.tasks, world.clock).handle(message())
        monkeypatch.setattr(delivery, "channel_rows", as_it_was_before)
        service.deliver(world.tasks.batches[0][1], [])
    (row,) = world.deliveries()
    assert (row.state, row.attempts, row.enqueue_after) == ("pending", 0, world.clock.now())


def unavailable(*_: object) -> None:
    raise Unavailable("the database does not answer")
