"""Which claimed deliveries may go now by their channel's rate limit, on both databases."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from core.errors import Reason
from core.store import batches, ledger
from core.store.claims import Claimed
from core.store.engine import Store, open_store
from core.store.leases import database_now
from core.store.models import Channel
from core.store.partitions import ensure_partition
from core.store.schema import migrate
from notifiers import admission
from notifiers.admission import Admitted
from notifiers.opened import channel_rows
from notifiers.pacing import LEAD, spacing
from tests.contract.world import TODAY, World, due

SLOW = 0.01  # one in a hundred seconds: however slow a test is, the second has its slot later


@pytest.fixture
def world(store: Store) -> World:
    ensure_partition(store, TODAY)
    return World(store)


def limited(world: World, rate: float | None, url: str = "https://example.com/a") -> str:
    return world.webhook(world.account(), url, rate_limit=rate)


def claimed(world: World, *channels: str, article: str = "art_1", claim_id: str = "c1") -> list[Claimed]:
    (batch,) = world.make(*(due(channel) for channel in channels), article=article)
    return world.claim(batch.id, claim_id) or []


def many(world: World, channel: str, count: int, claim_id: str = "c1", prefix: str = "art") -> list[Claimed]:
    """Claim many deliveries of one channel, as one batch."""
    found = []
    for number in range(count):
        for batch in world.make(due(channel), article=f"{prefix}_{number}"):
            found += world.claim(batch.id, claim_id) or []
    while len(found) < count:
        for waiting in world.batches_left():
            found += world.claim(waiting.id, claim_id) or []
    return found


def admit(world: World, rows: list[Claimed], claim_id: str = "c1") -> list[Admitted]:
    with world.store.read() as session:
        known = channel_rows(session, {row.channel_id for row in rows})
    return admission.admit(world.store, claim_id, rows, known, world.clock.now())


def slots(world: World) -> list[datetime]:
    return [row.slot_at for row in world.deliveries() if row.slot_at is not None]


def next_slot(world: World, channel: str) -> datetime | None:
    with world.store.read() as session:
        return session.get_one(Channel, channel).next_slot_at


def now_there(world: World) -> datetime:
    with world.store.read() as session:
        return database_now(session)


def test_without_a_limit_everything_goes_at_once_and_nothing_is_written(world: World) -> None:
    rows = claimed(world, limited(world, None))
    assert admit(world, rows) == [Admitted(row) for row in rows]
    assert {row.state for row in world.deliveries()} == {"sending"}


def test_one_goes_now_and_the_others_have_slots_of_their_own(world: World) -> None:
    channel = limited(world, SLOW)
    (first,) = admit(world, many(world, channel, 5))
    assert first.not_before is not None
    given = slots(world)
    assert len(given) == 4
    assert [after - before for before, after in pairwise(sorted(given))] == [spacing(SLOW)] * 3
    assert next_slot(world, channel) == max(given) + spacing(SLOW)
    for row in world.deliveries():
        if row.slot_at is not None:
            assert (row.state, row.due_at, row.enqueue_after, row.claim_id, row.attempts) == (
                "pending",
                row.slot_at,
                row.slot_at - LEAD,
                None,
                0,
            )


def test_a_second_batch_has_its_slots_after_the_first(world: World) -> None:
    channel = limited(world, SLOW)
    assert len(admit(world, many(world, channel, 2))) == 1
    (before,) = slots(world)
    assert admit(world, many(world, channel, 2, "c2", "other"), "c2") == []
    assert sorted(slots(world)) == [before + spacing(SLOW) * number for number in range(3)]


def test_what_has_a_slot_within_two_seconds_is_kept_for_it(world: World) -> None:
    rows = many(world, limited(world, 4.0), 12)
    let = admit(world, rows)
    times = [one.not_before for one in let if one.not_before is not None]
    assert len(times) == len(let) == int(LEAD / spacing(4.0)) + 1
    for before, after in pairwise(times):
        assert after - before == pytest.approx(spacing(4.0).total_seconds(), abs=1e-6)
    assert len(slots(world)) == 12 - len(let)


def test_a_reserved_slot_is_kept(world: World) -> None:
    channel = limited(world, SLOW)
    admit(world, many(world, channel, 3))
    reserved = min(slots(world))
    world.clock.advance(seconds=(reserved - world.clock.now()).total_seconds())
    with world.store.write() as session:
        batches.put(session, ledger.take_due(session, world.clock.now()), world.clock.now())
    (batch,) = [batch for batch in world.batches_left() if batch.state == "enqueued"]
    rows = world.claim(batch.id, "c2") or []
    assert [row.slot_at for row in rows] == [reserved]
    assert admit(world, rows, "c2") == []
    assert min(slots(world)) == reserved


def test_a_slot_that_has_passed_is_replaced(world: World) -> None:
    channel = limited(world, 1.0)
    (row,) = claimed(world, channel)
    passed = now_there(world) - timedelta(hours=1)
    with world.store.write() as session:
        session.get_one(Channel, channel).next_slot_at = passed
    late = Claimed(
        **{name: getattr(row, name) for name in Claimed.__dataclass_fields__} | {"slot_at": passed}
    )
    (let,) = admit(world, [late])
    assert let.not_before is not None
    free = next_slot(world, channel)
    assert free is not None
    assert free > passed + timedelta(minutes=59)


def test_a_limit_holds_nobody_elses_deliveries(world: World) -> None:
    slow, free = limited(world, SLOW), limited(world, None, "https://example.com/b")
    other = limited(world, SLOW, "https://example.com/c")
    admit(world, many(world, slow, 1))
    rows = claimed(world, slow, free, other, article="art_9", claim_id="c2")
    assert sorted(one.claimed.channel_id for one in admit(world, rows, "c2")) == sorted([free, other])


def test_a_batch_of_which_all_must_wait_is_dealt_with(world: World) -> None:
    channel = limited(world, SLOW)
    admit(world, many(world, channel, 1))
    assert admit(world, many(world, channel, 1, "c2", "other"), "c2") == []
    assert [batch.claim_id for batch in world.batches_left()] == ["c1"]


def test_what_lost_its_claim_meanwhile_is_not_put_back(world: World) -> None:
    channel = limited(world, SLOW)
    admit(world, many(world, channel, 1))
    rows = many(world, channel, 1, "c2", "other")
    with world.store.write() as session:
        ledger.cancel_channel(session, channel, Reason.CHANNEL_DELETED, world.clock.now())
    assert admit(world, rows, "c2") == []
    assert {row.state for row in world.deliveries()} == {"cancelled"}


@pytest.mark.postgresql
def test_workers_that_admit_at_once_share_one_limit(postgresql_url: str) -> None:
    with closing(open_store(postgresql_url)) as one, closing(open_store(postgresql_url)) as two:
        migrate(one)
        ensure_partition(one, TODAY)
        world = World(one)
        channel = limited(world, SLOW)
        rows = {claim_id: many(world, channel, 10, claim_id, claim_id) for claim_id in ("c1", "c2")}

        def admit_there(store: Store, claim_id: str) -> int:
            return len(admit(World(store), rows[claim_id], claim_id))

        with ThreadPoolExecutor(2) as pool:
            now = list(pool.map(admit_there, (one, two), rows))
        given = sorted(slots(world))
    assert sorted(now) == [0, 1]
    assert len(given) == 19
    assert [after - before for before, after in pairwise(given)] == [spacing(SLOW)] * 18
