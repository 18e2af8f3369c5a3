"""Aliases in routing: a changed one counts from the next article on, in every router."""

import json
from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from core.errors import Unavailable
from core.query.alias_rules import new_alias
from core.store import aliases, queries, revisions
from core.store.engine import Store, open_store
from core.store.models import Alias
from core.store.schema import migrate
from router.service import Router
from tests.contract.world import NOON, World


@pytest.fixture
def world(store: Store) -> World:
    return World(store)


class Newsroom:
    """Readers of some queries, and routers that articles are given to in turn."""

    def __init__(self, world: World, *queries: str, routers: int = 1) -> None:
        self.world = world
        self._routers = [Router(world.store, world.tasks, world.clock) for _ in range(routers)]
        self._channels: dict[str, str] = {}
        self._articles = 0
        for query in queries:
            self.reader(query)

    def reader(self, query: str) -> None:
        account = self.world.account()
        channel = self.world.webhook(account, f"https://example.com/{len(self._channels)}")
        self.world.subscribe(account, channel, query)
        self._channels[channel] = query

    def told(self, title: str) -> list[str]:
        """Have an article routed; return the queries of the readers who get it."""
        before = len(self.world.deliveries())
        self._articles += 1
        message = {"id": str(self._articles), "version": 1, "title": title}
        self._routers[self._articles % len(self._routers)].handle(json.dumps(message).encode())
        return sorted(self._channels[row.channel_id] for row in self.world.deliveries()[before:])

    def put(self, name: str, meaning: str) -> None:
        with self.world.store.write() as session:
            aliases.put(session, [new_alias(name, meaning)], NOON)

    def remove(self, name: str) -> None:
        with self.world.store.write() as session:
            aliases.remove(session, name)


def test_an_alias_counts_from_the_next_article_until_it_is_removed(world: World) -> None:
    news = Newsroom(world, "kubernetes", "k8s")
    assert news.told("k8s 1.31") == ["k8s"]
    news.put("K8s", "Kubernetes")
    assert news.told("k8s 1.31") == ["k8s", "kubernetes"]
    assert news.told("Kubernetes 1.31") == ["k8s", "kubernetes"]
    news.remove("k8s")
    assert news.told("k8s 1.31") == ["k8s"]
    assert news.told("Kubernetes 1.31") == ["kubernetes"]


def test_another_meaning_takes_the_place_of_the_first(world: World) -> None:
    news = Newsroom(world, "apple", "google")
    news.put("tech giant", "apple")
    assert news.told("A tech giant stumbles") == ["apple"]
    news.put("tech giant", "google")
    assert news.told("A tech giant stumbles") == ["google"]


def test_every_router_and_every_later_one_learns_of_it(world: World) -> None:
    news = Newsroom(world, "kubernetes", routers=3)
    assert [news.told("k8s") for _ in range(3)] == [[]] * 3
    news.put("k8s", "kubernetes")
    assert [news.told("k8s") for _ in range(3)] == [["kubernetes"]] * 3
    late = Router(world.store, world.tasks, world.clock)
    late.handle(b'{"id": "late", "version": 1, "title": "k8s"}')
    assert len(world.deliveries()) == 4


def test_subscriptions_made_before_and_after_it_are_alike(world: World) -> None:
    news = Newsroom(world, "k8s -helm")
    news.put("k8s", "kubernetes")
    news.reader("kubernetes -helm")
    assert news.told("Kubernetes and pods") == ["k8s -helm", "kubernetes -helm"]
    assert news.told("k8s and Helm") == []
    news.reader("title:k8s")
    assert news.told("Kubernetes") == ["k8s -helm", "kubernetes -helm", "title:k8s"]


def loads(news: Newsroom, articles: int) -> int:
    """Return how often the index is loaded anew for so many articles."""
    with capture_logs() as lines:
        for _ in range(articles):
            news.told("nothing")
    return sum(line["event"] == "subscriptions loaded" for line in lines)


def test_the_index_is_loaded_once_for_each_change(world: World) -> None:
    news = Newsroom(world, "kubernetes")
    assert loads(news, 3) == 1
    news.put("k8s", "kubernetes")
    assert loads(news, 3) == 1
    news.put("k8s", "kubernetes")
    news.reader("pods")
    assert loads(news, 3) == 0


@pytest.fixture
def servers(postgresql_url: str) -> Iterator[tuple[Store, Store]]:
    store, other = open_store(postgresql_url), open_store(postgresql_url)
    migrate(store)
    yield store, other
    store.close()
    other.close()


@pytest.mark.postgresql
def test_a_transaction_that_does_not_end_has_the_index_loaded_only_once(
    servers: tuple[Store, Store],
) -> None:
    store, other = servers
    news = Newsroom(World(store), "kubernetes")
    news.told("nothing")
    with other.write() as slow:
        revisions.log_changes(slow, [999])
        slow.flush()
        news.put("k8s", "kubernetes")
        assert loads(news, 3) == 1
        assert news.told("k8s") == ["kubernetes"]


@pytest.mark.postgresql
def test_an_alias_that_commits_late_is_not_missed(servers: tuple[Store, Store]) -> None:
    store, other = servers
    news = Newsroom(World(store), "kubernetes")
    with other.write() as slow:
        aliases.put(slow, [new_alias("k8s", "kubernetes")], NOON)
        news.reader("pods")
        assert news.told("k8s") == []
    assert news.told("k8s") == ["kubernetes"]


def test_a_load_that_breaks_off_is_done_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_off(*_: object) -> None:
        raise Unavailable("the database has gone")

    news = Newsroom(world, "kubernetes", "pods")
    assert news.told("pods") == ["pods"]
    news.put("k8s", "kubernetes")
    with monkeypatch.context() as broken:
        broken.setattr(queries, "all_subscribers", break_off)
        with pytest.raises(Unavailable):
            news.told("k8s")
    assert news.told("k8s pods") == ["kubernetes", "pods"]


def test_an_alias_that_is_not_understood_keeps_no_article(world: World) -> None:
    news = Newsroom(world, "kubernetes")
    with world.store.write() as session:
        session.add(Alias(id="als_1", key="k8s", name="k8s", meaning="!", created_at=NOON, updated_at=NOON))
        revisions.log_changes(session, [revisions.ALIASES])
    with capture_logs() as lines:
        assert news.told("Kubernetes") == ["kubernetes"]
    assert "the stored aliases are not understood" in [line["event"] for line in lines]
