"""Claiming and finishing rows of the ledger, on both databases."""

from datetime import timedelta

import pytest

from core.errors import Reason
from core.store import instances, ledger
from core.store.engine import Store
from core.store.instances import InstanceInfo
from core.store.ledger import Finished, NewDelivery
from core.store.models import Attempt, Delivery
from core.store.partitions import ensure_partition
from core.store.states import DeliveryState
from tests.contract.world import NOON, World

DAY = NOON.date()


@pytest.fixture
def world(store: Store) -> World:
    ensure_partition(store, DAY)
    return World(store)


def make(world: World, *channels: str) -> list[str]:
    rows = [
        NewDelivery(channel, "acc", "webhook", "article.published", DeliveryState.PENDING, [["s", "q"]], 1)
        for channel in channels
    ]
    with world.store.write() as session:
        batches = ledger.make(session, "art_1", 1, DAY, rows, NOON)
    return [id_ for batch in batches for id_ in batch.ids]


def claim(world: World, ids: list[str], claim_id: str = "c1", instance: str = "i1") -> list[str]:
    with world.store.write() as session:
        return [row.id for row in ledger.claim(session, DAY, ids, claim_id, instance, world.clock.now())]


def finish(world: World, *results: Finished, claim_id: str = "c1") -> int:
    with world.store.write() as session:
        return ledger.finish(session, DAY, claim_id, results, world.clock.now())


def row(world: World, id_: str) -> Delivery:
    return next(delivery for delivery in world.deliveries() if delivery.id == id_)


def delivered(id_: str) -> Finished:
    return Finished(id_, DeliveryState.DELIVERED, None, attempt=1, started_at=NOON, duration_ms=5, status=204)


def test_rows_are_made_once(world: World) -> None:
    assert len(make(world, "ch_1", "ch_2")) == 2
    assert make(world, "ch_1", "ch_2") == []


def test_a_row_is_claimed_by_one_only(world: World) -> None:
    ids = make(world, "ch_1", "ch_2")
    assert sorted(claim(world, ids)) == sorted(ids)
    assert claim(world, ids, "c2") == []


def test_results_of_every_sort_are_written_together(world: World) -> None:
    first, second, third = make(world, "ch_1", "ch_2", "ch_3")
    claim(world, [first, second, third])
    later = NOON + timedelta(seconds=10)
    retried = Finished(
        second, DeliveryState.PENDING, Reason.TIMEOUT, due_at=later, attempt=1, started_at=NOON, excerpt="x"
    )
    cancelled = Finished(third, DeliveryState.CANCELLED, Reason.UNSUBSCRIBED)

    assert finish(world, delivered(first), retried, cancelled) == 3

    assert (row(world, first).state, row(world, first).attempts, row(world, first).finished_at) == (
        "delivered",
        1,
        NOON,
    )
    assert (row(world, second).state, row(world, second).reason, row(world, second).due_at) == (
        "pending",
        "timeout",
        later,
    )
    assert (row(world, third).state, row(world, third).attempts) == ("cancelled", 0)
    with world.store.read() as session:
        assert session.query(Attempt).count() == 2


def test_a_result_whose_claim_was_lost_is_dropped(world: World) -> None:
    (id_,) = make(world, "ch_1")
    claim(world, [id_])
    world.clock.advance(seconds=61)
    with world.store.write() as session:
        assert ledger.return_lost_claims(session, world.clock.now()) == 1
    assert claim(world, [id_], "c2") == [id_]

    assert finish(world, delivered(id_), claim_id="c1") == 0
    assert row(world, id_).state == "sending"
    assert finish(world, delivered(id_), claim_id="c2") == 1


def test_claims_of_a_silent_process_are_returned_those_of_a_living_one_not(world: World) -> None:
    first, second = make(world, "ch_1", "ch_2")
    with world.store.write() as session:
        instances.beat(session, InstanceInfo("alive", "worker", "host", "1", NOON), NOON)
    claim(world, [first], "c1", "alive")
    claim(world, [second], "c2", "dead")
    with world.store.write() as session:
        assert ledger.return_lost_claims(session, world.clock.now()) == 1
    assert row(world, first).state == "sending"
    assert row(world, second).state == "pending"


def test_a_renewed_claim_is_kept(world: World) -> None:
    (id_,) = make(world, "ch_1")
    with world.store.write() as session:
        instances.beat(session, InstanceInfo("i1", "worker", "host", "1", NOON), NOON + timedelta(hours=1))
    claim(world, [id_])
    world.clock.advance(seconds=50)
    with world.store.write() as session:
        ledger.renew_claim(session, "c1", world.clock.now())
    world.clock.advance(seconds=50)
    with world.store.write() as session:
        assert ledger.return_lost_claims(session, world.clock.now()) == 0


def test_the_sweep_hands_out_what_is_due_once_a_minute(world: World) -> None:
    ids = make(world, "ch_1", "ch_2")

    def due() -> list[str]:
        with world.store.write() as session:
            return [i for batch in ledger.take_due(session, world.clock.now()) for i in batch.ids]

    assert due() == []
    world.clock.advance(seconds=61)
    assert sorted(due()) == sorted(ids)
    assert due() == []
    world.clock.advance(seconds=61)
    assert sorted(due()) == sorted(ids)


def test_holding_and_releasing_a_channel(world: World) -> None:
    (id_,) = make(world, "ch_1")
    with world.store.write() as session:
        ledger.hold_channel(session, "ch_1")
    assert claim(world, [id_]) == []
    with world.store.write() as session:
        ledger.release_channel(session, "ch_1", world.clock.now())
    assert claim(world, [id_]) == [id_]
