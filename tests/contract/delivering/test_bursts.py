"""Bursts: the first article goes at once, what comes within the window is told by one message after it."""

import re
import threading
from contextlib import ExitStack, closing
from datetime import timedelta
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from sqlalchemy import select, update

from core.clock import SystemClock
from core.store import recovery
from core.store.engine import open_store
from core.store.models import Channel, Delivery, Notice
from core.store.schema import migrate
from core.store.states import ChannelState
from notifiers.delivery import DeliveryService
from tests.contract.delivering.workers import Workers, attempts, change, eventually, publish
from tests.contract.world import World
from tests.receiver import Answer, Hang, Receiver, Request, Respond

OK = Respond(200, b"ok")
WINDOW = timedelta(seconds=10)


def slack(world: World, receiver: Receiver, *answers: Answer, **more: Any) -> str:
    """Make a Slack channel that is told of everything about Kubernetes."""
    account = world.account()
    channel = world.chat(account, receiver.script("/services/T1/B1", *(answers or (OK,))), **more)
    world.subscribe(account, channel, "kubernetes")
    return channel


def news(world: World, *numbers: int) -> None:
    """Have articles routed, each with a number in its title."""
    for number in numbers:
        publish(world, f"a{number}", title=f"Kubernetes {number}")


def told(request: Request) -> list[int]:
    """Return the numbers of the articles that a message shows, in its order."""
    text = "\n".join(
        block["text"]["text"] for block in request.json()["blocks"] if block["type"] == "section"
    )
    return [int(number) for number in re.findall(r"Kubernetes (\d+)", text)]


def counted(request: Request) -> list[int]:
    """Return those that a message shows, and those after them that it only counts."""
    shown = told(request)
    more = re.search(r"and (\d+) more", request.body.decode())
    return shown + [shown[-1] + place for place in range(1, int(more[1]) + 1)] if more else shown


def messages(receiver: Receiver) -> list[list[int]]:
    return [told(request) for request in receiver.requests]


def end_window(world: World, workers: Workers, *services: DeliveryService) -> None:
    """Let the time of a window pass, and what waits for that be sent."""
    world.clock.advance(seconds=WINDOW.total_seconds())
    for _ in range(2):
        workers.sweep_and_settle(*services)


def rows(world: World) -> list[tuple[str, int]]:
    return [(row.state, row.attempts) for row in world.deliveries()]


@pytest.mark.usefixtures("service")
class TestWindows:
    """What goes when."""

    def test_the_first_goes_at_once_and_the_rest_is_one_message(
        self, world: World, workers: Workers, receiver: Receiver
    ) -> None:
        slack(world, receiver)
        news(world, 1, 2, 3, 4)
        workers.settle()
        assert messages(receiver) == [[1]]
        first, head, *parked = world.deliveries()
        assert (first.state, first.attempts) == ("delivered", 1)
        assert (head.state, head.attempts, head.due_at) == ("pending", 0, world.clock.now() + WINDOW)
        assert {(row.state, row.due_at) for row in parked} == {("pending", None)}

        world.clock.advance(seconds=9)
        news(world, 5)
        workers.sweep_and_settle()
        assert messages(receiver) == [[1]]

        world.clock.advance(seconds=1)
        workers.sweep_and_settle()
        assert messages(receiver) == [[1], [2, 3, 4, 5]]
        ended = world.deliveries()
        assert {(row.state, row.attempts, row.finished_at) for row in ended[1:]} == {
            ("delivered", 1, world.clock.now())
        }
        assert len({row.message_id for row in ended}) == 2
        assert [one.delivery_id for one in attempts(world)] == [row.id for row in ended]
        assert {(one.status, one.reason, one.number) for one in attempts(world)} == {(200, None, 1)}
        assert {row.sequence for row in ended} == {None}
        assert world.batches_left() == []

    def test_a_flood_is_one_message_a_window(
        self, world: World, workers: Workers, receiver: Receiver
    ) -> None:
        slack(world, receiver)
        news(world, 1, 2, 3)
        workers.settle()
        end_window(world, workers)
        news(world, 4, 5)
        workers.sweep_and_settle()
        assert messages(receiver) == [[1], [2, 3]]
        end_window(world, workers)
        assert messages(receiver) == [[1], [2, 3], [4, 5]]

    def test_after_a_quiet_window_the_next_goes_at_once(
        self, world: World, workers: Workers, receiver: Receiver
    ) -> None:
        slack(world, receiver)
        news(world, 1)
        workers.settle()
        world.clock.advance(seconds=10)
        news(world, 2)
        workers.settle()
        assert messages(receiver) == [[1], [2]]

    def test_what_does_not_fit_is_counted(self, world: World, workers: Workers, receiver: Receiver) -> None:
        slack(world, receiver)
        news(world, *range(1, 121))
        workers.settle()
        end_window(world, workers)
        first, burst = receiver.requests
        assert told(first) == [1]
        assert told(burst) == list(range(2, 22))
        assert burst.json()["blocks"][0]["text"]["text"] == "119 new articles"
        assert "and 99 more" in burst.json()["blocks"][-1]["elements"][0]["text"]
        assert set(rows(world)) == {("delivered", 1)}

    def test_webhooks_get_each_article(self, world: World, workers: Workers, receiver: Receiver) -> None:
        account = world.account()
        channel = world.webhook(account, receiver.url + "/hook", ordering="strict")
        world.subscribe(account, channel, "kubernetes")
        news(world, 1, 2, 3)
        workers.settle()
        titles = [request.json()["data"]["article"]["title"] for request in receiver.requests]
        assert titles == ["Kubernetes 1", "Kubernetes 2", "Kubernetes 3"]
        assert {row.message_id for row in world.deliveries()} == {None}

    def test_without_order_or_window_so_do_chats(
        self, world: World, workers: Workers, receiver: Receiver
    ) -> None:
        slack(world, receiver, collapse_seconds=None)
        slack_any = world.chat(world.account(), receiver.script("/any", OK), ordering="any")
        world.subscribe(world.account(), slack_any, "kubernetes")
        news(world, 1, 2, 3)
        workers.settle()
        assert [told(request) for request in receiver.requests_for("/services/T1/B1")] == [[1], [2], [3]]
        assert sorted(told(request) for request in receiver.requests_for("/any")) == [[1], [2], [3]]

    def test_articles_of_two_days_are_told_together(
        self, world: World, workers: Workers, receiver: Receiver
    ) -> None:
        slack(world, receiver, collapse_seconds=200_000.0)
        news(world, 1, 2)
        workers.settle()
        world.clock.advance(days=1)
        news(world, 3)
        workers.settle()
        world.clock.advance(days=2)
        workers.sweep_and_settle()
        assert messages(receiver) == [[1], [2, 3]]
        assert len({row.article_day for row in world.deliveries()}) == 2
        assert set(rows(world)) == {("delivered", 1)}

    def test_a_channel_that_is_paused_meanwhile_goes_on_where_it_was(
        self, world: World, workers: Workers, receiver: Receiver
    ) -> None:
        channel = slack(world, receiver)
        news(world, 1, 2, 3)
        workers.settle()
        world.set_state(channel, ChannelState.PAUSED)
        end_window(world, workers)
        assert messages(receiver) == [[1]]
        world.set_state(channel, ChannelState.ACTIVE)
        workers.sweep_and_settle()
        assert messages(receiver) == [[1], [2, 3]]
        assert set(rows(world)) == {("delivered", 1)}


@pytest.mark.usefixtures("service")
class TestMembership:
    """A message stays what it is, whatever comes between."""

    def test_a_retry_sends_the_same(self, world: World, workers: Workers, receiver: Receiver) -> None:
        slack(world, receiver, OK, Respond(500), OK)
        news(world, 1, 2, 3)
        workers.settle()
        end_window(world, workers)
        failed = world.deliveries()[1:]
        assert {(row.state, row.reason, row.attempts, row.step) for row in failed} == {
            ("pending", "status_5xx", 1, 1)
        }
        assert [row.due_at is None for row in failed] == [False, True]

        news(world, 4)
        world.clock.advance(seconds=13)
        workers.sweep_and_settle()
        _first, burst, again, later = receiver.requests
        assert again.body == burst.body
        assert (told(again), told(later)) == ([2, 3], [4])
        assert rows(world) == [("delivered", 1), ("delivered", 2), ("delivered", 2), ("delivered", 1)]
        tried = [(one.delivery_id, one.number) for one in attempts(world)]
        assert {(row.id, number) for row in failed for number in (1, 2)} <= set(tried)
        assert len(tried) == 6

    def test_what_has_failed_for_good_has_failed_for_all(
        self, world: World, workers: Workers, receiver: Receiver
    ) -> None:
        slack(world, receiver, OK, Respond(400, b"invalid_payload"), OK)
        news(world, 1, 2, 3)
        workers.settle()
        end_window(world, workers)
        assert rows(world) == [("delivered", 1), ("failed", 1), ("failed", 1)]
        assert [row.reason for row in world.deliveries()] == [None, "status_4xx", "status_4xx"]
        world.clock.advance(seconds=10)
        news(world, 4)
        workers.settle()
        assert messages(receiver)[2:] == [[4]]

    def test_what_nobody_wants_any_more_is_not_told(
        self, world: World, workers: Workers, receiver: Receiver
    ) -> None:
        channel = slack(world, receiver, OK, Respond(500), OK)
        rust, zig = (world.subscribe(world.account(), channel, query) for query in ("rust", "zig"))
        news(world, 1, 2)
        publish(world, "rust", title="Rust 3")
        publish(world, "zig", title="Zig 4")
        news(world, 5)
        workers.settle()
        world.unsubscribe(rust)
        end_window(world, workers)
        world.unsubscribe(zig)
        world.clock.advance(seconds=13)
        workers.sweep_and_settle()
        _first, burst, again = (request.body.decode() for request in receiver.requests)
        assert "3 new articles" in burst
        assert "Zig 4" in burst
        assert "2 new articles" in again
        assert "Rust" not in burst + again
        assert "Zig" not in again
        states = {row.article_id: (row.state, row.reason) for row in world.deliveries()}
        assert sorted(states.values(), key=str) == [
            ("cancelled", "unsubscribed"),
            ("cancelled", "unsubscribed"),
            ("delivered", None),
            ("delivered", None),
            ("delivered", None),
        ]

    def test_a_message_whose_head_is_cancelled_is_led_by_the_next(
        self, world: World, workers: Workers, receiver: Receiver
    ) -> None:
        channel = slack(world, receiver, OK, Respond(500), OK)
        rust = world.subscribe(world.account(), channel, "rust")
        news(world, 1)
        publish(world, "rust", title="Rust 2")
        news(world, 3, 4)
        workers.settle()
        end_window(world, workers)
        before = {row.message_id for row in world.deliveries()[1:]}
        world.unsubscribe(rust)
        world.clock.advance(seconds=13)
        for _ in range(2):
            workers.sweep_and_settle()
        assert "Rust 2" in receiver.requests[1].body.decode()
        assert told(receiver.requests[2]) == [3, 4]
        ended = world.deliveries()[1:]
        assert {row.message_id for row in ended} == before
        assert len(before) == 1
        assert [row.state for row in ended] == ["cancelled", "delivered", "delivered"]

    def test_a_newer_version_takes_the_place_of_what_was_not_told(
        self, world: World, workers: Workers, receiver: Receiver
    ) -> None:
        account = world.account()
        channel = world.chat(account, receiver.script("/chat", OK))
        world.subscribe(account, channel, "kubernetes", updates=True)
        news(world, 1, 2, 3)
        workers.settle()
        publish(world, "a2", title="Kubernetes 22", version=2)
        end_window(world, workers)
        assert messages(receiver) == [[1], [3, 22]]
        assert [row.state for row in world.deliveries()] == [
            "delivered",
            "cancelled",
            "delivered",
            "delivered",
        ]

    def test_one_that_is_sent_again_goes_by_itself(
        self, world: World, workers: Workers, receiver: Receiver
    ) -> None:
        channel = slack(world, receiver)
        news(world, 1, 2, 3)
        workers.settle()
        end_window(world, workers)
        with world.store.write() as session:
            row = session.execute(select(Delivery).order_by(Delivery.id.desc()).limit(1)).scalar_one()
            recovery.retry_delivery(session, row, session.get_one(Channel, channel), world.clock.now())
        workers.sweep_and_settle()
        assert messages(receiver) == [[1], [2, 3], [3]]
        assert [row.message_id is None for row in world.deliveries()] == [False, False, True]
        assert rows(world) == [("delivered", 1), ("delivered", 1), ("delivered", 2)]


def test_a_worker_that_dies_leaves_its_message_to_another(
    world: World, workers: Workers, receiver: Receiver
) -> None:
    dying, other = workers.start(), workers.start()
    slack(world, receiver, OK, Hang(), OK)
    news(world, 1, 2, 3)
    workers.settle(dying)
    world.clock.advance(seconds=10)
    workers.sweep()
    workers.hand_out(dying)
    receiver.wait_for(2)
    news(world, 4)

    dying.close(patience_seconds=0)
    for _ in range(2):
        workers.sweep_and_settle(other)
    _first, burst, again = receiver.requests
    assert again.body == burst.body
    assert told(again) == [2, 3]
    end_window(world, workers, other)
    assert messages(receiver)[3:] == [[4]]
    assert set(rows(world)) == {("delivered", 1)}


@pytest.mark.parametrize("seed", range(4))
def test_whatever_happens_each_article_is_told_once_and_in_order(
    world: World, workers: Workers, receiver: Receiver, seed: int
) -> None:
    """Failing answers, workers that come and go, pauses: all at random, and nothing is lost or doubled."""
    chance = Random(seed)
    answers = [Respond(chance.choice([200, 200, 500, 429]), b"ok") for _ in range(200)]
    channel = slack(world, receiver, *answers, OK, retry_schedule=[5] * 30)
    active = [workers.start()]
    published = 0
    for _ in range(25):
        for _ in range(chance.randrange(4)):
            published += 1
            news(world, published)
        if chance.random() < 0.2:
            active.pop().close(0)
            active.append(workers.start())
        if chance.random() < 0.2:
            world.set_state(channel, chance.choice([ChannelState.PAUSED, ChannelState.ACTIVE]))
        world.clock.advance(seconds=chance.choice([0, 1, 4, 11]))
        workers.sweep_and_settle(*active)
    world.set_state(channel, ChannelState.ACTIVE)
    while {row.state for row in world.deliveries()} != {"delivered"}:
        world.clock.advance(seconds=10)
        workers.sweep_and_settle(*active)

    taken = [
        request
        for request, answer in zip(receiver.requests, [*answers, OK], strict=False)
        if answer.status == 200
    ]
    assert [number for request in taken for number in counted(request)] == list(range(1, published + 1))
    assert {row.sequence for row in world.deliveries()} == {None}
    assert world.batches_left() == []


def test_what_was_told_is_delivered_although_the_head_was_cancelled_meanwhile(
    world: World, workers: Workers, receiver: Receiver, service: DeliveryService
) -> None:
    release = threading.Event()
    slack(world, receiver, OK, Respond(200, b"ok", after=release))
    news(world, 1, 2, 3)
    workers.settle()
    world.clock.advance(seconds=10)
    workers.sweep()
    workers.hand_out()
    receiver.wait_for(2)
    head = world.deliveries()[1].id
    ended = {"state": "cancelled", "claim_id": None, "sequence": None}
    change(world, update(Delivery).where(Delivery.id == head).values(**ended))
    release.set()
    assert service.wait_until_idle(60)
    workers.sweep_and_settle()
    assert [row.state for row in world.deliveries()] == ["delivered", "cancelled", "delivered"]
    assert messages(receiver) == [[1], [2, 3]]


@pytest.mark.usefixtures("service")
def test_what_a_service_says_is_gone_disables_the_channel_at_once_and_is_told(
    world: World, workers: Workers, receiver: Receiver
) -> None:
    channel = slack(world, receiver, Respond(404, b"no_service"))
    news(world, 1, 2)
    workers.settle()
    with world.store.read() as session:
        found = session.get_one(Channel, channel)
        (notice,) = session.execute(select(Notice)).scalars()
    assert (found.state, found.state_reason) == ("disabled", "gone")
    assert [(row.state, row.reason) for row in world.deliveries()] == [
        ("failed", "gone"),
        ("cancelled", "gone"),
    ]
    assert "no_service" in notice.text
    assert channel in notice.text


@pytest.mark.usefixtures("service")
@pytest.mark.parametrize("status", [200, 404, 500])
def test_no_log_or_attempt_holds_what_is_secret_in_a_url(
    world: World, workers: Workers, receiver: Receiver, capfd: pytest.CaptureFixture[str], status: int
) -> None:
    secret = "abcdefgh12345678"
    account = world.account()
    url = f"{receiver.url}/services/T00000001/{secret}"
    echo = f"no_service, says {url} and {secret}".encode()
    receiver.script(f"/services/T00000001/{secret}", Respond(status, echo))
    world.subscribe(account, world.chat(account, url), "kubernetes")
    news(world, 1)
    workers.settle()
    (attempt,) = attempts(world)
    assert attempt.excerpt == f"no_service, says {receiver.url}/services/…/… and …"
    logged = capfd.readouterr()
    assert secret not in logged.out + logged.err


@pytest.mark.usefixtures("service")
def test_what_is_recovered_does_not_come_as_a_flood(
    world: World, workers: Workers, receiver: Receiver
) -> None:
    channel = slack(world, receiver, Respond(404, b"no_service"), OK)
    news(world, *range(1, 31))
    workers.settle()
    world.clock.advance(hours=1)
    with world.store.write() as session:
        locked = session.get_one(Channel, channel)
        since = world.clock.now() - timedelta(hours=2)
        assert recovery.recover_channel(session, locked, since, world.clock.now()) == 30
    workers.sweep_and_settle()
    end_window(world, workers)
    assert [len(told(request)) for request in receiver.requests] == [1, 20]
    assert "and 10 more" in receiver.requests[-1].body.decode()
    assert {row.state for row in world.deliveries()} == {"delivered"}


def test_the_next_worker_waits_as_long_as_the_service_asked(
    world: World, workers: Workers, receiver: Receiver
) -> None:
    """`Retry-After` holds for the URL: nothing else is sent there meanwhile, whatever it is."""
    workers.start()
    throttled = Respond(429, b"rate_limited", (("Retry-After", "100"),))
    slack(world, receiver, throttled, OK, ordering="any", collapse_seconds=None, rate_limit=1_000.0)
    news(world, 1)
    workers.settle()
    news(world, 2, 3)
    workers.settle()
    assert len(receiver.requests) == 1
    assert [row.attempts for row in world.deliveries()] == [1, 0, 0]
    until = world.clock.now() + timedelta(seconds=100)
    assert all(row.due_at is not None and row.due_at >= until for row in world.deliveries())


@pytest.mark.postgresql
def test_four_workers_send_one_a_second_in_order(postgresql_url: str, receiver: Receiver) -> None:
    clock = SystemClock()
    with ExitStack() as stack:
        stores = [stack.enter_context(closing(open_store(postgresql_url))) for _ in range(4)]
        migrate(stores[0])
        world = World(stores[0])
        workers = Workers(world)
        stack.callback(workers.close)
        for store in stores:
            workers.start(store=store, clock=clock)
        slack(world, receiver, rate_limit=1.0, collapse_seconds=None)
        for number in range(5):
            publish(world, f"a{number}", title=f"Kubernetes {number}", clock=clock)

        def all_done() -> bool:
            workers.sweep(clock=clock)
            for number, (_kind, batch_id, ids) in enumerate(workers.new_batches()):
                workers.services[number % 4].deliver(batch_id, ids)
            return {row.state for row in world.deliveries()} == {"delivered"}

        eventually(all_done)
        begun = sorted(one.started_at for one in attempts(world))
    assert messages(receiver) == [[0], [1], [2], [3], [4]]
    gaps = [later - earlier for earlier, later in pairwise(begun)]
    assert all(gap >= timedelta(seconds=1) for gap in gaps)
