"""Batches: how many of an account are in the broker, and that each gets there, on both databases."""

import threading
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field

import pytest

from core.dispatch import Dispatcher
from core.errors import PublishError, Unavailable
from core.store import batches, claims
from core.store.batches import BATCH_SIZE, IN_BROKER, SHARED, SHARED_MOST, Batch, Due
from core.store.engine import Store, open_store
from core.store.partitions import ensure_partition
from core.store.schema import migrate
from tests.contract.world import NOON, TODAY, World, due

FIRSTS, RETRIES = IN_BROKER[False], IN_BROKER[True]


@pytest.fixture
def world(store: Store) -> World:
    ensure_partition(store, TODAY)
    return World(store)


def put(world: World, *rows: Due) -> list[Batch]:
    with world.store.write() as session:
        return batches.put(session, rows, world.clock.now())


def some(account: str, count: int, *, queue: str = "webhook", retry: bool = False) -> list[Due]:
    return [Due(f"dlv_{account}_{queue}_{n}", account, queue, TODAY, retry) for n in range(count)]


def states(world: World) -> Counter[str]:
    return Counter(batch.state for batch in world.batches_left())


def end(world: World, claim_id: str) -> None:
    with world.store.write() as session:
        claims.end(session, [claim_id])


# --- how many


def test_of_an_account_three_batches_are_in_the_broker_and_the_rest_waits(world: World) -> None:
    promoted = put(world, *some("acc", 7 * BATCH_SIZE + 1))
    assert [len(batch.ids) for batch in promoted] == [BATCH_SIZE] * FIRSTS
    assert states(world) == {"enqueued": FIRSTS, "waiting": 8 - FIRSTS}
    assert [batch.id for batch in promoted] == [batch.id for batch in world.batches_left()][:FIRSTS]


def test_retries_have_a_place_of_their_own_and_take_none_from_first_tries(world: World) -> None:
    retries = put(world, *some("acc", 5 * BATCH_SIZE, retry=True))
    firsts = put(world, *some("acc", 5 * BATCH_SIZE))
    assert (len(retries), len(firsts)) == (RETRIES, FIRSTS)
    assert put(world, *some("acc", 1)) == put(world, *some("acc", 1, retry=True)) == []


def test_queues_have_places_of_their_own(world: World) -> None:
    promoted = put(world, *some("acc", 5 * BATCH_SIZE), *some("acc", 5 * BATCH_SIZE, queue="email"))
    assert Counter(batch.queue for batch in promoted) == {"webhook": FIRSTS, "email": FIRSTS}


def test_claiming_one_makes_place_for_the_next_in_order(world: World) -> None:
    world.make(*(due(f"ch_{n}") for n in range(5 * BATCH_SIZE)))
    order = [batch.id for batch in world.batches_left()]
    for number, batch_id in enumerate(order):
        world.claim(batch_id, f"c{number}")
        assert states(world)["enqueued"] == min(FIRSTS, len(order) - number - 1)
    assert [batch for _queue, batch, _ids in world.tasks.batches] == order[FIRSTS:]


def test_an_account_with_much_leaves_others_their_places(world: World) -> None:
    put(world, *some("many", 50 * BATCH_SIZE))
    promoted = put(world, *some("few", SHARED_MOST + 1))
    assert [batch.ids for batch in promoted] == [[one.id for one in some("few", SHARED_MOST + 1)]]


def test_accounts_take_turns(world: World) -> None:
    """What the broker holds stays even, although one account has ten times as much waiting."""
    for account, count in (("big", 20), ("small", 4)):
        for number in range(count):
            rows = [due(f"{account}_{n}", account) for n in range(SHARED_MOST + 1)]
            for batch in world.make(*rows, article=f"art_{number}"):
                world.tasks.enqueue(batch.queue, batch.id, batch.ids)
    owner = {batch.id: batch.account_id for batch in world.batches_left()}
    served: list[str] = []
    while len(served) < len(world.tasks.batches):
        batch_id = world.tasks.batches[len(served)][1]
        world.claim(batch_id, f"c{len(served)}")
        served.append(owner[batch_id])
    assert len(served) == 24
    assert served[:8] == ["big"] * FIRSTS + ["small"] * FIRSTS + ["big", "big"]
    assert max(n for n, account in enumerate(served) if account == "small") < 12


# --- what shares a batch


def test_many_small_accounts_share_batches(world: World) -> None:
    rows = [row for number in range(BATCH_SIZE) for row in some(f"acc_{number}", 3)]
    promoted = put(world, *rows)
    assert [len(batch.ids) for batch in promoted] == [BATCH_SIZE] * 3
    assert {batch.account_id for batch in world.batches_left()} == {SHARED}
    assert sorted(id_ for batch in promoted for id_ in batch.ids) == sorted(row.id for row in rows)


def test_who_has_more_than_a_few_has_a_batch_to_itself(world: World) -> None:
    put(world, *some("few", SHARED_MOST), *some("more", SHARED_MOST + 1), *some("one", 1))
    sizes = {batch.account_id: len(batch.delivery_ids) for batch in world.batches_left()}
    assert sizes == {SHARED: SHARED_MOST + 1, "more": SHARED_MOST + 1}


def test_an_account_alone_shares_with_nobody(world: World) -> None:
    put(world, *some("acc", 2))
    assert [batch.account_id for batch in world.batches_left()] == ["acc"]


def test_nothing_makes_no_batch(world: World) -> None:
    assert put(world) == []
    assert world.batches_left() == []


# --- what is lost


def lost(world: World) -> list[str]:
    with world.store.write() as session:
        return [batch.id for batch in batches.take_lost(session, world.clock.now())]


def test_a_message_that_nobody_takes_is_enqueued_again_every_minute(world: World) -> None:
    (batch,) = put(world, *some("acc", 3))
    world.clock.advance(seconds=59)
    assert lost(world) == []
    for _ in range(3):
        world.clock.advance(seconds=1)
        assert lost(world) == [batch.id]
        assert lost(world) == []
        world.clock.advance(seconds=59)


def test_what_waits_or_is_claimed_is_not_lost(world: World) -> None:
    world.make(*(due(f"ch_{n}") for n in range(4 * BATCH_SIZE)))
    first = world.batches_left()[0]
    with world.store.write() as session:
        claims.claim(session, first.id, "c1", "i1", world.clock.now())
    world.clock.advance(seconds=61)
    assert len(lost(world)) == FIRSTS - 1


def test_what_waits_is_promoted_where_the_message_that_would_have_drawn_it_was_lost(world: World) -> None:
    world.make(*(due(f"ch_{n}") for n in range(5 * BATCH_SIZE)))
    for number, batch in enumerate(world.batches_left()[:FIRSTS]):
        with world.store.write() as session:
            claims.claim(session, batch.id, f"c{number}", "i1", world.clock.now())
        end(world, f"c{number}")
    with world.store.write() as session:
        promoted = batches.promote_waiting(session, world.clock.now())
        assert batches.promote_waiting(session, world.clock.now()) == []
    assert len(promoted) == 2
    assert states(world) == {"enqueued": 2}


# --- the broker


@dataclass
class Choosy:
    """A broker that takes some batches and refuses the rest."""

    left: int
    taken: list[str] = field(default_factory=list)

    def enqueue(self, kind: str, batch: str, ids: Sequence[str]) -> None:
        """Take a batch, or not."""
        if not self.left:
            raise PublishError("full")
        self.left -= 1
        self.taken.append(batch)


def test_what_the_broker_refuses_waits_again_and_its_places_are_free(world: World) -> None:
    promoted = put(world, *some("acc", 5 * BATCH_SIZE))
    broker = Choosy(1)
    assert not Dispatcher(world.store, broker).enqueue(promoted)
    assert broker.taken == [promoted[0].id]
    assert states(world) == {"enqueued": 1, "waiting": 4}
    with world.store.write() as session:
        again = batches.promote_waiting(session, world.clock.now())
    assert again == promoted[1:]


def test_what_was_claimed_meanwhile_is_not_given_back(world: World) -> None:
    """A broker may have taken a message that it did not confirm."""
    (batch,) = world.make(due("ch_1"))
    world.claim(batch.id)
    assert not Dispatcher(world.store, Choosy(0)).enqueue([batch])
    assert states(world) == {"claimed": 1}


def test_all_taken(world: World) -> None:
    promoted = put(world, *some("acc", 3 * BATCH_SIZE))
    broker = Choosy(9)
    assert Dispatcher(world.store, broker).enqueue(promoted)
    assert broker.taken == [batch.id for batch in promoted]


def test_with_broker_and_database_away_it_is_found_a_minute_later(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    promoted = put(world, *some("acc", 1))

    def away(*_: object) -> None:
        raise Unavailable("the database does not answer")

    with monkeypatch.context() as patched:
        patched.setattr(batches, "give_back", away)
        assert not Dispatcher(world.store, Choosy(0)).enqueue(promoted)
    world.clock.advance(seconds=60)
    assert lost(world) == [promoted[0].id]


# --- many at once


@pytest.mark.postgresql
def test_transactions_that_promote_at_once_never_exceed_the_limit_nor_enqueue_one_twice(
    postgresql_url: str,
) -> None:
    """Routers, workers and the sweep of several processes, all over the same few lanes."""
    processes, rounds = 4, 12
    with ExitStack() as opened:
        stores = [opened.enter_context(closing(open_store(postgresql_url))) for _ in range(processes)]
        migrate(stores[0])
        world = World(stores[0])
        together, enqueued, lock = threading.Barrier(processes), Counter[str](), threading.Lock()

        def promote(number: int) -> None:
            for turn in range(rounds):
                together.wait(30)
                rows = [
                    Due(f"dlv_{number}_{turn}_{account}_{n}", f"acc_{account}", "webhook", TODAY)
                    for account in range(3)
                    for n in range(SHARED_MOST + 1)
                ]
                with stores[number].write() as session:
                    made = batches.put(session, rows, NOON)
                with lock:
                    enqueued.update(batch.id for batch in made)
                take_one(number, turn)

        def take_one(number: int, turn: int) -> None:
            with lock:
                mine = sorted(enqueued)[number::processes][-1:]
            for batch_id in mine:
                with stores[number].write() as session:
                    taken = claims.claim(session, batch_id, f"c{number}_{turn}", "i", NOON)
                    more = batches.promote(session, [taken[0]], NOON) if taken else []
                with lock:
                    enqueued.update(batch.id for batch in more)

        with ThreadPoolExecutor(processes) as pool:
            list(pool.map(promote, range(processes)))
        left = world.batches_left()
    assert len(left) == processes * rounds * 3
    assert set(enqueued.values()) == {1}
    in_broker = Counter(batch.account_id for batch in left if batch.state == "enqueued")
    assert in_broker == {f"acc_{account}": FIRSTS for account in range(3)}
    assert set(enqueued) == {batch.id for batch in left if batch.state != "waiting"}


@pytest.mark.postgresql
def test_two_transactions_that_promote_the_same_lane_wait_for_each_other(postgresql_url: str) -> None:
    with closing(open_store(postgresql_url)) as one, closing(open_store(postgresql_url)) as two:
        migrate(one)
        with one.write() as first:
            made = batches.put(first, some("acc", 5 * BATCH_SIZE), NOON)
            with ThreadPoolExecutor(1) as pool:
                other = pool.submit(promoting, two)
                first.commit()
                assert other.result(30) == []
    assert len(made) == FIRSTS


def promoting(store: Store) -> list[Batch]:
    with store.write() as session:
        return batches.put(session, some("acc", 2 * BATCH_SIZE), NOON)


@pytest.mark.postgresql
def test_a_batch_that_two_workers_claim_at_once_is_one_workers(postgresql_url: str) -> None:
    with closing(open_store(postgresql_url)) as one, closing(open_store(postgresql_url)) as two:
        migrate(one)
        ensure_partition(one, TODAY)
        world = World(one)
        (batch,) = world.make(due("ch_1"), due("ch_2"))

        def claim(store: Store, claim_id: str) -> int:
            with store.write() as session:
                taken = claims.claim(session, batch.id, claim_id, claim_id, NOON)
            return len(taken[1]) if taken else 0

        with ThreadPoolExecutor(2) as pool:
            assert sorted(pool.map(claim, (one, two), ("c1", "c2"))) == [0, 2]
