"""The database away while deliveries are under way."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy.orm import Session

from core.clock import ManualClock
from core.errors import Unavailable
from core.store import claims
from core.store.claims import Finished
from core.store.engine import Store, open_store
from core.store.schema import migrate
from notifiers.delivery import DeliveryService
from tests.contract.delivering.workers import Workers, attempts, eventually, of_channel, only, told
from tests.contract.world import World
from tests.receiver import Receiver, Respond
from tests.servers.postgres import PrivatePostgres

COUNT = 30


@pytest.fixture
def world_of_its_own(private_postgres: PrivatePostgres) -> Iterator[World]:
    """An installation on a server that may be stopped."""
    with closing(open_store(private_postgres.url)) as store:
        migrate(store)
        yield World(store, ManualClock(datetime.now(UTC)))


@pytest.mark.postgresql
@pytest.mark.parametrize("away", ["stop", "kill"])
def test_results_that_come_in_while_the_database_is_away_are_neither_lost_nor_repeated(
    world_of_its_own: World, private_postgres: PrivatePostgres, receiver: Receiver, away: str
) -> None:
    world = world_of_its_own
    workers, release = Workers(world), threading.Event()
    service = workers.start()
    answers = [Respond(204, after=release), Respond(500, after=release)]
    urls = [receiver.script(f"/{number}", answers[number % 2]) for number in range(COUNT)]
    told(world, *urls)
    workers.sweep()
    workers.hand_out()
    receiver.wait_for(COUNT)

    getattr(private_postgres, away)()
    release.set()
    assert not service.wait_until_idle(1.0)
    private_postgres.start()
    assert service.wait_until_idle(60)

    states = [row.state for row in world.deliveries()]
    assert (states.count("delivered"), states.count("pending")) == (COUNT // 2, COUNT // 2)
    assert {row.attempts for row in world.deliveries()} == {1}
    assert sorted(one.status or 0 for one in attempts(world)) == [204] * 15 + [500] * 15
    workers.sweep_and_settle()
    assert len(receiver.requests) == COUNT
    workers.close()


class Outage:
    """Makes a store's write transactions fail, after some and for some."""

    def __init__(self, store: Store, monkeypatch: pytest.MonkeyPatch, *, after: int, times: float) -> None:
        self._write, self._after, self.left = store.write, after, times
        monkeypatch.setattr(store, "write", self._maybe)

    def _maybe(self) -> AbstractContextManager[Session]:
        if self._after > 0:
            self._after -= 1
        elif self.left > 0:
            self.left -= 1
            raise Unavailable("the database does not answer")
        return self._write()


def test_a_batch_waits_for_the_database(
    world: World,
    workers: Workers,
    service: DeliveryService,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("notifiers.delivery.DATABASE_RETRY_SECONDS", 0.01)
    told(world, receiver.url + "/hook")
    outage = Outage(world.store, monkeypatch, after=0, times=4)
    workers.settle()
    assert outage.left == 0
    assert (only(world).state, only(world).attempts) == ("delivered", 1)
    assert len(receiver.requests) == 1


def test_a_batch_that_a_stopping_worker_cannot_claim_waits_again(
    world: World,
    workers: Workers,
    service: DeliveryService,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told(world, receiver.url + "/hook")
    service.begin_to_stop()
    workers.hand_out()
    assert [batch.state for batch in world.batches_left()] == ["waiting"]
    assert (only(world).state, receiver.requests) == ("pending", [])


def test_results_are_written_again_until_they_are(
    world: World,
    workers: Workers,
    service: DeliveryService,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("notifiers.finishing.DATABASE_RETRY_SECONDS", 0.01)
    told(world, receiver.url + "/hook")
    outage = Outage(world.store, monkeypatch, after=1, times=4)
    workers.settle()
    assert outage.left == 0
    assert (only(world).state, only(world).attempts) == ("delivered", 1)
    assert len(receiver.requests) == 1


class Renewals:
    """Counts renewals of claims, which come all the time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, fail: bool = False) -> None:
        self.done = threading.Semaphore(0)
        self._fail, self._renew = fail, claims.renew
        monkeypatch.setattr("notifiers.finishing.RENEW_SECONDS", 0.0)
        monkeypatch.setattr(claims, "renew", self)

    def __call__(self, *arguments: Any) -> None:
        if not self._fail:
            self._renew(*arguments)
        self.done.release()
        if self._fail:
            raise Unavailable("the database does not answer")

    def wait_for(self, count: int) -> None:
        """Wait for so many more."""
        for _ in range(count):
            assert self.done.acquire(timeout=60)


def test_a_claim_is_kept_for_as_long_as_the_sending_takes(
    world: World, workers: Workers, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    renewals, release = Renewals(monkeypatch), threading.Event()
    service = workers.start()
    told(world, receiver.script("/hook", Respond(after=release)))
    workers.hand_out()
    receiver.wait_for(1)
    for _ in range(3):
        world.clock.advance(seconds=59)
        renewals.wait_for(2)  # the second began after the clock was moved
        workers.sweep()
    assert only(world).state == "sending"

    release.set()
    assert service.wait_until_idle(60)
    assert (only(world).state, len(receiver.requests)) == ("delivered", 1)


def test_a_claim_that_cannot_be_renewed_loses_no_results(
    world: World, workers: Workers, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    renewals, release = Renewals(monkeypatch, fail=True), threading.Event()
    service = workers.start()
    told(world, receiver.script("/hook", Respond(after=release)))
    workers.hand_out()
    renewals.wait_for(3)
    release.set()
    assert service.wait_until_idle(60)
    assert (only(world).state, len(receiver.requests)) == ("delivered", 1)


def test_what_was_claimed_and_then_not_begun_is_found_again(
    world: World, workers: Workers, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    renewals, release = Renewals(monkeypatch), threading.Event()
    service = workers.start()
    (slow,) = told(world, receiver.script("/slow", Respond(after=release)))
    workers.hand_out()
    (paced,) = told(world, receiver.url + "/paced", article="a2", rate_limit=100.0)
    with monkeypatch.context() as patch:
        patch.setattr("notifiers.admission.admit", away)
        workers.hand_out()
    assert of_channel(world, paced).state == "sending"

    world.clock.advance(seconds=61)
    renewals.wait_for(2)  # of the claim that is still at work
    workers.sweep()
    assert of_channel(world, paced).state == "pending"
    workers.hand_out()
    eventually(lambda: of_channel(world, paced).state == "delivered")
    release.set()
    assert service.wait_until_idle(60)
    assert {row.state for row in world.deliveries() if row.channel_id == slow} == {"delivered"}
    assert {row.attempts for row in world.deliveries()} == {1}


def away(*_: object) -> None:
    raise Unavailable("the database does not answer")


def test_what_cannot_be_written_is_found_again(
    world: World,
    workers: Workers,
    service: DeliveryService,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told(world, receiver.script("/hook", Respond(), Respond()))
    finish = claims.finish

    def stumble(session: Session, results: Any, now: datetime) -> set[str]:
        if results:
            monkeypatch.setattr(claims, "finish", finish)
            raise ValueError("whatever nobody thought of")
        return set()

    monkeypatch.setattr(claims, "finish", stumble)
    workers.settle()
    assert only(world).state == "sending"

    world.clock.advance(seconds=61)
    workers.sweep_and_settle()
    assert (only(world).state, only(world).attempts) == ("delivered", 1)


def test_a_result_that_cannot_be_written_keeps_no_other_from_being_written(
    world: World,
    workers: Workers,
    service: DeliveryService,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    channels = told(world, *(f"{receiver.url}/{number}" for number in range(5)))
    poison, finish = of_channel(world, channels[2]).id, claims.finish

    def refusing(session: Session, results: Sequence[Finished], now: datetime) -> set[str]:
        if any(result.id == poison for result in results):
            raise ValueError("what no database takes")
        return finish(session, results, now)

    with monkeypatch.context() as patched:
        patched.setattr(claims, "finish", refusing)
        workers.settle()
    states = {row.channel_id: row.state for row in world.deliveries()}
    assert states == dict.fromkeys(channels, "delivered") | {channels[2]: "sending"}

    world.clock.advance(seconds=61)
    workers.sweep_and_settle()
    assert of_channel(world, channels[2]).state == "delivered"
