"""Compiled queries: loading finds for every subscription what it asks now, compiled before or not."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select, text, update

from core.query import Asked, compiled, limited, parse
from core.store import queries
from core.store.engine import Store, open_store
from core.store.models import CompiledQuery, Subscription
from core.store.schema import migrate
from tests.contract.world import World

NAMES = ['say "so"', "back\\slash", "Zeitung für Ärzte", "日本", "a\tb\n", "\x1f\x7f", "😀", "/", "'", "null"]


@pytest.fixture
def world(store: Store) -> World:
    return World(store)


@pytest.fixture
def channel(world: World) -> str:
    return world.webhook(world.account(), "https://example.com/a")


def subscribe(world: World, channel: str, *asked: Asked) -> None:
    for each in asked:
        world.subscribe(
            world.account(), channel, each.canonical, sources=each.sources, languages=each.languages
        )


def code_of(asked: Asked) -> bytes:
    return compiled(limited(parse(asked.canonical), asked.sources, asked.languages))


def loaded(store: Store) -> dict[int, bytes]:
    """Return the code of each subscription, as a cold start finds it."""
    with store.read() as session:
        groups = list(queries.all_subscribers(session))
        numbers = [number for group in groups for number in group.numbers]
        again = list(queries.subscribers(session, [*numbers, 10**9]))
    found = {number: code for code, of_code in groups for number in of_code}
    assert len(found) == len(numbers)
    assert found == {number: code for code, of_code in again for number in of_code}
    return found


def expected(store: Store) -> dict[int, bytes]:
    with store.read() as session:
        rows = session.execute(select(Subscription)).scalars()
        return {row.number: code_of(Asked(row.canonical, row.sources, row.languages)) for row in rows}


def keep(store: Store, *asked: Asked) -> None:
    with store.write() as session:
        queries.keep(session, queries.compile_all(asked))


def lacking(store: Store, numbers: list[int] | None = None) -> list[Asked]:
    with store.read() as session:
        return [each for part in queries.lacking(session, numbers) for each in part]


def kept(store: Store) -> dict[bytes, bytes]:
    with store.read() as session:
        return {row.digest: row.compiled for row in session.execute(select(CompiledQuery)).scalars()}


VARIED = [
    Asked("kubernetes"),
    Asked("kubernetes", []),
    Asked("kubernetes", ["The Times"]),
    Asked("kubernetes", ["The Times"], ["en"]),
    Asked("kubernetes", None, ["en"]),
    Asked("kubernetes", ["en"]),
    Asked('"new york" OR c++'),
    Asked("हिन्दी -東京", NAMES, ["en-us"]),
    Asked(r'source:"a \"b\""'),
]


def test_what_is_asked_has_one_digest_here_and_in_the_database(
    store: Store, world: World, channel: str
) -> None:
    asked = [*VARIED, *(Asked("a", [name]) for name in NAMES)]
    subscribe(world, channel, *asked)
    assert sorted(each.digest for each in lacking(store)) == sorted(each.digest for each in asked)
    keep(store, *asked)
    assert lacking(store) == []
    assert loaded(store) == expected(store)


@pytest.mark.parametrize("share", [0, 4, len(VARIED)])
def test_loading_finds_what_each_asks_however_much_is_compiled(
    store: Store, world: World, channel: str, share: int
) -> None:
    subscribe(world, channel, *VARIED, *VARIED[:5])
    keep(store, *VARIED[:share])
    assert len(loaded(store)) == len(VARIED) + 5
    assert loaded(store) == expected(store)


def test_equal_queries_come_together(store: Store, world: World, channel: str) -> None:
    subscribe(world, channel, *[Asked("ai")] * 300, Asked("ml"))
    with store.read() as session:
        assert sorted(len(group.numbers) for group in queries.all_subscribers(session)) == [1, 300]


def test_no_subscriptions_are_no_groups(store: Store) -> None:
    assert loaded(store) == {}
    assert lacking(store) == []


def test_more_than_are_read_at_once(
    store: Store, world: World, channel: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "AT_ONCE", 3)
    subscribe(world, channel, *VARIED)
    assert loaded(store) == expected(store)
    assert len(lacking(store)) == len(VARIED)


def test_another_format_is_compiled_anew(store: Store, world: World, channel: str) -> None:
    subscribe(world, channel, *VARIED)
    keep(store, *VARIED)
    current = kept(store)
    with store.write() as session:
        session.execute(update(CompiledQuery).values(compiled=b"\x00of an older program"))
    assert loaded(store) == expected(store)
    assert len(lacking(store)) == len(VARIED)
    keep(store, *VARIED)
    assert kept(store) == current


def test_what_an_older_program_writes_is_what_counts(store: Store, world: World, channel: str) -> None:
    subscribe(world, channel, Asked("before", ["x"]))
    keep(store, Asked("before", ["x"]))
    with store.write() as session:  # an older program knows no compiled queries
        session.execute(text("UPDATE subscriptions SET canonical = 'after', sources = NULL"))
    assert list(loaded(store).values()) == [code_of(Asked("after"))]


def test_a_query_that_is_not_understood_any_more_spoils_no_other(
    store: Store, world: World, channel: str
) -> None:
    subscribe(world, channel, Asked("fine"), Asked("broken"))
    with store.write() as session:
        session.execute(text("UPDATE subscriptions SET canonical = '((' WHERE canonical = 'broken'"))
    assert list(loaded(store).values()) == [code_of(Asked("fine"))]
    assert queries.compile_all([Asked("((")]) == {}


def test_only_lacking_ones_among_some_subscriptions(store: Store, world: World, channel: str) -> None:
    subscribe(world, channel, Asked("a"), Asked("b"), Asked("c"))
    keep(store, Asked("b"))
    first, second, _third = sorted(expected(store))
    assert lacking(store, [first, second]) == [Asked("a")]


def test_what_is_not_asked_any_more_is_forgotten(store: Store, world: World, channel: str) -> None:
    subscribe(world, channel, Asked("a"), Asked("b", ["x"]))
    keep(store, Asked("a"), Asked("b"), Asked("b", ["x"]), Asked("c"))
    with store.read() as session:
        parts = list(queries.unused(session))
    with store.write() as session:
        for part in parts:
            queries.forget(session, part)
    assert set(kept(store)) == {Asked("a").digest, Asked("b", ["x"]).digest}


@pytest.mark.postgresql
def test_many_may_keep_the_same_at_once(postgresql_url: str) -> None:
    stores = [open_store(postgresql_url) for _ in range(4)]
    migrate(stores[0])
    begin = threading.Barrier(len(stores))

    def keep_all(turn: int) -> None:
        asked = [Asked(f"topic{number}") for number in range(200)]
        for start in range(20):
            begin.wait()
            keep(stores[turn], *(asked[turn * start :] + asked[: turn * start]))

    with ThreadPoolExecutor(len(stores)) as pool:
        list(pool.map(keep_all, range(len(stores))))
    assert len(kept(stores[0])) == 200
    for each in stores:
        each.close()
