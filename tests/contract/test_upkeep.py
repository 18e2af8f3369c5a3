"""What the leader does for routers: it compiles queries once, and keeps the log short."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import func, select, text

from core.query import Asked
from core.store import leases, queries, revisions
from core.store.engine import Store
from core.store.leases import Grant, LeaseLost
from core.store.models import CompiledQuery, RevisionMark, SubscriptionChange
from router.upkeep import Upkeep
from tests.contract.world import World


@pytest.fixture
def world(store: Store) -> World:
    return World(store)


@pytest.fixture
def channel(world: World) -> str:
    return world.webhook(world.account(), "https://example.com/a")


@pytest.fixture
def upkeep(world: World) -> Upkeep:
    return Upkeep(world.store, world.clock)


@pytest.fixture
def grant(store: Store) -> Grant:
    return lead(store, "first")


def lead(store: Store, holder: str) -> Grant:
    with store.write() as session:
        session.execute(text("UPDATE leases SET expires_at = '2000-01-01T00:00:00.000000Z'"))
    grant = leases.acquire(store, "leader", holder, 60)
    assert grant is not None
    return grant


def kept(store: Store) -> dict[bytes, bytes]:
    with store.read() as session:
        return {row.digest: row.compiled for row in session.execute(select(CompiledQuery)).scalars()}


def codes(*asked: Asked) -> dict[bytes, bytes]:
    return {each.digest: each.compiled() for each in asked}


def test_what_is_asked_is_compiled_first_all_of_it_then_what_is_new(
    world: World, channel: str, upkeep: Upkeep, grant: Grant, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.subscribe(world.account(), channel, "old")
    with world.store.write() as session:  # of a time from which there is no log any more
        session.execute(text("DELETE FROM subscription_changes"))
    world.subscribe(world.account(), channel, "rust", sources=["x"])
    upkeep.compile_queries(grant)
    assert kept(world.store) == codes(Asked("old"), Asked("rust", ["x"]))

    scans = count_scans(monkeypatch)
    world.subscribe(world.account(), channel, "linux")
    world.subscribe(world.account(), channel, "rust", sources=["x"])
    upkeep.compile_queries(grant)
    upkeep.compile_queries(grant)
    assert kept(world.store) == codes(Asked("old"), Asked("rust", ["x"]), Asked("linux"))
    assert scans == []


def count_scans(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that grows by each statement over all subscriptions."""
    scans: list[str] = []
    streamed = queries._streamed

    def recorded(session: object, sql: str) -> Iterator[object]:
        scans.append(sql)
        yield from streamed(session, sql)  # type: ignore[arg-type]

    monkeypatch.setattr(queries, "_streamed", recorded)
    return scans


def test_a_new_leader_looks_at_everything(world: World, channel: str, upkeep: Upkeep, grant: Grant) -> None:
    upkeep.compile_queries(grant)
    another = Upkeep(world.store, world.clock)
    again = lead(world.store, "second")
    world.subscribe(world.account(), channel, "rust")
    another.compile_queries(again)
    with world.store.write() as session:
        session.execute(text("DELETE FROM queries"))
    back = lead(world.store, "first")
    upkeep.compile_queries(back)
    assert kept(world.store) == codes(Asked("rust"))


def test_who_leads_no_more_writes_nothing(world: World, channel: str, upkeep: Upkeep, grant: Grant) -> None:
    world.subscribe(world.account(), channel, "rust")
    lead(world.store, "second")
    for job in (upkeep.compile_queries, upkeep.cut_log):
        with pytest.raises(LeaseLost):
            job(grant)
    assert kept(world.store) == {}
    with world.store.read() as session:
        assert session.execute(select(RevisionMark)).all() == []


def test_what_nobody_asks_any_more_is_dropped(
    world: World, channel: str, upkeep: Upkeep, grant: Grant
) -> None:
    gone = world.subscribe(world.account(), channel, "rust")
    world.subscribe(world.account(), channel, "linux")
    upkeep.compile_queries(grant)
    upkeep.forget_queries(grant)
    assert len(kept(world.store)) == 2
    world.unsubscribe(gone)
    upkeep.forget_queries(grant)
    assert kept(world.store) == codes(Asked("linux"))
    world.subscribe(world.account(), channel, "rust")
    upkeep.compile_queries(grant)
    assert len(kept(world.store)) == 2


def test_the_log_stays_short(
    world: World, upkeep: Upkeep, grant: Grant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With marks as if no other database of the server had transactions running."""
    monkeypatch.setattr(revisions, "CUT_AT_ONCE", 2)
    for _ in range(20):
        with world.store.write() as session:
            revisions.log_changes(session, [1, 2, 3])
        with world.store.write() as session:
            here = revisions.changes_since(session, None).position
            session.merge(RevisionMark(position=here.end, noted_at=world.clock.now()))
        world.clock.advance(hours=1)
        upkeep.cut_log(grant)
    with world.store.read() as session:
        left = session.execute(select(func.count()).select_from(SubscriptionChange)).scalar_one()
        oldest = session.execute(select(func.min(RevisionMark.noted_at))).scalar_one()
    assert left <= 3 * (revisions.KEPT / timedelta(hours=1) + 1)
    assert world.clock.now() - oldest <= revisions.KEPT + timedelta(hours=1)
