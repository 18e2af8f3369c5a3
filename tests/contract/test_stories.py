"""One notification for a story, for subscriptions that want it so, on both databases."""

import json
import threading
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import text

from core.store.engine import Store
from router.service import Router
from tests.contract.world import RecordingTasks, World

HEADLINE = "Saudi state behind piracy TV operation, WTO rules"


@pytest.fixture
def world(store: Store) -> World:
    return World(store)


@pytest.fixture
def router(world: World) -> Router:
    return Router(world.store, world.tasks, world.clock)


def item(name: str, version: int = 1, **fields: Any) -> bytes:
    url = f"https://{name}.example/1"
    article = {"id": f"{name}-1", "version": version, "title": HEADLINE, "url": url, "source": name}
    return json.dumps(article | fields).encode()


def channel(world: World, name: str, query: str = "piracy", **more: Any) -> str:
    """Make an account's channel with a subscription that wants each story once, unless it says otherwise."""
    account = world.account()
    made = world.webhook(account, f"https://example.com/{name}")
    world.subscribe(account, made, query, **({"once_per_story": True} | more))
    return made


def told(world: World) -> list[tuple[str, str, int]]:
    """Return (channel, source, version) of the ledger, oldest first."""
    with world.store.read() as session:
        rows = session.execute(
            text(
                "SELECT d.channel_id, a.source_name, d.version FROM deliveries AS d "
                "JOIN articles AS a ON a.id = d.article_id ORDER BY d.id"
            )
        )
        return [(row[0], row[1], row[2]) for row in rows]


def test_a_story_is_told_once_to_who_asks_for_that_and_each_time_to_others(
    world: World, router: Router
) -> None:
    once, each = channel(world, "once"), channel(world, "each", once_per_story=False)

    router.handle(item("first"))
    router.handle(item("second", title=f"{HEADLINE.upper()} - The Second"))
    router.handle(item("third", title="Another story about piracy altogether"))

    assert [source for who, source, _ in told(world) if who == once] == ["first", "third"]
    assert [source for who, source, _ in told(world) if who == each] == ["first", "second", "third"]


def test_another_subscription_of_the_channel_without_the_option_is_served_as_usual(
    world: World, router: Router
) -> None:
    account = world.account()
    both = world.webhook(account, "https://example.com/both")
    world.subscribe(account, both, "piracy", once_per_story=True)
    usual = world.subscribe(account, both, "saudi", sources=["second"])

    for source in ("first", "second", "third"):
        router.handle(item(source))

    assert told(world) == [(both, "first", 1), (both, "second", 1)]
    # Whoever ends the usual subscription is not told on behalf of the other one.
    assert [id_ for id_, _query in world.deliveries()[1].matched] == [usual]


def test_what_another_subscription_told_of_the_story_counts(world: World, router: Router) -> None:
    account = world.account()
    both = world.webhook(account, "https://example.com/both")
    world.subscribe(account, both, "saudi", sources=["first"])
    world.subscribe(account, both, "piracy", sources=["second"], once_per_story=True)

    router.handle(item("first"))
    router.handle(item("second"))

    assert told(world) == [(both, "first", 1)]


def test_the_first_is_the_first_that_the_channel_gets(world: World, router: Router) -> None:
    picky = channel(world, "picky", sources=["second", "third"])

    for source in ("first", "second", "third"):
        router.handle(item(source))

    assert told(world) == [(picky, "second", 1)]


@pytest.mark.parametrize(("later", "count"), [(48, 1), (49, 2)])
def test_a_story_is_one_for_48_hours(world: World, router: Router, later: int, count: int) -> None:
    channel(world, "once")
    router.handle(item("first"))
    world.clock.advance(hours=later)
    router.handle(item("second"))
    assert len(told(world)) == count


def test_the_48_hours_begin_with_what_was_told(world: World, router: Router) -> None:
    once = channel(world, "once")
    router.handle(item("first"))
    world.clock.advance(hours=40)
    router.handle(item("second"))
    world.clock.advance(hours=20)
    router.handle(item("third"))
    assert told(world) == [(once, "first", 1), (once, "third", 1)]


def test_a_column_of_one_publisher_is_told_each_time(world: World, router: Router) -> None:
    once = channel(world, "once")
    router.handle(item("first"))
    router.handle(item("first", id="another", url="https://first.example/2"))
    assert told(world) == [(once, "first", 1), (once, "first", 1)]


def test_publishers_within_one_source_are_others(world: World, router: Router) -> None:
    once = channel(world, "once")
    for number, name in enumerate(("The Times", "Le Monde")):
        source = {"id": "aggregator", "name": name}
        router.handle(item("aggregator", id=f"{number}", url=f"https://a.example/{number}", source=source))
    assert told(world) == [(once, "The Times", 1)]


def test_a_headline_that_says_little_is_no_story(world: World, router: Router) -> None:
    once = channel(world, "once", "briefing")
    router.handle(item("first", title="Morning briefing"))
    router.handle(item("second", title="Morning briefing"))
    assert told(world) == [(once, "first", 1), (once, "second", 1)]


def test_newer_versions_of_what_was_told_are_told_and_of_what_was_not_are_not(
    world: World, router: Router
) -> None:
    once = channel(world, "once", updates=True)
    router.handle(item("first"))
    router.handle(item("second"))

    router.handle(item("second", 2, title="Piracy: what the WTO has ruled on"))
    router.handle(item("first", 2, title="Piracy ruling of the WTO: all reactions"))

    assert told(world) == [(once, "first", 1), (once, "first", 2)]


def test_a_source_that_joins_an_article_of_a_told_story_tells_it_to_nobody_who_knows_it(
    world: World, router: Router
) -> None:
    account = world.account()
    picky = world.webhook(account, "https://example.com/picky")
    world.subscribe(account, picky, "piracy", sources=["first", "third"], once_per_story=True)
    router.handle(item("first"))
    router.handle(item("second"))

    router.handle(item("third", url="https://second.example/1"))

    assert told(world) == [(picky, "first", 1)]


def test_what_one_account_was_told_is_nothing_to_another(world: World, router: Router) -> None:
    mine, theirs = world.account("mine"), world.account("theirs")
    for account, source in ((mine, "first"), (theirs, "second")):
        made = world.webhook(account, "https://example.com/hook")
        world.subscribe(account, made, "piracy", sources=[source], once_per_story=True)

    router.handle(item("first"))
    router.handle(item("second"))

    assert [source for _, source, _ in told(world)] == ["first", "second"]


def test_a_fan_out_that_was_cut_short_does_not_tell_what_was_told_meanwhile(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Crashing(RecordingTasks):
        """Stands for a process that is killed between two commits."""

        def enqueue(self, kind: str, batch: str, ids: Sequence[str]) -> None:
            raise KeyboardInterrupt

    channels = [channel(world, str(number)) for number in range(4)]
    monkeypatch.setattr("router.service.CHANNELS_PER_COMMIT", 2)
    with pytest.raises(KeyboardInterrupt):
        Router(world.store, Crashing(), world.clock).handle(item("first"))
    router = Router(world.store, world.tasks, world.clock)

    router.handle(item("second"))
    router.handle(item("first"))
    router.handle(item("second"))

    assert Counter(who for who, _, _ in told(world)) == Counter(channels)
    assert Counter(source for _, source, _ in told(world)) == {"first": 2, "second": 2}


def test_routers_that_have_one_story_at_once_tell_it_once(world: World) -> None:
    stories, sources = 12, ("first", "second", "third")
    channels = [channel(world, str(number)) for number in range(3)]
    start = threading.Barrier(len(sources))
    failures: list[BaseException] = []

    def route(source: str) -> None:
        router = Router(world.store, RecordingTasks(), world.clock)
        try:
            for story in range(stories):
                start.wait(30)
                url = f"https://{source}.example/{story}"
                router.handle(item(source, id=f"{story}", title=f"{HEADLINE} {story}", url=url))
        except BaseException as error:
            failures.append(error)
            start.abort()

    threads = [threading.Thread(target=route, args=(source,)) for source in sources]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    assert Counter(who for who, _, _ in told(world)) == dict.fromkeys(channels, stories)
