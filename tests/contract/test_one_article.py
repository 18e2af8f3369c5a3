"""The same page from two sources is one article, on both databases."""

import json
import threading
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import func, select, text

from core.ids import new_id
from core.message import ArticleMessage
from core.store.articles import newest_versions
from core.store.engine import Store
from core.store.entries import new_entry
from core.store.models import Appearance, Article, Source
from router.service import Router
from tests.contract.world import RecordingTasks, World

URL = "https://paper.example/2026/pods"


@pytest.fixture
def world(store: Store) -> World:
    return World(store)


@pytest.fixture
def router(world: World) -> Router:
    return Router(world.store, world.tasks, world.clock)


def item(source: str | dict[str, str] | None, version: int = 1, **fields: Any) -> bytes:
    article = {
        "id": f"{source}-1",
        "version": version,
        "title": "Kubernetes news",
        "url": URL,
        "source": source,
    }
    return json.dumps(article | fields).encode()


def channel(world: World, name: str, query: str = "kubernetes", **more: Any) -> str:
    """Make an account's channel with a subscription."""
    account = world.account()
    made = world.webhook(account, f"https://example.com/{name}")
    world.subscribe(account, made, query, **more)
    return made


def articles(world: World) -> list[tuple[str, int, int, str]]:
    """Return (source key, version, planned version, title) of every article, oldest first."""
    with world.store.read() as session:
        rows = session.execute(newest_versions().order_by(Article.id)).all()
    return [
        (article.source_key, article.version, article.planned_version, version.title)
        for article, version in rows
    ]


def appearances(world: World) -> list[tuple[str, int, int]]:
    """Return (source key, version, planned version) of every appearance."""
    with world.store.read() as session:
        rows = session.execute(select(Appearance).order_by(Appearance.source_key)).scalars()
        return [(row.source_key, row.version, row.planned_version) for row in rows]


def told(world: World) -> list[tuple[str, int, str]]:
    """Return (channel, version, event) of the ledger, oldest first."""
    return [(row.channel_id, row.version, row.event) for row in world.deliveries()]


def own_source(world: World, account: str | None, name: str) -> dict[str, str]:
    """Make a source and return how messages name it."""
    now = world.clock.now()
    row = Source(
        id=new_id("src"),
        account_id=account,
        kind="push",
        url=f"push:{name}",
        name=name,
        created_at=now,
        updated_at=now,
    )
    with world.store.write() as session:
        session.add(row)
    return {"id": row.id, "name": name}


def test_the_second_source_joins_the_article_and_tells_nobody_again(world: World, router: Router) -> None:
    everyone = channel(world, "all", updates=True)

    router.handle(item("first"))
    router.handle(item("second", url="http://PAPER.example:80/2026/pods?utm_source=rss#top"))

    assert articles(world) == [("external:first", 1, 1, "Kubernetes news")]
    assert appearances(world) == [("external:second", 1, 1)]
    assert told(world) == [(everyone, 1, "article.published")]


def test_who_wants_only_the_second_source_is_told_when_it_joins(world: World, router: Router) -> None:
    everyone = channel(world, "all")
    by_name = channel(world, "name", sources=["second"])
    by_query = channel(world, "query", "source:second kubernetes")
    not_first = channel(world, "not-first", "kubernetes -source:first")
    other = channel(world, "other", sources=["third"])

    router.handle(item("first"))
    assert told(world) == [(everyone, 1, "article.published")]
    router.handle(item("second"))

    assert sorted(told(world)) == sorted(
        (one, 1, "article.published") for one in (everyone, by_name, by_query, not_first)
    )
    assert other not in {row.channel_id for row in world.deliveries()}


def test_a_channel_with_subscriptions_to_both_sources_is_told_once(world: World, router: Router) -> None:
    account = world.account()
    both = world.webhook(account, "https://example.com/both")
    world.subscribe(account, both, "kubernetes", sources=["first"])
    world.subscribe(account, both, "kubernetes", sources=["second"], updates=True)

    router.handle(item("first"))
    router.handle(item("second"))

    assert told(world) == [(both, 1, "article.published")]


def test_what_only_the_second_source_says_is_matched_and_so_is_what_only_the_first_says(
    world: World, router: Router
) -> None:
    words_of_second = channel(world, "second", "whales")
    words_of_first = channel(world, "first", "source:second pods")

    router.handle(item("first", content="about pods"))
    router.handle(item("second", title="Whales of the sea"))

    assert sorted(row[0] for row in told(world)) == sorted([words_of_second, words_of_first])
    assert articles(world) == [("external:first", 1, 1, "Kubernetes news")]


def test_newer_versions_come_from_the_owner_and_reach_who_follows_the_other_source(
    world: World, router: Router
) -> None:
    follower = channel(world, "follower", sources=["second"], updates=True)
    router.handle(item("first"))
    router.handle(item("second"))
    router.handle(item("second", 2, title="Kubernetes, as the second has it"))
    assert told(world) == [(follower, 1, "article.published")]

    router.handle(item("first", 2, title="Kubernetes, as the owner has it"))

    assert articles(world) == [("external:first", 2, 2, "Kubernetes, as the owner has it")]
    assert appearances(world) == [("external:second", 2, 2)]
    assert told(world) == [(follower, 1, "article.published"), (follower, 2, "article.updated")]


def test_a_newer_version_of_the_other_source_reaches_those_never_told(world: World, router: Router) -> None:
    late = channel(world, "late", "whales")
    router.handle(item("first"))
    router.handle(item("first", 2))
    router.handle(item("second"))
    assert told(world) == []

    router.handle(item("second", 2, title="Whales of the sea"))

    assert told(world) == [(late, 2, "article.published")]


def test_repeats_and_older_versions_of_the_other_source_change_nothing(world: World, router: Router) -> None:
    router.handle(item("first"))
    router.handle(item("second", 3))
    channel(world, "new")

    router.handle(item("second", 3))
    router.handle(item("second", 2))
    router.handle(item("first"))

    assert appearances(world) == [("external:second", 3, 3)]
    assert told(world) == []


def test_a_join_that_was_cut_short_is_finished_on_redelivery(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Crashing(RecordingTasks):
        """Stands for a process that is killed between two commits."""

        def enqueue(self, kind: str, batch: str, ids: Sequence[str]) -> None:
            raise KeyboardInterrupt

    channels = [channel(world, str(number), sources=["second"]) for number in range(5)]
    monkeypatch.setattr("router.service.CHANNELS_PER_COMMIT", 2)
    router = Router(world.store, world.tasks, world.clock)
    router.handle(item("first"))
    with pytest.raises(KeyboardInterrupt):
        Router(world.store, Crashing(), world.clock).handle(item("second"))
    assert len(told(world)) == 2
    assert appearances(world) == [("external:second", 1, 0)]

    router.handle(item("first", 2))
    router.handle(item("second"))

    assert sorted(row[0] for row in told(world)) == sorted(channels)
    assert appearances(world) == [("external:second", 1, 1)]


def test_accounts_and_the_installation_do_not_share_articles(world: World, router: Router) -> None:
    mine, theirs = world.account("mine"), world.account("theirs")
    sources = [own_source(world, owner, name) for owner, name in ((mine, "a"), (theirs, "b"), (None, "c"))]
    for number, source in enumerate(sources):
        router.handle(item(source, id=str(number)))
    assert len(articles(world)) == 3

    router.handle(item(own_source(world, mine, "d"), id="more"))

    assert len(articles(world)) == 3
    with world.store.read() as session:
        owner = session.execute(select(Article.account_id).join(Appearance)).scalar_one()
    assert owner == mine


@pytest.mark.parametrize("url", [None, "https://paper.example/", "https://paper.example/index.html"])
def test_what_leads_to_no_article_joins_none(world: World, router: Router, url: str | None) -> None:
    router.handle(item("first", url=url))
    router.handle(item("second", url=url))
    assert len(articles(world)) == 2


def test_what_names_no_source_joins_none(world: World, router: Router) -> None:
    router.handle(item(None))
    router.handle(item("first"))
    router.handle(item(None, id="other"))
    assert len(articles(world)) == 3


@pytest.mark.parametrize("twice", ["first", "second"])
def test_an_address_of_many_items_of_one_source_joins_no_more(
    world: World, router: Router, twice: str
) -> None:
    router.handle(item("first"))
    router.handle(item("second"))
    router.handle(item(twice, id="another", title="Another item"))
    router.handle(item("third"))
    router.handle(item("third"))

    assert [(key, title) for key, _, _, title in articles(world)] == [
        ("external:first", "Kubernetes news"),
        (f"external:{twice}", "Another item"),
        ("external:third", "Kubernetes news"),
    ]
    assert appearances(world) == [("external:second", 1, 1)]


def test_articles_of_a_deleted_owner_stay_and_others_still_join(world: World, router: Router) -> None:
    owner, second, third = (own_source(world, None, name) for name in ("owner", "second", "third"))
    router.handle(item(owner, id="1"))
    with world.store.write() as session:
        session.delete(session.get_one(Source, owner["id"]))
    late = channel(world, "late", sources=["third"])

    router.handle(item(second, id="2"))
    router.handle(item(third, id="3"))

    assert [(key, title) for key, _, _, title in articles(world)] == [(owner["id"], "Kubernetes news")]
    assert told(world) == [(late, 1, "article.published")]


def test_when_the_owners_article_is_trimmed_the_next_source_owns_the_page(
    world: World, router: Router
) -> None:
    router.handle(item("first"))
    router.handle(item("second"))
    with world.store.write() as session:
        session.execute(text("DELETE FROM articles"))
    assert appearances(world) == []

    router.handle(item("second", 2))
    router.handle(item("first", 2))

    assert [row[0] for row in articles(world)] == ["external:second"]
    assert appearances(world) == [("external:first", 2, 2)]


def test_articles_of_an_older_router_stay_apart(world: World, router: Router) -> None:
    router.handle(item("first"))
    with world.store.write() as session:
        session.execute(text("UPDATE articles SET page_key = NULL, story = NULL"))  # as one leaves them

    router.handle(item("second"))
    router.handle(item("first", 2))

    assert [(key, version) for key, version, _, _ in articles(world)] == [
        ("external:first", 2),
        ("external:second", 1),
    ]


def test_an_announced_uid_that_is_anothers_joins_nothing(world: World, router: Router) -> None:
    source = own_source(world, None, "pushed")
    router.handle(item("first", url=None))
    with world.store.write() as session:
        taken = session.execute(select(Article.id)).scalar_one()
        message = ArticleMessage(id="9", version=1, title="Another")
        session.add(new_entry(source["id"], taken, message, [], world.clock.now()))

    with pytest.raises(RuntimeError, match="neither made nor found"):
        router.handle(item(source, id="9", url=None))

    assert [row[0] for row in articles(world)] == ["external:first"]


def test_routers_that_have_one_page_from_many_sources_at_once_make_one_article(world: World) -> None:
    pages, sources = 12, ("first", "second", "third", "first")  # one message comes twice
    everyone = channel(world, "all")
    filtered = {name: channel(world, name, sources=[name]) for name in set(sources)}
    start = threading.Barrier(len(sources))
    failures: list[BaseException] = []

    def route(source: str) -> None:
        router = Router(world.store, RecordingTasks(), world.clock)
        try:
            for page in range(pages):
                start.wait(30)
                router.handle(item(source, id=f"{source}-{page}", url=f"{URL}/{page}"))
        except BaseException as error:
            failures.append(error)
            start.abort()

    threads = [threading.Thread(target=route, args=(source,)) for source in sources]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    with world.store.read() as session:
        assert session.execute(select(func.count()).select_from(Article)).scalar_one() == pages
        assert session.execute(select(func.count()).select_from(Appearance)).scalar_one() == 2 * pages
    recipients = [row.channel_id for row in world.deliveries()]
    assert {one: recipients.count(one) for one in recipients} == dict.fromkeys(
        (everyone, *filtered.values()), pages
    )
