"""From a message to rows in the ledger, on both databases."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy.orm import Session

from core.errors import UnreadableMessage
from core.ids import new_id
from core.store import subscriptions
from core.store.articles import newest_versions
from core.store.engine import Store
from core.store.models import Source
from core.store.states import ChannelState
from core.store.subscriptions import Recipient
from router.service import Router
from tests.contract.world import World


@pytest.fixture
def world(store: Store) -> World:
    return World(store)


@pytest.fixture
def router(world: World) -> Router:
    return Router(world.store, world.tasks, world.clock)


def message(version: int = 1, **fields: Any) -> bytes:
    article = {"id": "a1", "version": version, "title": "Kubernetes news", "content": "about pods"}
    return json.dumps(article | fields).encode()


def stored(world: World) -> list[tuple[int, int, str]]:
    with world.store.read() as session:
        rows = session.execute(newest_versions()).all()
    return [(article.version, article.planned_version, version.title) for article, version in rows]


def test_one_row_and_one_task_for_a_channel_however_many_subscriptions_match(
    world: World, router: Router
) -> None:
    account = world.account()
    channel = world.webhook(account, "https://example.com/a")
    first = world.subscribe(account, channel, "kubernetes")
    second = world.subscribe(account, channel, "pods")
    world.subscribe(account, channel, "whales")

    router.handle(message())

    (row,) = world.deliveries()
    assert (row.channel_id, row.state, row.event) == (channel, "pending", "article.published")
    assert [id_ for id_, _query in row.matched] == [first, second]
    assert row.matched_total == 2
    (batch,) = world.batches_left()
    assert world.tasks.batches == [("webhook", batch.id, [row.id])]
    assert (batch.account_id, batch.article_day, batch.delivery_ids) == (account, row.article_day, [row.id])


def test_a_repeat_changes_nothing(world: World, router: Router) -> None:
    account = world.account()
    world.subscribe(account, world.webhook(account, "https://example.com/a"), "kubernetes")

    router.handle(message())
    router.handle(message())

    assert world.states() == [(1, "pending")]
    assert len(world.tasks.ids) == 1


def test_versions_one_three_two_leave_three(world: World, router: Router) -> None:
    router.handle(message(1, title="one"))
    router.handle(message(3, title="three"))
    router.handle(message(2, title="two"))

    assert stored(world) == [(3, 3, "three")]


def test_a_newer_version_goes_to_channels_that_ask_for_updates_or_were_not_told(
    world: World, router: Router
) -> None:
    account = world.account()
    told = world.webhook(account, "https://example.com/told")
    updated = world.webhook(account, "https://example.com/updated")
    late = world.webhook(account, "https://example.com/late")
    world.subscribe(account, told, "kubernetes")
    world.subscribe(account, updated, "kubernetes", updates=True)
    world.subscribe(account, late, "docker")

    router.handle(message(1))
    router.handle(message(2, title="Kubernetes and Docker"))

    rows = {(row.channel_id, row.version): (row.event, row.state, row.reason) for row in world.deliveries()}
    assert rows == {
        (told, 1): ("article.published", "pending", None),
        (updated, 1): ("article.published", "cancelled", "superseded"),
        (updated, 2): ("article.updated", "pending", None),
        (late, 2): ("article.published", "pending", None),
    }


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (ChannelState.ACTIVE, ["pending"]),
        (ChannelState.PAUSED, ["held"]),
        (ChannelState.DISABLED, ["held"]),
        (ChannelState.UNVERIFIED, []),
    ],
)
def test_a_channels_state_decides_what_is_kept(
    world: World, router: Router, state: ChannelState, expected: list[str]
) -> None:
    account = world.account()
    world.subscribe(account, world.webhook(account, "https://example.com/a", state), "kubernetes")

    router.handle(message())

    assert [row.state for row in world.deliveries()] == expected


def test_a_channel_that_is_resumed_while_an_article_is_planned_gets_it(
    world: World, router: Router, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = world.account()
    channel = world.webhook(account, "https://example.com/a", ChannelState.PAUSED)
    world.subscribe(account, channel, "kubernetes")
    recipients = subscriptions.recipients

    def recipients_and_resume(session: Session, numbers: list[int], owner: str | None) -> list[Recipient]:
        found = recipients(session, numbers, owner)
        world.set_state(channel, ChannelState.ACTIVE)
        return found

    monkeypatch.setattr(subscriptions, "recipients", recipients_and_resume)
    router.handle(message())

    (row,) = world.deliveries()
    assert (row.state, row.due_at) == ("pending", world.clock.now())
    assert world.tasks.ids == [row.id]


def test_subscriptions_are_seen_as_soon_as_they_are_committed_and_no_longer_once_deleted(
    world: World, router: Router
) -> None:
    account = world.account()
    channel = world.webhook(account, "https://example.com/a")
    router.handle(message(id="before"))
    subscription = world.subscribe(account, channel, "kubernetes")
    router.handle(message(id="while"))
    world.unsubscribe(subscription)
    router.handle(message(id="after"))

    assert len(world.deliveries()) == 1


def test_an_accounts_own_articles_are_its_alone(world: World, router: Router) -> None:
    mine, theirs = world.account("mine"), world.account("theirs")
    my_channel = world.webhook(mine, "https://example.com/mine")
    world.subscribe(mine, my_channel, "kubernetes")
    world.subscribe(theirs, world.webhook(theirs, "https://example.com/theirs"), "kubernetes")
    now = world.clock.now()
    source = Source(
        id=new_id("src"),
        account_id=mine,
        kind="push",
        url="push:mine",
        name="Mine",
        created_at=now,
        updated_at=now,
    )
    with world.store.write() as session:
        session.add(source)

    router.handle(message(source={"id": source.id, "name": "Mine"}))

    assert [row.channel_id for row in world.deliveries()] == [my_channel]


def test_identity_is_source_and_id(world: World, router: Router) -> None:
    router.handle(message(source="one"))
    router.handle(message(source="two"))
    router.handle(message(source="two"))

    assert len(stored(world)) == 2


def test_filters_by_source_and_language(world: World, router: Router) -> None:
    account = world.account()
    wanted = world.webhook(account, "https://example.com/wanted")
    other = world.webhook(account, "https://example.com/other")
    world.subscribe(account, wanted, "kubernetes", sources=["The Times"], languages=["en"])
    world.subscribe(account, other, "kubernetes", sources=["Le Monde"])

    router.handle(message(source="the times", language="en"))

    assert [row.channel_id for row in world.deliveries()] == [wanted]


def test_what_cannot_be_enqueued_is_left_to_the_sweep(world: World, router: Router) -> None:
    account = world.account()
    world.subscribe(account, world.webhook(account, "https://example.com/a"), "kubernetes")
    world.tasks.broken = True

    router.handle(message())

    (row,) = world.deliveries()
    (batch,) = world.batches_left()
    assert (row.state, batch.state, batch.delivery_ids) == ("pending", "waiting", [row.id])


def test_articles_of_a_deleted_source_become_nobodys(world: World, router: Router) -> None:
    with pytest.raises(UnreadableMessage, match="unknown_source"):
        router.handle(message(source="src_01JD0000000000000000000000"))

    assert stored(world) == []


def test_what_is_no_article_is_refused(router: Router) -> None:
    with pytest.raises(UnreadableMessage):
        router.handle(b"\xff\x00 garbage")
    with pytest.raises(UnreadableMessage):
        router.handle(b'{"id": "x"}')


def test_a_fan_out_that_was_cut_short_is_finished_on_redelivery(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = world.account()
    for number in range(5):
        channel = world.webhook(account, f"https://example.com/{number}")
        world.subscribe(account, channel, "kubernetes")
    monkeypatch.setattr("router.service.CHANNELS_PER_COMMIT", 2)
    crashing = Router(world.store, CrashAfterFirstBatch(world), world.clock)
    with pytest.raises(KeyboardInterrupt):
        crashing.handle(message())
    assert len(world.deliveries()) == 2

    Router(world.store, world.tasks, world.clock).handle(message())

    assert len(world.deliveries()) == 5
    assert len({row.channel_id for row in world.deliveries()}) == 5


class CrashAfterFirstBatch:
    """Stands for a process that is killed between two commits."""

    def __init__(self, world: World) -> None:
        self._world = world

    def enqueue(self, kind: str, batch: str, ids: Sequence[str]) -> None:
        """Die."""
        raise KeyboardInterrupt
