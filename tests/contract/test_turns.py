"""Strict order: a channel's deliveries go out one after the other, on both databases."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta

import pytest
from sqlalchemy import update

from core.errors import Reason
from core.store import batches, channels, claims, instances, leases, ledger, turns
from core.store.batches import Batch
from core.store.claims import Claimed, Finished
from core.store.engine import Store, open_store
from core.store.instances import InstanceInfo
from core.store.leases import Grant
from core.store.models import Channel, Delivery
from core.store.partitions import ensure_partition
from core.store.schema import migrate
from core.store.states import ChannelState, DeliveryState
from core.store.turns import STRICT
from notifiers import admission
from notifiers.opened import channel_rows
from notifiers.sweep import Sweep
from tests.contract.world import TODAY, World, due


class Line:
    """A channel with strict order, and a worker that takes its deliveries."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.account = world.account()
        self.channel = world.webhook(self.account, "https://example.com/strict", ordering=STRICT)
        self.sweep = Sweep(world.store, world.tasks, world.clock)
        self._claims = 0

    def make(self, count: int, state: DeliveryState = DeliveryState.PENDING) -> None:
        """Match articles one after the other."""
        for number in range(count):
            row = due(self.channel, self.account, state=state, strict=True)
            self.enqueue(self.world.make(row, article=f"art_{number}"))

    def enqueue(self, promoted: Sequence[Batch]) -> None:
        for batch in promoted:
            self.world.tasks.enqueue(batch.queue, batch.id, batch.ids)

    def work(self) -> list[str]:
        """Take everything from the broker; return the articles that may be sent now."""
        now = self.world.clock.now()
        with self.world.store.write() as session:
            instances.beat(session, InstanceInfo("i1", "worker", "host", "1", now), now)
        admitted: list[Claimed] = []
        while self.world.tasks.batches:
            _queue, batch_id, _ids = self.world.tasks.batches.pop(0)
            self._claims += 1
            rows = self.world.claim(batch_id, f"c{self._claims}")
            if rows:
                with self.world.store.read() as session:
                    known = channel_rows(session, {self.channel})
                let = admission.admit(
                    self.world.store, f"c{self._claims}", rows, known, self.world.clock.now()
                )
                assert all(one.not_before is None for one in let)
                admitted += [one.claimed for one in let]
        return [row.article_id for row in admitted]

    def end(self, article: str, state: DeliveryState = DeliveryState.DELIVERED, wait: float = 0) -> None:
        """Write how a delivery ended, and call the next, as a worker does."""
        row, now = self.row(article), self.world.clock.now()
        assert row.claim_id is not None
        later = now + timedelta(seconds=wait) if state == DeliveryState.PENDING else None
        result = Finished(
            row.id,
            TODAY,
            row.claim_id,
            state,
            due_at=later,
            enqueue_after=later,
            attempt=row.attempts + 1,
            started_at=now,
        )
        with self.world.store.write() as session:
            turns.lock(session, [self.channel])
            claims.finish(session, [result], now)
            claims.end(session, [row.claim_id])
            called = turns.call_next(session, [self.channel], now)
            promoted = batches.put(session, called, now)
        self.enqueue(promoted)

    def row(self, article: str) -> Delivery:
        return next(row for row in self.world.deliveries() if row.article_id == article)

    def places(self) -> list[int | None]:
        return [row.sequence for row in self.world.deliveries()]


@pytest.fixture
def line(store: Store) -> Line:
    ensure_partition(store, TODAY)
    return Line(World(store))


@pytest.fixture
def grant(store: Store) -> Grant:
    granted = leases.acquire(store, "leader", "me", 600)
    assert granted is not None
    return granted


def test_deliveries_are_numbered_as_they_are_made(line: Line) -> None:
    line.make(3)
    line.world.make(due("ch_any", line.account), article="art_other")
    assert line.places() == [1, 2, 3, None]
    with line.world.store.write() as session:
        assert turns.heads(session, [line.channel, "ch_any"]) == {line.channel: 1}
        assert turns.stopped_lines(session) == []


def test_a_line_whose_head_is_parked_has_stopped(line: Line) -> None:
    line.make(2)
    line.work()
    with line.world.store.write() as session:
        session.execute(update(Delivery).where(Delivery.article_id == "art_0").values(sequence=None))
        assert turns.stopped_lines(session) == [line.channel]


def test_only_the_head_goes_out_and_the_others_are_parked(line: Line) -> None:
    line.make(3)
    assert line.work() == ["art_0"]
    parked = [line.row("art_1"), line.row("art_2")]
    assert [(row.state, row.due_at, row.enqueue_after, row.claim_id) for row in parked] == [
        ("pending", None, None, None)
    ] * 2
    assert len(line.world.batches_left()) == 1


def test_one_after_the_other_goes_out_as_each_ends(line: Line) -> None:
    line.make(4)
    sent: list[str] = []
    while articles := line.work():
        (article,) = articles
        sent.append(article)
        line.end(article, DeliveryState.FAILED if article == "art_1" else DeliveryState.DELIVERED)
    assert sent == ["art_0", "art_1", "art_2", "art_3"]
    assert line.places() == [None] * 4
    assert line.world.batches_left() == []


def test_those_in_one_batch_go_one_by_one_too(line: Line, grant: Grant) -> None:
    line.world.set_state(line.channel, ChannelState.PAUSED)
    line.make(3, state=DeliveryState.HELD)
    assert line.world.batches_left() == []
    line.world.set_state(line.channel, ChannelState.ACTIVE)
    line.sweep(grant)
    assert [len(ids) for _queue, _batch, ids in line.world.tasks.batches] == [3]
    for article in ("art_0", "art_1", "art_2"):
        assert line.work() == [article]
        line.end(article)


def test_a_head_that_must_be_tried_again_keeps_the_others_waiting(line: Line, grant: Grant) -> None:
    line.make(2)
    assert line.work() == ["art_0"]
    line.end("art_0", DeliveryState.PENDING, wait=30)
    line.sweep(grant)
    assert line.work() == []
    line.world.clock.advance(seconds=30)
    line.sweep(grant)
    assert line.work() == ["art_0"]
    line.end("art_0")
    assert line.work() == ["art_1"]


def test_a_later_one_whose_message_comes_first_waits_for_its_turn(line: Line) -> None:
    line.make(2)
    line.world.tasks.batches.reverse()
    assert line.work() == ["art_0"]
    assert line.row("art_1").due_at is None


def test_the_next_is_not_called_twice(line: Line, grant: Grant) -> None:
    line.make(2)
    assert line.work() == ["art_0"]
    line.end("art_0")
    line.sweep(grant)
    assert line.work() == ["art_1"]
    line.sweep(grant)
    assert line.work() == []


# --- the line changes


def test_a_head_that_is_cancelled_gives_way_to_the_next_with_the_sweep(line: Line, grant: Grant) -> None:
    line.make(3)
    assert line.work() == ["art_0"]
    with line.world.store.write() as session:
        ledger.supersede(session, "art_0", TODAY, 2, [line.channel], line.world.clock.now())
    assert line.row("art_0").sequence is None
    assert line.work() == []
    line.sweep(grant)
    assert line.work() == ["art_1"]


def test_one_that_is_cancelled_in_the_line_is_passed_over(line: Line) -> None:
    line.make(3)
    assert line.work() == ["art_0"]
    with line.world.store.write() as session:
        ledger.supersede(session, "art_1", TODAY, 2, [line.channel], line.world.clock.now())
    line.end("art_0")
    assert line.work() == ["art_2"]


def test_a_line_that_is_held_keeps_its_order_when_it_is_resumed(line: Line, grant: Grant) -> None:
    line.make(3)
    assert line.work() == ["art_0"]
    line.world.set_state(line.channel, ChannelState.PAUSED)
    line.end("art_0")
    line.sweep(grant)
    assert line.work() == []
    line.world.set_state(line.channel, ChannelState.ACTIVE)
    line.sweep(grant)
    assert line.work() == ["art_1"]
    line.end("art_1")
    assert line.work() == ["art_2"]


def test_what_a_lost_worker_had_is_first_again(line: Line, grant: Grant) -> None:
    line.make(2)
    assert line.work() == ["art_0"]
    line.world.clock.advance(seconds=61)
    line.sweep(grant)
    assert line.work() == ["art_0"]
    line.end("art_0")
    assert line.work() == ["art_1"]


def test_everything_of_a_channel_cancelled_leaves_no_line(line: Line) -> None:
    line.make(3)
    line.work()
    with line.world.store.write() as session:
        ledger.cancel_channel(session, line.channel, Reason.GONE, line.world.clock.now())
        assert turns.stopped_lines(session) == []
        assert turns.heads(session, [line.channel]) == {}


def test_a_channel_that_is_deleted_stops_nobody(line: Line, grant: Grant) -> None:
    line.make(2)
    line.work()
    with line.world.store.write() as session:
        channels.remove(session, session.get_one(Channel, line.channel), line.world.clock.now())
    line.sweep(grant)
    assert line.work() == []


@pytest.mark.postgresql
def test_routers_that_make_at_once_give_every_delivery_a_place_of_its_own(postgresql_url: str) -> None:
    with closing(open_store(postgresql_url)) as one, closing(open_store(postgresql_url)) as two:
        migrate(one)
        ensure_partition(one, TODAY)
        line = Line(World(one))

        def make(store: Store, prefix: str) -> None:
            world = World(store)
            for number in range(25):
                world.make(due(line.channel, line.account, strict=True), article=f"{prefix}_{number}")

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(make, (one, two), ("a", "b")))
        places = line.places()
    assert sorted(place or 0 for place in places) == list(range(1, 51))
