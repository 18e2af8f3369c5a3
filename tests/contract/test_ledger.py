"""Making, claiming and finishing rows of the ledger, on both databases."""

from datetime import timedelta

import pytest

from core.errors import Reason
from core.store import batches, channels, claims, instances, ledger
from core.store.claims import Claimed, Finished
from core.store.engine import Store
from core.store.instances import InstanceInfo
from core.store.models import Attempt, Channel, Delivery
from core.store.partitions import ensure_partition
from core.store.states import DeliveryState
from tests.contract.world import NOON, TODAY, World, due


@pytest.fixture
def world(store: Store) -> World:
    ensure_partition(store, TODAY)
    return World(store)


def claimed(world: World, *channel_ids: str) -> list[Claimed]:
    """Make a row for each channel and claim them all as `c1`, in that order."""
    (batch,) = world.make(*(due(channel) for channel in channel_ids))
    rows = world.claim(batch.id)
    assert rows is not None
    return sorted(rows, key=lambda row: channel_ids.index(row.channel_id))


def row(world: World, id_: str) -> Delivery:
    return next(delivery for delivery in world.deliveries() if delivery.id == id_)


def retried(of: Claimed, seconds: float, claim_id: str = "c1") -> Finished:
    later = NOON + timedelta(seconds=seconds)
    return Finished(
        of.id,
        TODAY,
        claim_id,
        DeliveryState.PENDING,
        Reason.TIMEOUT,
        due_at=later,
        enqueue_after=later,
        step=1,
        attempt=of.attempts + 1,
        started_at=NOON,
        excerpt="x",
    )


def return_lost(world: World) -> int:
    with world.store.write() as session:
        return claims.return_lost(session, world.clock.now())


def batch_states(world: World) -> dict[str, str]:
    return {batch.id: batch.state for batch in world.batches_left()}


# --- making


def test_rows_are_made_once(world: World) -> None:
    (batch,) = world.make(due("ch_1"), due("ch_2"))
    assert (len(batch.ids), batch.queue, batch.day) == (2, "webhook", TODAY)
    assert world.make(due("ch_1"), due("ch_2")) == []
    assert len(world.deliveries()) == 2


def test_what_must_not_be_sent_gets_into_no_batch(world: World) -> None:
    assert world.make(due("ch_1", state=DeliveryState.HELD), due("ch_2", queue="inbox")) == []
    assert [(one.state, one.due_at, one.enqueue_after) for one in world.deliveries()] == [
        ("held", None, None),
        ("delivered", None, None),
    ]
    assert world.batches_left() == []


# --- claiming


def test_a_batch_is_claimed_by_one_only(world: World) -> None:
    (batch,) = world.make(due("ch_1"), due("ch_2"))
    rows = world.claim(batch.id)
    assert rows is not None
    assert [one.id for one in rows] == sorted(batch.ids)
    assert world.claim(batch.id, "c2") is None
    assert {one.claim_id for one in world.deliveries()} == {"c1"}


def test_what_is_claimed_comes_as_it_was_made(world: World) -> None:
    (one,) = claimed(world, "ch_1")
    stored = row(world, one.id)
    for name in Claimed.__dataclass_fields__:
        assert getattr(one, name) == getattr(stored, name), name
    assert (one.article_day, one.created_at, one.matched) == (TODAY, NOON, [["s", "q"]])


def test_a_batch_that_is_gone_cannot_be_claimed(world: World) -> None:
    (batch,) = world.make(due("ch_1"))
    world.claim(batch.id)
    with world.store.write() as session:
        claims.end(session, ["c1"])
    assert world.batches_left() == []
    assert world.claim(batch.id, "c2") is None


def test_only_what_is_due_within_the_lead_is_claimed(world: World) -> None:
    (one,) = claimed(world, "ch_1")
    world.finish(retried(one, 2.5))
    with world.store.write() as session:
        claims.return_claims_of(session, "i1")
    (batch,) = world.batches_left()
    world.clock.advance(seconds=0.5)
    assert world.claim(batch.id, "c2", lead=timedelta(seconds=2)) is not None
    assert row(world, one.id).state == "sending"


def test_what_a_batch_holds_that_is_not_due_yet_is_found_again(world: World) -> None:
    """The leader's clock may be ahead of a worker's; the batch ends, and its rows must not be in none."""
    (one,) = claimed(world, "ch_1")
    world.finish(retried(one, 10))
    with world.store.write() as session:
        claims.end(session, ["c1"])
    ahead = NOON + timedelta(seconds=10)
    with world.store.write() as session:
        found = ledger.take_due(session, ahead)
        (batch,) = batches.put(session, found, ahead)
    world.clock.advance(seconds=9)

    assert world.claim(batch.id, "c2") == []
    with world.store.write() as session:
        claims.end(session, ["c2"])
        found = ledger.take_due(session, ahead)
    assert [again.id for again in found] == [one.id]


# --- finishing


def test_results_of_every_sort_are_written_together(world: World) -> None:
    first, second, third = claimed(world, "ch_1", "ch_2", "ch_3")
    cancelled = Finished(third.id, TODAY, "c1", DeliveryState.CANCELLED, Reason.UNSUBSCRIBED)

    written = world.finish(world.delivered(first), retried(second, 10), cancelled)

    assert written == {first.id, second.id, third.id}
    one = row(world, first.id)
    assert (one.state, one.attempts, one.finished_at, one.claim_id) == ("delivered", 1, NOON, None)
    two, later = row(world, second.id), NOON + timedelta(seconds=10)
    assert (two.state, two.reason, two.due_at, two.enqueue_after) == ("pending", "timeout", later, later)
    assert (two.step, two.attempts, two.finished_at) == (1, 1, None)
    three = row(world, third.id)
    assert (three.state, three.reason, three.attempts) == ("cancelled", "unsubscribed", 0)
    assert three.finished_at == NOON
    with world.store.read() as session:
        attempts = session.query(Attempt).order_by(Attempt.delivery_id).all()
    assert [(a.delivery_id, a.number, a.reason, a.status, a.next_try_at) for a in attempts] == sorted(
        [(first.id, 1, None, 204, None), (second.id, 1, "timeout", None, later)]
    )


def test_results_of_several_days_and_claims_are_written_together(world: World) -> None:
    yesterday = TODAY - timedelta(days=1)
    ensure_partition(world.store, yesterday)
    (new,) = world.make(due("ch_1"))
    (old,) = world.make(due("ch_1"), article="art_2", day=yesterday)
    results = []
    for claim_id, batch in (("c1", new), ("c2", old)):
        rows = world.claim(batch.id, claim_id)
        assert rows
        results += [world.delivered(one, claim_id) for one in rows]
    assert world.finish(*results) == {*new.ids, *old.ids}
    assert {one.state for one in world.deliveries()} == {"delivered"}


def test_what_was_not_tried_keeps_the_reason_of_its_last_try(world: World) -> None:
    (one,) = claimed(world, "ch_1")
    world.finish(retried(one, 0))
    with world.store.write() as session:
        claims.return_claims_of(session, "i1")
    (again,) = world.claim(world.batches_left()[0].id, "c2") or []
    put_back = Finished(one.id, TODAY, "c2", DeliveryState.PENDING, due_at=NOON, step=again.step)
    assert world.finish(put_back) == {one.id}
    stored = row(world, one.id)
    assert (stored.reason, stored.attempts, stored.step) == ("timeout", 1, 1)


def test_a_result_whose_claim_was_lost_is_dropped(world: World) -> None:
    (one,) = claimed(world, "ch_1")
    world.clock.advance(seconds=61)
    assert return_lost(world) == 1
    (again,) = world.claim(world.batches_left()[0].id, "c2") or []

    assert world.finish(world.delivered(one)) == set()
    assert row(world, one.id).state == "sending"
    with world.store.read() as session:
        assert session.query(Attempt).count() == 0
    assert world.finish(world.delivered(again, "c2")) == {one.id}


def test_a_result_of_what_was_cancelled_meanwhile_is_dropped(world: World) -> None:
    (one,) = claimed(world, "ch_1")
    with world.store.write() as session:
        ledger.cancel_channel(session, "ch_1", Reason.CHANNEL_DELETED, NOON)
    assert world.finish(world.delivered(one)) == set()
    assert (row(world, one.id).state, row(world, one.id).reason) == ("cancelled", "channel_deleted")


# --- claims that end


def test_claims_of_a_silent_process_are_returned_those_of_a_living_one_not(world: World) -> None:
    with world.store.write() as session:
        instances.beat(session, InstanceInfo("alive", "worker", "host", "1", NOON), NOON)
    (first,) = world.make(due("ch_1"))
    (second,) = world.make(due("ch_2"))
    world.claim(first.id, "c1", "alive")
    world.claim(second.id, "c2", "dead")
    assert return_lost(world) == 1
    assert row(world, first.ids[0]).state == "sending"
    assert (row(world, second.ids[0]).state, row(world, second.ids[0]).claim_id) == ("pending", None)
    assert {batch.id: batch.state for batch in world.batches_left()} == {
        first.id: "claimed",
        second.id: "waiting",
    }


def test_claims_that_are_renewed_are_kept_the_others_of_a_process_are_not(world: World) -> None:
    with world.store.write() as session:
        instances.beat(session, InstanceInfo("i1", "worker", "host", "1", NOON), NOON + timedelta(hours=1))
    (kept,) = world.make(due("ch_1"))
    (forgotten,) = world.make(due("ch_2"))
    world.claim(kept.id, "c1", "i1")
    world.claim(forgotten.id, "c2", "i1")
    for _ in range(2):
        world.clock.advance(seconds=40)
        with world.store.write() as session:
            claims.renew(session, ["c1"], world.clock.now())
    assert return_lost(world) == 1
    assert batch_states(world) == {kept.id: "claimed", forgotten.id: "waiting"}


def test_of_a_lost_claim_only_what_was_not_finished_comes_back(world: World) -> None:
    first, second = claimed(world, "ch_1", "ch_2")
    world.finish(world.delivered(first))
    world.clock.advance(seconds=61)
    assert return_lost(world) == 1
    rows = world.claim(world.batches_left()[0].id, "c2")
    assert [one.id for one in rows or []] == [second.id]


def test_the_end_of_a_claim_that_was_lost_ends_nothing(world: World) -> None:
    claimed(world, "ch_1")
    world.clock.advance(seconds=61)
    return_lost(world)
    with world.store.write() as session:
        claims.end(session, ["c1"])
    assert len(world.batches_left()) == 1


def test_a_process_that_ends_gives_back_its_own_claims_only(world: World) -> None:
    (mine,) = world.make(due("ch_1"))
    (other,) = world.make(due("ch_2"))
    world.claim(mine.id, "c1", "me")
    world.claim(other.id, "c2", "another")
    with world.store.write() as session:
        assert claims.return_claims_of(session, "me") == 1
    assert {batch.id: batch.state for batch in world.batches_left()} == {
        mine.id: "waiting",
        other.id: "claimed",
    }


# --- holding and releasing


def test_holding_and_releasing_a_channel(world: World) -> None:
    (batch,) = world.make(due("ch_1"))
    with world.store.write() as session:
        ledger.hold_channel(session, "ch_1")
    assert world.claim(batch.id) == []
    with world.store.write() as session:
        claims.end(session, ["c1"])
        ledger.release_channel(session, "ch_1", world.clock.now())
        (found,) = ledger.take_due(session, world.clock.now())
    assert (found.id, found.account_id, found.queue, found.retry) == (batch.ids[0], "acc", "webhook", False)


def test_what_is_due_is_handed_out_once_and_the_longest_due_first(world: World) -> None:
    rows = claimed(world, "ch_1", "ch_2", "ch_3")
    world.finish(*(retried(one, seconds) for one, seconds in zip(rows, (3, 1, 2), strict=True)))
    world.clock.advance(seconds=2.5)

    def take(limit: int) -> list[tuple[str, bool]]:
        with world.store.write() as session:
            found = ledger.take_due(session, world.clock.now(), limit)
        return [(one.id, one.retry) for one in found]

    assert take(1) == [(rows[1].id, True)]
    assert take(5) == [(rows[2].id, True)]
    assert take(5) == []
    world.clock.advance(seconds=1)
    assert take(5) == [(rows[0].id, True)]


def test_a_deleted_channels_deliveries_are_cancelled(world: World) -> None:
    account = world.account()
    channel = world.webhook(account, "https://example.com/a")
    (batch,) = world.make(due(channel, account))
    with world.store.write() as session:
        channels.remove(session, session.get_one(Channel, channel), world.clock.now())
    assert [(one.state, one.reason) for one in world.deliveries()] == [("cancelled", "channel_deleted")]
    assert world.claim(batch.id) == []
