"""Digests: what came for a channel until an instant, told by one message at that instant."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, time, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from core.digest_schedule import DigestSchedule, Every, next_due
from core.store import digests as stored
from core.store import recovery
from core.store.models import Channel, Delivery, Subscription
from core.store.partitions import ensure_partition
from core.store.states import ChannelState
from notifiers.delivery import DeliveryService
from router.service import Router
from tests.contract.delivering.workers import Workers, attempts, change, eventually, publish
from tests.contract.test_routing import message
from tests.contract.world import World
from tests.receiver import Answer, Hang, Receiver, Request, Respond

OK = Respond(200, b"ok")


def daily(world: World, hours: int = 1) -> DigestSchedule:
    """Return a schedule whose next digest is due in less than so many hours."""
    soon = world.clock.now() + timedelta(hours=hours)
    return DigestSchedule(Every.DAY, soon.time().replace(second=0, microsecond=0), "UTC")


def hook(
    world: World, receiver: Receiver, *answers: Answer, queries: Sequence[str] = ("kubernetes",), **more: Any
) -> str:
    """Make a webhook with a daily digest of what its queries match."""
    account = world.account()
    channel = world.webhook(account, receiver.script("/hook", *(answers or (OK,))), **more)
    for query in queries:
        world.subscribe(account, channel, query, schedule=daily(world))
    return channel


def until_due(world: World, workers: Workers, *services: DeliveryService) -> None:
    """Let time pass until a digest is due of whatever comes now, and have what is due then sent."""
    now = world.clock.now()
    waiting = [row.digest_at for row in world.deliveries() if row.digest_at and row.digest_at > now]
    due = max(waiting, default=next_due(daily(world), now))
    world.clock.advance(seconds=(due - now).total_seconds())
    workers.sweep_and_settle(*services)


def articles(request: Request) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = request.json()["data"]["articles"]
    return found


def titles(request: Request) -> list[str]:
    return [article["title"] for article in articles(request)]


def states(world: World) -> list[tuple[str, str]]:
    """Return event and state of every delivery, digests last."""
    rows = sorted(world.deliveries(), key=lambda row: (row.event == "digest", row.id))
    return [(row.event, row.state) for row in rows]


def digests(world: World) -> list[Delivery]:
    return [row for row in world.deliveries() if row.event == "digest"]


@pytest.mark.usefixtures("service")
class TestADay:
    """What a digest tells, and when."""

    def test_it_tells_at_its_instant_what_came_until_then(
        self, world: World, workers: Workers, receiver: Receiver
    ) -> None:
        hook(world, receiver)
        publish(world, "a1", title="Kubernetes one")
        publish(world, "a2", title="Kubernetes two")
        workers.sweep_and_settle()
        assert receiver.requests == []
        due = next_due(daily(world), world.clock.now())
        (digest,) = digests(world)
        assert {row.due_at for row in world.deliveries()} == {due}
        assert {row.digest_at for row in world.deliveries()} == {due}

        until_due(world, workers)
        (request,) = receiver.requests
        event = request.json()
        assert event["type"] == "digest"
        assert datetime.fromisoformat(event["timestamp"]) == due
        assert titles(request) == ["Kubernetes two", "Kubernetes one"]
        assert event["data"]["articles_total"] == 2
        assert request.header("webhook-id") == digest.id
        assert states(world) == [("article.published", "delivered")] * 2 + [("digest", "delivered")]
        assert {row.message_id for row in world.deliveries()} == {digest.id}
        assert [one.delivery_id for one in attempts(world)] == [digest.id]
        assert world.batches_left() == []

    def test_nothing_came_so_there_is_none(self, world: World, workers: Workers, receiver: Receiver) -> None:
        hook(world, receiver)
        publish(world, "a1", title="Something else")
        until_due(world, workers)
        assert receiver.requests == []
        assert world.deliveries() == []

    def test_each_article_is_in_it_once_grouped_by_topic(
        self, world: World, workers: Workers, receiver: Receiver
    ) -> None:
        hook(world, receiver, queries=("kubernetes", "rust"))
        publish(world, "a1", title="Rust one")
        publish(world, "a2", title="Kubernetes two")
        publish(world, "a3", title="Rust three")
        publish(world, "a4", title="Rust for Kubernetes")
        until_due(world, workers)
        (request,) = receiver.requests
        assert titles(request) == ["Rust for Kubernetes", "Kubernetes two", "Rust three", "Rust one"]
        assert [one["query"] for one in request.json()["data"]["subscriptions"]] == ["kubernetes", "rust"]

    def test_it_tells_the_newest_version_and_tells_that_once(
        self, world: World, workers: Workers, receiver: Receiver
    ) -> None:
        hook(world, receiver)
        publish(world, "a1", title="Kubernetes one")
        publish(world, "a1", title="Kubernetes one, corrected", version=2)
        until_due(world, workers)
        assert [titles(request) for request in receiver.requests] == [["Kubernetes one, corrected"]]
        publish(world, "a1", title="Kubernetes one, corrected", version=2)
        until_due(world, workers)
        assert len(receiver.requests) == 1

    def test_where_one_is_told_at_once_the_earlier_wins(
        self, world: World, workers: Workers, receiver: Receiver
    ) -> None:
        channel = hook(world, receiver)
        world.subscribe(world.account(), channel, "rust")
        publish(world, "a1", title="Rust for Kubernetes")
        publish(world, "a2", title="Kubernetes")
        workers.settle()
        (request,) = receiver.requests
        assert request.json()["type"] == "article.published"
        until_due(world, workers)
        assert titles(receiver.requests[1]) == ["Kubernetes"]

    def test_the_next_day_has_one_of_its_own(
        self, world: World, workers: Workers, receiver: Receiver
    ) -> None:
        hook(world, receiver)
        publish(world, "a1")
        until_due(world, workers)
        publish(world, "a2")
        until_due(world, workers)
        assert [len(titles(request)) for request in receiver.requests] == [1, 1]
        first, second = digests(world)
        assert first.digest_at is not None
        assert second.digest_at == first.digest_at + timedelta(days=1)

    def test_after_days_of_downtime_there_is_one(
        self, world: World, workers: Workers, receiver: Receiver
    ) -> None:
        hook(world, receiver)
        for day in range(3):
            publish(world, f"a{day}", title=f"Kubernetes {day}")
            world.clock.advance(seconds=24 * 3600)
        workers.sweep_and_settle()
        assert [titles(request) for request in receiver.requests] == [
            ["Kubernetes 2", "Kubernetes 1", "Kubernetes 0"]
        ]
        assert [(row.state, row.reason) for row in digests(world)] == [
            ("delivered", None),
            ("cancelled", "empty"),
            ("cancelled", "empty"),
        ]

    def test_what_is_not_listed_is_counted(self, world: World, workers: Workers, receiver: Receiver) -> None:
        hook(world, receiver)
        publish(world, *(f"a{number}" for number in range(73)))
        until_due(world, workers)
        (request,) = receiver.requests
        assert len(request.body) < 20_000
        assert request.json()["data"]["articles_total"] == 73
        assert 20 < len(titles(request)) <= 50
        assert {row.state for row in world.deliveries()} == {"delivered"}

    def test_a_chat_gets_it_as_one_message(self, world: World, workers: Workers, receiver: Receiver) -> None:
        account = world.account()
        channel = world.chat(account, receiver.script("/services/T1/B1", OK))
        world.subscribe(account, channel, "kubernetes", schedule=daily(world))
        world.subscribe(account, channel, "rust")
        publish(world, *(f"a{number}" for number in range(73)))
        publish(world, "b1", title="Rust")
        workers.settle()
        assert len(receiver.requests) == 1  # the line of what is told at once goes on
        until_due(world, workers)
        digest = receiver.requests[1].json()
        assert digest["blocks"][0]["text"]["text"] == "73 new articles"
        sections = sum(block["type"] == "section" for block in digest["blocks"])
        assert f"and {73 - sections} more" in str(digest["blocks"][-1])
        assert len(digest["blocks"]) <= 50
        assert {row.state for row in world.deliveries()} == {"delivered"}


@pytest.mark.usefixtures("service")
class TestWhoWantsIt:
    """Subscriptions that are deleted and channels that are paused, until the instant."""

    def test_what_only_deleted_subscriptions_matched_is_left_out(
        self, world: World, workers: Workers, receiver: Receiver
    ) -> None:
        channel = hook(world, receiver)
        other = world.subscribe(world.account(), channel, "rust", schedule=daily(world))
        publish(world, "a1", title="Rust")
        publish(world, "a2", title="Rust for Kubernetes")
        world.unsubscribe(other)
        until_due(world, workers)
        assert [titles(request) for request in receiver.requests] == [["Rust for Kubernetes"]]
        assert states(world) == [
            ("article.published", "cancelled"),
            ("article.published", "delivered"),
            ("digest", "delivered"),
        ]

    def test_nobody_is_left_so_there_is_none(
        self, world: World, workers: Workers, receiver: Receiver
    ) -> None:
        account = world.account()
        channel = world.webhook(account, receiver.script("/hook", OK))
        only = world.subscribe(account, channel, "kubernetes", schedule=daily(world))
        publish(world, "a1")
        world.unsubscribe(only)
        until_due(world, workers)
        assert receiver.requests == []
        assert states(world) == [("article.published", "cancelled"), ("digest", "cancelled")]
        assert {row.reason for row in world.deliveries()} == {"unsubscribed", "empty"}

    def test_nobody_is_left_while_it_is_tried_again(
        self, world: World, workers: Workers, receiver: Receiver
    ) -> None:
        account = world.account()
        channel = world.webhook(account, receiver.script("/hook", Respond(500), OK))
        only = world.subscribe(account, channel, "kubernetes", schedule=daily(world))
        publish(world, "a1")
        until_due(world, workers)
        world.unsubscribe(only)
        world.clock.advance(seconds=60)
        workers.sweep_and_settle()
        assert len(receiver.requests) == 1
        assert {(row.state, row.reason) for row in world.deliveries()} == {("cancelled", "unsubscribed")}

    def test_a_paused_channel_is_told_at_its_instant_if_it_is_resumed_before(
        self, world: World, workers: Workers, receiver: Receiver
    ) -> None:
        channel = hook(world, receiver)
        publish(world, "a1")
        world.set_state(channel, ChannelState.PAUSED)
        publish(world, "a2")
        assert {row.state for row in world.deliveries()} == {"held"}
        world.set_state(channel, ChannelState.ACTIVE)
        workers.sweep_and_settle()
        assert receiver.requests == []
        until_due(world, workers)
        assert [len(titles(request)) for request in receiver.requests] == [2]

    def test_a_paused_channel_is_told_once_when_it_is_resumed_after(
        self, world: World, workers: Workers, receiver: Receiver
    ) -> None:
        channel = hook(world, receiver)
        publish(world, "a1")
        world.set_state(channel, ChannelState.PAUSED)
        for number in (2, 3):
            world.clock.advance(seconds=24 * 3600)
            publish(world, f"a{number}")
        workers.sweep_and_settle()
        assert receiver.requests == []
        world.clock.advance(seconds=24 * 3600)
        world.set_state(channel, ChannelState.ACTIVE)
        workers.sweep_and_settle()
        assert [len(titles(request)) for request in receiver.requests] == [3]
        assert {row.state for row in world.deliveries() if row.event != "digest"} == {"delivered"}

    def test_a_channel_that_went_away_loses_what_waits_and_recovers_it(
        self, world: World, workers: Workers, receiver: Receiver
    ) -> None:
        channel = hook(world, receiver, Respond(410), OK)
        world.subscribe(world.account(), channel, "rust")
        publish(world, "a1")
        publish(world, "b1", title="Rust")
        workers.settle()
        assert {(row.state, row.reason) for row in world.deliveries()} >= {("cancelled", "gone")}
        publish(world, "a2")
        assert ("article.published", "held") in states(world)
        with world.store.write() as session:
            found = session.get_one(Channel, channel, with_for_update=True)
            since = world.clock.now() - timedelta(hours=1)
            assert recovery.recover_channel(session, found, since, world.clock.now()) == 2
        workers.sweep_and_settle()
        assert len(receiver.requests) == 2
        until_due(world, workers)
        assert titles(receiver.requests[2]) == ["Kubernetes", "Kubernetes"]
        assert {row.state for row in world.deliveries()} == {"delivered"}


@pytest.mark.usefixtures("service")
class TestFailing:
    """The same digest under the same id, until it is taken or given up."""

    def test_it_is_tried_again_with_the_same_bytes(
        self, world: World, workers: Workers, receiver: Receiver
    ) -> None:
        hook(world, receiver, Respond(500), OK)
        publish(world, "a1")
        until_due(world, workers)
        publish(world, "a1", title="Kubernetes, corrected", version=2)
        publish(world, "a2")
        world.clock.advance(seconds=60)
        workers.sweep_and_settle()
        first, second = receiver.requests
        assert first.body == second.body
        assert first.header("webhook-id") == second.header("webhook-id")
        until_due(world, workers)
        assert [titles(request) for request in receiver.requests[2:]] == [["Kubernetes"]]

    def test_what_failed_is_recovered_as_it_was(
        self, world: World, workers: Workers, receiver: Receiver
    ) -> None:
        channel = hook(world, receiver, Respond(500), OK, retry_schedule=[])
        publish(world, "a1")
        publish(world, "a2")
        until_due(world, workers)
        assert {row.state for row in world.deliveries()} == {"failed"}
        with world.store.write() as session:
            found = session.get_one(Channel, channel, with_for_update=True)
            recovery.recover_channel(session, found, world.clock.now(), world.clock.now())
        workers.sweep_and_settle()
        first, second = receiver.requests
        assert first.body == second.body
        assert first.header("webhook-id") == second.header("webhook-id")
        assert {row.state for row in world.deliveries()} == {"delivered"}

    def test_a_delivered_one_is_sent_again_if_asked_for(
        self, world: World, workers: Workers, receiver: Receiver
    ) -> None:
        hook(world, receiver)
        publish(world, "a1")
        until_due(world, workers)
        with world.store.write() as session:
            (found,) = session.query(Delivery).filter_by(event="digest")
            channel = session.get_one(Channel, found.channel_id, with_for_update=True)
            recovery.retry_delivery(session, found, channel, world.clock.now())
        workers.sweep_and_settle()
        first, second = receiver.requests
        assert first.body == second.body


class TestRaces:
    """Who comes at the same time, or dies in between."""

    def test_a_worker_that_dies_while_it_sends_leaves_the_same_digest_to_another(
        self, world: World, workers: Workers, receiver: Receiver
    ) -> None:
        channel = hook(world, receiver, Hang(), OK)
        publish(world, "a1")
        first, second = workers.start(), workers.start()
        world.clock.advance(seconds=3600)
        workers.sweep()
        workers.hand_out(first)
        eventually(lambda: len(receiver.requests) == 1)
        publish(world, "a2")
        world.clock.advance(seconds=61)
        workers.sweep_and_settle(second)
        one, other = receiver.requests
        assert one.body == other.body
        assert one.header("webhook-id") == other.header("webhook-id")
        assert len(digests(world)) == 2  # that of the next day too
        assert {row.channel_id for row in world.deliveries()} == {channel}

    def test_one_that_dies_before_it_collects_leaves_all(
        self, world: World, workers: Workers, receiver: Receiver
    ) -> None:
        hook(world, receiver)
        publish(world, "a1")
        world.clock.advance(seconds=3600)
        workers.sweep()
        ((_kind, batch_id, _ids),) = workers.new_batches()
        assert world.claim(batch_id)
        world.clock.advance(seconds=61)
        workers.sweep_and_settle(workers.start())
        assert [len(titles(request)) for request in receiver.requests] == [1]

    def test_what_is_routed_while_it_is_sent_waits_for_the_next(
        self, world: World, workers: Workers, receiver: Receiver
    ) -> None:
        hook(world, receiver)
        publish(world, "a1")
        behind = world.clock.now()
        until_due(world, workers, workers.start())
        # A router whose clock is behind still takes the instant for one that is to come.
        late = type(world.clock)(behind)
        Router(world.store, world.tasks, late).handle(message(id="a2", title="Kubernetes late"))
        until_due(world, workers)
        assert [titles(request) for request in receiver.requests] == [["Kubernetes"], ["Kubernetes late"]]

    def test_several_sweeps_and_workers_send_one(
        self, world: World, workers: Workers, receiver: Receiver
    ) -> None:
        hook(world, receiver)
        publish(world, "a1", "a2", "a3")
        for _ in range(2):
            workers.start()
        world.clock.advance(seconds=3600)
        workers.sweep()
        workers.sweep()
        workers.settle()
        assert [len(titles(request)) for request in receiver.requests] == [3]
        assert len(digests(world)) == 1

    def test_routers_and_workers_side_by_side_lose_and_double_nothing(
        self, world: World, workers: Workers, receiver: Receiver
    ) -> None:
        account = world.account()
        channel = world.webhook(account, receiver.script("/hook", OK))
        hourly = DigestSchedule(Every.HOUR, time(0, 0), "UTC")
        world.subscribe(account, channel, "kubernetes", schedule=hourly)
        for _ in range(2):
            workers.start()
        numbers = range(4)
        with ThreadPoolExecutor(len(numbers)) as pool:
            routing = [pool.submit(publish, world, *(f"{n}-{m}" for m in range(8))) for n in numbers]
            while not all(one.done() for one in routing):
                world.clock.advance(seconds=600)
                workers.sweep_and_settle()
        for one in routing:
            one.result()
        for _ in range(12):
            world.clock.advance(seconds=600)
            workers.sweep_and_settle()
        told = [article["id"] for request in receiver.requests for article in articles(request)]
        assert sorted(told) == sorted(f"{n}-{m}" for n in numbers for m in range(8))
        instants = [row.digest_at for row in digests(world)]
        assert len(set(instants)) == len(instants)
        assert {row.state for row in world.deliveries() if row.event != "digest"} == {"delivered"}


@pytest.mark.usefixtures("service")
class TestChanges:
    """Another hour, another zone, at once or as a digest: on the day, with something waiting."""

    def reschedule(self, world: World, subscription_id: str, schedule: DigestSchedule | None) -> None:
        """Change a schedule as the API does."""
        now = world.clock.now()
        due = next_due(schedule, now) if schedule else now
        ensure_partition(world.store, due.date())
        with world.store.write() as session:
            found = session.query(Subscription).filter_by(id=subscription_id).one()
            channel = session.get_one(Channel, found.channel_id, with_for_update=True)
            found.schedule = schedule.written() if schedule else None
            stored.move(session, channel, found, due, now, only_forward=False)

    def digested(self, world: World, receiver: Receiver) -> tuple[str, str]:
        account = world.account()
        channel = world.webhook(account, receiver.script("/hook", OK))
        return channel, world.subscribe(account, channel, "kubernetes", schedule=daily(world, hours=3))

    @pytest.mark.parametrize("hours", [1, 2, 5, 23])
    def test_another_hour(self, world: World, workers: Workers, receiver: Receiver, hours: int) -> None:
        _channel, subscription = self.digested(world, receiver)
        publish(world, "a1")
        self.reschedule(world, subscription, daily(world, hours=hours))
        publish(world, "a2")
        for _ in range(2 * 24):
            world.clock.advance(seconds=3600)
            workers.sweep_and_settle()
        assert [len(titles(request)) for request in receiver.requests] == [2]
        told = [row for row in world.deliveries() if row.event != "digest"]
        assert {row.state for row in told} == {"delivered"}

    def test_at_once_instead(self, world: World, workers: Workers, receiver: Receiver) -> None:
        _channel, subscription = self.digested(world, receiver)
        publish(world, "a1", "a2")
        self.reschedule(world, subscription, None)
        publish(world, "a3")
        workers.sweep_and_settle()
        kinds = sorted(request.json()["type"] for request in receiver.requests)
        assert kinds == ["article.published", "digest"]
        for _ in range(2 * 24):
            world.clock.advance(seconds=3600)
            workers.sweep_and_settle()
        assert len(receiver.requests) == 2

    def test_a_digest_instead(self, world: World, workers: Workers, receiver: Receiver) -> None:
        account = world.account()
        channel = world.webhook(account, receiver.script("/hook", OK))
        subscription = world.subscribe(account, channel, "kubernetes")
        publish(world, "a1")
        self.reschedule(world, subscription, daily(world))
        publish(world, "a2")
        workers.sweep_and_settle()
        assert len(receiver.requests) == 1
        until_due(world, workers)
        assert titles(receiver.requests[1]) == ["Kubernetes"]

    def test_what_is_moved_to_a_digest_that_is_on_its_way_has_one_of_its_own(
        self, world: World, workers: Workers, receiver: Receiver
    ) -> None:
        channel, subscription = self.digested(world, receiver)
        publish(world, "a1")
        due = next_due(daily(world), world.clock.now())
        # A worker whose clock is ahead has sent that digest already.
        change(world, update(Channel).where(Channel.id == channel).values(digested_until=due))
        self.reschedule(world, subscription, daily(world))
        publish(world, "a2")
        for _ in range(2 * 24):
            world.clock.advance(seconds=3600)
            workers.sweep_and_settle()
        assert [len(titles(request)) for request in receiver.requests] == [1, 1]
        assert due not in {row.digest_at for row in world.deliveries()}

    def test_what_another_subscription_wants_sooner_stays(
        self, world: World, workers: Workers, receiver: Receiver
    ) -> None:
        channel, subscription = self.digested(world, receiver)
        world.subscribe(world.account(), channel, "rust", schedule=daily(world, hours=2))
        publish(world, "a1", title="Rust for Kubernetes")
        publish(world, "a2")
        self.reschedule(world, subscription, daily(world, hours=5))
        world.clock.advance(seconds=2 * 3600)
        workers.sweep_and_settle()
        assert [titles(request) for request in receiver.requests] == [["Rust for Kubernetes"]]
        world.clock.advance(seconds=3 * 3600)
        workers.sweep_and_settle()
        assert [titles(request) for request in receiver.requests[1:]] == [["Kubernetes"]]


def test_a_superseded_article_is_not_told(world: World, workers: Workers, receiver: Receiver) -> None:
    channel = hook(world, receiver)
    with world.store.write() as session:
        found = session.query(Subscription).filter_by(channel_id=channel).one()
        found.updates = True
    publish(world, "a1", title="Kubernetes one")
    publish(world, "a1", title="Kubernetes two", version=2)
    until_due(world, workers, workers.start())
    assert [titles(request) for request in receiver.requests] == [["Kubernetes two"]]
    assert states(world) == [
        ("article.published", "cancelled"),
        ("article.updated", "delivered"),
        ("digest", "delivered"),
    ]
