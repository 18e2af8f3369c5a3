"""The index in step with the store: a cold start, catching up, and everything at once."""

import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select, text

from clarion.roles import RouterRole
from core.bus import listening
from core.bus.backend import connect_bus
from core.errors import Unavailable
from core.query import Asked
from core.query.alias_rules import new_alias
from core.store import aliases, queries, revisions
from core.store.engine import Store, open_store
from core.store.models import RevisionMark, Subscription
from core.store.schema import migrate
from router.matching import Matcher
from router.service import Router
from router.subscriptions_index import SubscriptionsIndex
from tests.contract.bus_running import WAIT_SECONDS, eventually
from tests.contract.test_routing import message
from tests.contract.world import NOON, World

WORDS = ["kubernetes", "docker", "rust", "python", "linux", "postgres", "kernel", "cloud", "news", "market"]


@pytest.fixture
def world(store: Store) -> World:
    return World(store)


@pytest.fixture
def channel(world: World) -> str:
    return world.webhook(world.account(), "https://example.com/a")


def catch_up(index: SubscriptionsIndex, store: Store) -> SubscriptionsIndex:
    with store.read() as session:
        index.catch_up(session)
    return index


def fresh(store: Store) -> Matcher:
    """Return what the store's subscriptions are, added one by one from their text."""
    matcher = Matcher()
    with store.read() as session:
        for row in session.execute(select(Subscription)).scalars():
            matcher.add(row.number, row.canonical, sources=row.sources, languages=row.languages)
    return matcher


def found(index: SubscriptionsIndex | Matcher, title: str, source: str, language: str) -> list[int]:
    return sorted(index.match(title, "", source=(source,), language=language, categories=[]))


def assert_equal(index: SubscriptionsIndex, matcher: Matcher, chance: random.Random) -> None:
    assert len(index) == len(matcher)
    for _ in range(100):
        article = (" ".join(chance.sample(WORDS, 3)), chance.choice("abc"), chance.choice(["en-GB", "de"]))
        assert found(index, *article) == found(matcher, *article)


def subscribe_by_chance(world: World, channel: str, chance: random.Random) -> str:
    query = " ".join(chance.sample(WORDS, chance.randint(1, 2)))
    sources = chance.choice([None, None, ["a"], ["a", "b"]])
    languages = chance.choice([None, None, ["en"], ["en-gb", "de"]])
    return world.subscribe(world.account(), channel, query, sources=sources, languages=languages)


def compile_some(store: Store, share: float, chance: random.Random) -> None:
    with store.write() as session:
        rows = session.execute(select(Subscription)).scalars().all()
        asked = [Asked(row.canonical, row.sources, row.languages) for row in rows]
        queries.keep(session, queries.compile_all(one for one in asked if chance.random() < share))


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_cold_start_is_a_fresh_matcher(world: World, channel: str, share: float) -> None:
    chance = random.Random(3)
    for _ in range(120):
        subscribe_by_chance(world, channel, chance)
    compile_some(world.store, share, chance)
    assert_equal(catch_up(SubscriptionsIndex(), world.store), fresh(world.store), chance)


def test_catching_up_is_a_fresh_start(world: World, channel: str) -> None:
    chance, index, present = random.Random(4), SubscriptionsIndex(), list[str]()
    for _ in range(25):
        for _ in range(8):
            present.append(subscribe_by_chance(world, channel, chance))
        for _ in range(chance.randint(0, 6)):
            world.unsubscribe(present.pop(chance.randrange(len(present))))
        change_one(world, chance.choice(present), chance.choice(WORDS))
        compile_some(world.store, 0.3, chance)
        catch_up(index, world.store)
    assert_equal(index, fresh(world.store), chance)


def change_one(world: World, subscription_id: str, word: str) -> None:
    with world.store.write() as session:
        row = session.execute(select(Subscription).where(Subscription.id == subscription_id)).scalar_one()
        row.query = row.canonical = word
        revisions.log_changes(session, [row.number])


def test_aliases_count_for_what_is_loaded_and_what_comes_later(world: World, channel: str) -> None:
    index = SubscriptionsIndex()
    with world.store.write() as session:
        aliases.put(session, [new_alias("k8s", "kubernetes")], NOON)
    world.subscribe(world.account(), channel, "kubernetes")
    catch_up(index, world.store)
    world.subscribe(world.account(), channel, "k8s")
    catch_up(index, world.store)
    assert len(found(index, "K8s", "a", "en")) == len(found(index, "Kubernetes", "a", "en")) == 2


def test_who_comes_too_late_for_the_log_loads_everything(world: World, channel: str) -> None:
    loads: list[int] = []
    index = SubscriptionsIndex(loaded=lambda: loads.append(1))
    gone = world.subscribe(world.account(), channel, "rust")
    catch_up(index, world.store)
    world.unsubscribe(gone)
    world.subscribe(world.account(), channel, "linux")
    with world.store.write() as session:
        position = revisions.changes_since(session, None).position
        session.add(RevisionMark(position=position.end, noted_at=NOON))
        session.execute(
            text("DELETE FROM subscription_changes WHERE sequence < :newest"), {"newest": position.sequence}
        )
    catch_up(index, world.store)
    assert (len(index), found(index, "Rust", "a", "en"), len(loads)) == (1, [], 2)


def test_what_is_committed_while_all_is_loaded_is_caught_up(
    world: World, channel: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = world.subscribe(world.account(), channel, "rust")
    load = queries.all_subscribers

    def load_while_others_write(session: object) -> Iterator[queries.Subscribers]:
        world.subscribe(world.account(), channel, "linux")
        world.unsubscribe(before)
        yield from load(session)  # type: ignore[arg-type]

    monkeypatch.setattr(queries, "all_subscribers", load_while_others_write)
    index = catch_up(SubscriptionsIndex(), world.store)
    assert (len(found(index, "Rust", "a", "en")), found(index, "Linux", "a", "en")) == (1, [])
    catch_up(index, world.store)
    assert (found(index, "Rust", "a", "en"), len(found(index, "Linux", "a", "en"))) == ([], 1)


def test_a_transaction_opened_before_another_thread_looked_is_not_behind(world: World, channel: str) -> None:
    loads: list[int] = []
    index = SubscriptionsIndex(loaded=lambda: loads.append(1))
    catch_up(index, world.store)
    with world.store.read() as session:
        world.subscribe(world.account(), channel, "rust")
        catch_up(index, world.store)
        index.catch_up(session)
    assert (len(index), len(loads)) == (1, 1)


def test_a_change_that_was_not_applied_is_applied_next_time(
    world: World, channel: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = catch_up(SubscriptionsIndex(), world.store)
    world.subscribe(world.account(), channel, "rust")
    with monkeypatch.context() as patched:
        patched.delattr(queries, "subscribers")
        with pytest.raises(AttributeError):
            catch_up(index, world.store)
    assert len(catch_up(index, world.store)) == 1


@pytest.mark.parametrize("heard", [True, False])
def test_a_router_without_articles_learns_of_changes(
    world: World, channel: str, monkeypatch: pytest.MonkeyPatch, heard: bool
) -> None:
    monkeypatch.setattr(listening, "LOOK_SECONDS", 1_000.0 if heard else listening.STOP_CHECK_SECONDS)
    bus, loaded = connect_bus("memory:"), threading.Event()
    index = SubscriptionsIndex(loaded=loaded.set)
    role = RouterRole(Router(world.store, world.tasks, world.clock, index), bus.consumer(), bus.listener())
    role.start()
    try:
        assert loaded.wait(WAIT_SECONDS)
        world.subscribe(world.account(), channel, "rust")
        if heard:
            bus.announcer().announce()
        assert eventually(lambda: len(index) == 1)
    finally:
        role.stop()


def test_a_database_that_is_away_ends_no_listener(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> None:
        raise Unavailable("away")

    router = Router(world.store, world.tasks, world.clock)
    with monkeypatch.context() as patched:
        patched.setattr(world.store, "read", away)
        router.catch_up()
    router.catch_up()


# --- all at once, on PostgreSQL


@pytest.mark.postgresql
def test_a_thousand_come_and_go_while_articles_are_routed(postgresql_url: str) -> None:
    """Before each article one subscription is committed and another deleted, amid a thousand of others."""
    stores = [open_store(postgresql_url) for _ in range(3)]
    migrate(stores[0])
    worlds = [World(store) for store in stores]
    channel = worlds[0].webhook(worlds[0].account(), "https://example.com/crowd")
    router = Router(worlds[0].store, worlds[0].tasks, worlds[0].clock)
    stop = threading.Event()
    with ThreadPoolExecutor(6) as pool:
        crowds = [
            pool.submit(come_and_go, world, channel, turn) for turn, world in enumerate([*worlds[1:]] * 2)
        ]
        looks = pool.submit(look_all_the_time, router.catch_up, stop)
        wanted = [route_one(worlds[0], router, number) for number in range(40)]
        left = {id_ for crowd in crowds for id_ in crowd.result()}
        stop.set()
        looks.result()
    told = {row.channel_id for row in worlds[0].deliveries() if row.channel_id != channel}
    assert told == set(wanted)
    index = catch_up(SubscriptionsIndex(), worlds[0].store)
    assert len(index) == len(fresh(worlds[0].store)) == len(left) + len(wanted)
    router.handle(message(id="last", title="crowd"))
    (last,) = [row for row in worlds[0].deliveries() if row.channel_id == channel][-1:]
    assert last.matched_total == len(left)
    for store in stores:
        store.close()


def come_and_go(world: World, channel: str, turn: int) -> list[str]:
    """Make 250 subscriptions and delete most of them again; return what is left."""
    chance, present = random.Random(turn), list[str]()
    for _ in range(250):
        present.append(world.subscribe(world.account(), channel, "crowd"))
        if len(present) > 5:
            world.unsubscribe(present.pop(chance.randrange(len(present))))
    return present


def route_one(world: World, router: Router, number: int) -> str:
    """Route an article that is for a subscription made just before, and for one deleted just before."""
    account, word = world.account(), f"word{number}"
    late = world.webhook(account, f"https://example.com/late/{number}")
    gone = world.webhook(account, f"https://example.com/gone/{number}")
    deleted = world.subscribe(account, gone, word)
    router.catch_up()
    world.subscribe(account, late, word)
    world.unsubscribe(deleted)
    router.handle(message(id=word, title=f"About {word}"))
    return late


def look_all_the_time(look: Callable[[], None], stop: threading.Event) -> None:
    while not stop.is_set():
        look()
