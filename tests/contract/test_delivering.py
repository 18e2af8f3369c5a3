"""From ledger rows to signed requests and back, on both databases, over real sockets."""

import socket
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Any

import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session
from standardwebhooks import Webhook as Verifier

import notifiers.channels
from core.clock import ManualClock
from core.egress import EgressPolicy, Resolver, guarded_session, system_resolver
from core.errors import Reason, Unavailable
from core.registry import discover
from core.store import channels, ledger
from core.store.engine import Store
from core.store.models import Attempt, Channel, Delivery
from core.store.states import ChannelState
from notifiers.channels.base import Transports
from notifiers.delivery import DeliveryService
from notifiers.rendering import template_environment
from router.service import Router
from tests.contract.test_routing import message
from tests.contract.world import SECRET, World
from tests.receiver import (
    Answer,
    Close,
    Drip,
    Endless,
    Hang,
    Raw,
    Receiver,
    Request,
    Reset,
    Respond,
    endless_body,
    redirect,
)
from tests.servers import free_port

OPEN = EgressPolicy((ip_network("127.0.0.0/8"),))
CLOSED = EgressPolicy()
SCHEDULE = (10, 100)


@dataclass
class Workers:
    """Worker processes over one database, each as its own instance."""

    world: World
    made: list[tuple[DeliveryService, Transports]] = field(default_factory=list)

    def start(self, policy: EgressPolicy = OPEN, resolver: Resolver = system_resolver) -> DeliveryService:
        transports = Transports(
            http=guarded_session(policy, user_agent="Clarion test", resolver=resolver),
            mail=None,
            mail_from="clarion@example.com",
            templates=template_environment(),
            egress=policy,
            clock=self.world.clock,
        )
        service = DeliveryService(
            self.world.store,
            discover(notifiers.channels, "KIND"),
            transports,
            self.world.box,
            instance=f"ins_{len(self.made)}",
            retry_schedule=SCHEDULE,
            clock=self.world.clock,
        )
        self.made.append((service, transports))
        return service

    def close(self) -> None:
        for service, transports in self.made:
            service.close(patience_seconds=5)
            transports.http.close()


@pytest.fixture
def world(store: Store) -> World:
    # The library that verifies signatures compares their time with the machine's.
    return World(store, ManualClock(datetime.now(UTC).replace(microsecond=0)))


@pytest.fixture
def workers(world: World) -> Iterator[Workers]:
    made = Workers(world)
    yield made
    made.close()


@pytest.fixture
def service(workers: Workers) -> DeliveryService:
    return workers.start()


def told(world: World, *urls: str, **channel: Any) -> list[str]:
    """Have an article matched for a webhook at each URL; return the channels."""
    account = world.account()
    made = [world.webhook(account, url, **channel) for url in urls]
    for channel_id in made:
        world.subscribe(account, channel_id, "kubernetes")
    Router(world.store, world.tasks, world.clock).handle(message())
    return made


def deliver_all(world: World, service: DeliveryService) -> None:
    """Hand everything to a worker, as one batch of each day."""
    days: defaultdict[str, list[str]] = defaultdict(list)
    for row in world.deliveries():
        days[row.article_day.isoformat()].append(row.id)
    for day, ids in days.items():
        service.deliver(day, ids)


def only(world: World) -> Delivery:
    (row,) = world.deliveries()
    return row


def row_of(world: World, channel_id: str) -> Delivery:
    return next(row for row in world.deliveries() if row.channel_id == channel_id)


def attempts(world: World) -> list[Attempt]:
    with world.store.read() as session:
        return list(session.execute(select(Attempt).order_by(Attempt.number)).scalars())


def verify(request: Request) -> Any:
    return Verifier(SECRET).verify(request.body, {name.lower(): value for name, value in request.headers})


def short_of_time(monkeypatch: pytest.MonkeyPatch, seconds: float = 0.3) -> None:
    monkeypatch.setattr("notifiers.channels.webhook.TRANSFER_SECONDS", seconds)


def eventually(holds: Callable[[], bool]) -> None:
    """Wait until something is so; the deadline is for a machine that is very busy."""
    waiting = threading.Event()
    for _ in range(1_000):
        if holds():
            return
        waiting.wait(0.01)
    raise AssertionError("it never came to be")


# --- what arrives


def test_what_arrives_is_signed_and_verified_by_an_independent_library(
    world: World, service: DeliveryService, receiver: Receiver
) -> None:
    told(world, receiver.url + "/hook")

    deliver_all(world, service)

    (request,) = receiver.requests
    event = verify(request)
    row = only(world)
    assert (request.method, request.path) == ("POST", "/hook")
    assert request.header("content-type") == "application/json"
    assert request.header("webhook-id") == row.id
    assert (event["type"], event["data"]["article"]["title"]) == ("article.published", "Kubernetes news")
    assert [one["query"] for one in event["data"]["subscriptions"]] == ["kubernetes"]
    assert (row.state, row.attempts, row.reason, row.finished_at) == (
        "delivered",
        1,
        None,
        world.clock.now(),
    )


def test_a_retry_has_the_same_bytes_and_id_and_a_new_timestamp(
    world: World, service: DeliveryService, receiver: Receiver
) -> None:
    told(world, receiver.script("/hook", Respond(500), Respond(204)))

    deliver_all(world, service)
    world.clock.advance(seconds=13)
    deliver_all(world, service)

    first, second = receiver.requests
    assert first.body == second.body
    assert first.header("webhook-id") == second.header("webhook-id")
    assert first.header("webhook-timestamp") != second.header("webhook-timestamp")
    assert verify(first) == verify(second)
    assert only(world).state == "delivered"
    assert [(one.number, one.status, one.reason) for one in attempts(world)] == [
        (1, 500, "status_5xx"),
        (2, 204, None),
    ]


def test_a_repeated_task_message_sends_nothing_again(
    world: World, service: DeliveryService, receiver: Receiver
) -> None:
    told(world, receiver.url + "/hook")

    deliver_all(world, service)
    deliver_all(world, service)

    assert len(receiver.requests) == 1


def test_headers_that_an_account_set_are_sent_and_cannot_displace_ours(
    world: World, service: DeliveryService, receiver: Receiver
) -> None:
    account = world.account()
    url = receiver.url + "/hook"
    config = {"url": url, "headers": {"X-Team": "news"}, "secret": SECRET}
    new = channels.NewChannel("webhook", "webhook", url, ChannelState.ACTIVE, config)
    with world.store.write() as session:
        channel = channels.add(session, world.box, account, new, world.clock.now()).id
    world.subscribe(account, channel, "kubernetes")
    Router(world.store, world.tasks, world.clock).handle(message())

    deliver_all(world, service)

    (request,) = receiver.requests
    assert request.header("x-team") == "news"
    assert verify(request)


# --- how tries end


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_only_2xx_succeeds(world: World, service: DeliveryService, receiver: Receiver, status: int) -> None:
    told(world, receiver.script("/hook", Respond(status)))
    deliver_all(world, service)
    assert only(world).state == "delivered"


@pytest.mark.parametrize(
    ("answer", "reason", "status"),
    [
        (redirect("/elsewhere"), Reason.STATUS_3XX, 302),
        (redirect("/elsewhere", 308), Reason.STATUS_3XX, 308),
        (Respond(304), Reason.STATUS_3XX, 304),
        (Respond(400), Reason.STATUS_4XX, 400),
        (Respond(404), Reason.STATUS_4XX, 404),
        (Respond(410), Reason.GONE, 410),
        (Respond(429), Reason.THROTTLED, 429),
        (Respond(500), Reason.STATUS_5XX, 500),
        (Respond(503), Reason.THROTTLED, 503),
        (Raw(b"220 mail.example.com ESMTP\r\n"), Reason.PROTOCOL, None),
        (Reset(), Reason.RESET, None),
        (Close(), Reason.RESET, None),
    ],
    ids=lambda value: getattr(value, "value", None) or type(value).__name__,
)
def test_every_other_answer_is_named_and_tried_again(
    world: World,
    service: DeliveryService,
    receiver: Receiver,
    answer: Answer,
    reason: Reason,
    status: int | None,
) -> None:
    told(world, receiver.script("/hook", answer))

    deliver_all(world, service)

    check_tried_again(world, reason, status)
    assert receiver.requests_for("/elsewhere") == []


def check_tried_again(world: World, reason: Reason, status: int | None = None) -> None:
    """Check that one try failed so, and that the next is due as the schedule says, give or take 20 %."""
    row, (attempt,) = only(world), attempts(world)
    assert (row.state, row.reason, row.attempts, row.finished_at) == ("pending", reason, 1, None)
    assert row.due_at is not None
    assert timedelta(seconds=8) <= row.due_at - world.clock.now() <= timedelta(seconds=12)
    assert row.enqueue_after == row.due_at
    assert (attempt.delivery_id, attempt.number, attempt.status, attempt.reason) == (
        row.id,
        1,
        status,
        reason,
    )
    assert (attempt.started_at, attempt.duration_ms >= 0) == (world.clock.now(), True)


@pytest.mark.parametrize("answer", [Hang(), Drip(b"x" * 100), Endless()], ids=lambda one: type(one).__name__)
def test_an_answer_that_does_not_end_is_given_up(
    world: World,
    service: DeliveryService,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    answer: Answer,
) -> None:
    short_of_time(monkeypatch)
    told(world, receiver.script("/hook", answer))

    deliver_all(world, service)

    (attempt,) = attempts(world)
    assert only(world).state == "pending"
    assert attempt.reason in (Reason.TIMEOUT, Reason.PROTOCOL, Reason.TOO_LARGE)


def test_a_receiver_that_hangs_is_a_timeout(
    world: World, service: DeliveryService, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    short_of_time(monkeypatch)
    told(world, receiver.script("/hook", Hang()))
    deliver_all(world, service)
    check_tried_again(world, Reason.TIMEOUT)


def test_a_success_that_answers_at_endless_length_is_a_success(
    world: World, service: DeliveryService, receiver: Receiver
) -> None:
    told(world, receiver.script("/hook", endless_body(200)))
    deliver_all(world, service)
    assert only(world).state == "delivered"


def test_a_port_where_nobody_listens(world: World, service: DeliveryService) -> None:
    told(world, f"http://127.0.0.1:{free_port()}/hook")
    deliver_all(world, service)
    check_tried_again(world, Reason.REFUSED)


def test_a_certificate_that_nobody_vouches_for(
    world: World, service: DeliveryService, tls_receiver: Receiver
) -> None:
    told(world, tls_receiver.url + "/hook")
    deliver_all(world, service)
    check_tried_again(world, Reason.TLS)
    assert tls_receiver.requests == []


def test_a_name_that_does_not_resolve(world: World, workers: Workers) -> None:
    def unknown(_host: str, _port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    told(world, "http://hooks.example.com/")
    deliver_all(world, workers.start(resolver=unknown))
    check_tried_again(world, Reason.DNS)


def test_a_private_address_is_never_contacted(world: World, workers: Workers, receiver: Receiver) -> None:
    told(world, receiver.url + "/hook")
    deliver_all(world, workers.start(CLOSED))
    check_tried_again(world, Reason.BLOCKED)
    assert receiver.connections == 0


def test_a_name_that_leads_to_a_private_address_is_never_contacted(
    world: World, workers: Workers, receiver: Receiver
) -> None:
    told(world, f"http://hooks.example.com:{receiver.port}/")
    deliver_all(world, workers.start(CLOSED, resolver=lambda _host, _port: ["127.0.0.1"]))
    check_tried_again(world, Reason.BLOCKED)
    assert receiver.connections == 0


# --- retries


def test_after_the_last_retry_it_has_failed(
    world: World, service: DeliveryService, receiver: Receiver
) -> None:
    told(world, receiver.script("/hook", Respond(500)))

    for _ in range(5):
        deliver_all(world, service)
        world.clock.advance(seconds=121)

    row = only(world)
    assert (row.state, row.reason, row.attempts, row.due_at) == ("failed", "status_5xx", 3, None)
    assert row.finished_at is not None
    assert [one.number for one in attempts(world)] == [1, 2, 3]
    assert len(receiver.requests) == 3


def test_a_delivery_is_not_tried_before_it_is_due(
    world: World, service: DeliveryService, receiver: Receiver
) -> None:
    told(world, receiver.script("/hook", Respond(500)))
    deliver_all(world, service)
    world.clock.advance(seconds=7)
    deliver_all(world, service)
    assert len(receiver.requests) == 1


@pytest.mark.parametrize(("schedule", "tries"), [([], 1), ([1], 2), ([1, 1, 1, 1], 5)])
def test_a_channel_may_have_a_schedule_of_its_own(
    world: World, service: DeliveryService, receiver: Receiver, schedule: list[int], tries: int
) -> None:
    told(world, receiver.script("/hook", Respond(500)), retry_schedule=schedule)
    for _ in range(6):
        deliver_all(world, service)
        world.clock.advance(seconds=2)
    assert (only(world).state, only(world).attempts) == ("failed", tries)


# --- what people are shown of an answer


def test_excerpts_of_binary_answers_can_be_stored(
    world: World, service: DeliveryService, receiver: Receiver
) -> None:
    told(world, receiver.script("/hook", Respond(500, b"a\0b\xff\xfe \xed\xa0\x80 end")))
    deliver_all(world, service)
    (attempt,) = attempts(world)
    assert attempt.excerpt is not None
    assert attempt.excerpt.startswith("ab\ufffd\ufffd")
    assert attempt.excerpt.endswith(" end")


@pytest.mark.parametrize(("length", "kept"), [(0, None), (10, 10), (4_096, 4_096), (50_000, 4_096)])
def test_excerpts_are_short(
    world: World, service: DeliveryService, receiver: Receiver, length: int, kept: int | None
) -> None:
    told(world, receiver.script("/hook", Respond(500, b"x" * length)))
    deliver_all(world, service)
    (attempt,) = attempts(world)
    assert (attempt.excerpt and len(attempt.excerpt)) == kept


# --- what must not be sent after all


@pytest.mark.parametrize("state", [ChannelState.PAUSED, ChannelState.DISABLED])
def test_a_channel_that_was_paused_meanwhile_holds_its_deliveries(
    world: World, service: DeliveryService, receiver: Receiver, state: ChannelState
) -> None:
    (channel,) = told(world, receiver.url + "/hook")
    # Paused by a transaction that did not see the row yet, so that it could not hold it.
    change(world, update(Channel).where(Channel.id == channel).values(state=state))

    deliver_all(world, service)
    assert (only(world).state, only(world).attempts) == ("held", 0)
    assert receiver.requests == []

    world.set_state(channel, ChannelState.ACTIVE)
    deliver_all(world, service)
    assert only(world).state == "delivered"


def change(world: World, statement: Any) -> None:
    with world.store.write() as session:
        session.execute(statement)


def test_what_matched_only_deleted_subscriptions_is_not_sent(
    world: World, service: DeliveryService, receiver: Receiver
) -> None:
    account = world.account()
    channel = world.webhook(account, receiver.url + "/hook")
    first = world.subscribe(account, channel, "kubernetes")
    second = world.subscribe(account, channel, "pods")
    router = Router(world.store, world.tasks, world.clock)
    router.handle(message(id="one"))
    world.unsubscribe(first)
    deliver_all(world, service)
    assert world.states() == [(1, "delivered")]

    router.handle(message(id="two"))
    world.unsubscribe(second)
    deliver_all(world, service)

    last = world.deliveries()[-1]
    assert (last.state, last.reason, last.attempts) == ("cancelled", "unsubscribed", 0)
    assert last.finished_at is not None
    assert len(receiver.requests) == 1


def test_what_waits_for_a_deleted_channel_is_not_sent(
    world: World, service: DeliveryService, receiver: Receiver
) -> None:
    (channel,) = told(world, receiver.url + "/hook")
    change(world, delete(Channel).where(Channel.id == channel))

    deliver_all(world, service)

    assert (only(world).state, only(world).reason) == ("cancelled", "channel_deleted")
    assert receiver.requests == []


def test_a_channel_that_cannot_be_read_harms_itself_only(
    world: World, service: DeliveryService, receiver: Receiver
) -> None:
    broken, odd, whole = told(world, receiver.url + "/broken", receiver.url + "/odd", receiver.url + "/whole")
    change(world, update(Channel).where(Channel.id == broken).values(sealed="sealed with a lost key"))
    change(world, update(Channel).where(Channel.id == odd).values(kind="removed"))

    deliver_all(world, service)

    found = {row.channel_id: (row.state, row.reason) for row in world.deliveries()}
    assert found == {
        broken: ("pending", "misconfigured"),
        odd: ("pending", "misconfigured"),
        whole: ("delivered", None),
    }


# --- side by side


def test_one_that_hangs_does_not_keep_back_the_results_of_others(
    world: World, service: DeliveryService, receiver: Receiver
) -> None:
    release = threading.Event()
    slow, quick = told(
        world, receiver.script("/slow", Respond(200, after=release)), receiver.script("/quick", Respond())
    )
    delivering = threading.Thread(target=deliver_all, args=(world, service))
    delivering.start()

    eventually(lambda: row_of(world, quick).state == "delivered")
    assert row_of(world, slow).state == "sending"

    release.set()
    delivering.join()
    assert row_of(world, slow).state == "delivered"


def test_two_workers_with_the_same_task_send_once(world: World, workers: Workers, receiver: Receiver) -> None:
    told(world, *(f"{receiver.url}/{number}" for number in range(20)))
    threads = [
        threading.Thread(target=deliver_all, args=(world, workers.start())),
        threading.Thread(target=deliver_all, args=(world, workers.start())),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {row.state for row in world.deliveries()} == {"delivered"}
    assert len(receiver.requests) == 20


# --- when a worker ends


def test_a_worker_that_ends_gives_back_what_hangs_and_another_sends_it(
    world: World, workers: Workers, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    short_of_time(monkeypatch, 2)
    told(world, receiver.script("/hook", Hang(), Respond()))
    ending = workers.start()
    delivering = threading.Thread(target=deliver_all, args=(world, ending))
    delivering.start()
    receiver.wait_for(1)

    ending.close(patience_seconds=0.05)
    given_back = only(world)
    deliver_all(world, workers.start())
    delivering.join()

    assert (given_back.state, given_back.due_at, given_back.claimed_by) == (
        "pending",
        world.clock.now(),
        None,
    )
    # The late result of the first try counts for nothing.
    assert (only(world).state, only(world).attempts) == ("delivered", 1)
    assert [one.status for one in attempts(world)] == [200]


def test_a_worker_that_has_ended_begins_nothing(world: World, workers: Workers, receiver: Receiver) -> None:
    told(world, receiver.url + "/hook")
    ended = workers.start()
    ended.close(patience_seconds=1)
    deliver_all(world, ended)
    assert only(world).state == "pending"
    assert receiver.requests == []


def test_a_worker_that_ends_waits_for_what_is_nearly_done(
    world: World, workers: Workers, receiver: Receiver
) -> None:
    release = threading.Event()
    told(world, receiver.script("/hook", Respond(after=release)))
    ending = workers.start()
    delivering = threading.Thread(target=deliver_all, args=(world, ending))
    delivering.start()
    receiver.wait_for(1)
    closing = threading.Thread(target=ending.close, args=(10,))
    closing.start()
    release.set()
    closing.join()
    delivering.join()
    assert only(world).state == "delivered"


# --- when the database is away


class Outage:
    """Makes a store's write transactions fail, after some and for some."""

    def __init__(self, store: Store, monkeypatch: pytest.MonkeyPatch, *, after: int, times: float) -> None:
        self._write, self._after, self.left = store.write, after, times
        monkeypatch.setattr(store, "write", self._maybe)

    def _maybe(self) -> AbstractContextManager[Session]:
        if self._after > 0:
            self._after -= 1
        elif self.left > 0:
            self.left -= 1
            raise Unavailable("the database does not answer")
        return self._write()


def test_results_are_written_once_the_database_is_back(
    world: World, service: DeliveryService, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("notifiers.delivery.DATABASE_RETRY_SECONDS", 0.01)
    told(world, receiver.url + "/hook")
    outage = Outage(world.store, monkeypatch, after=1, times=4)

    deliver_all(world, service)

    assert outage.left == 0
    assert (only(world).state, only(world).attempts) == ("delivered", 1)
    assert len(receiver.requests) == 1


def test_a_database_that_stays_away_leaves_the_batch_to_the_sweep(
    world: World, service: DeliveryService, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("notifiers.delivery.DATABASE_RETRY_SECONDS", 0.01)
    monkeypatch.setattr("notifiers.delivery.FINISH_SECONDS", 0.05)
    told(world, receiver.url + "/hook")
    outage = Outage(world.store, monkeypatch, after=1, times=float("inf"))

    deliver_all(world, service)
    outage.left = 0

    assert only(world).state == "sending"
    world.clock.advance(seconds=61)
    with world.store.write() as session:
        assert ledger.return_lost_claims(session, world.clock.now()) == 1
    deliver_all(world, service)
    assert only(world).state == "delivered"


def test_a_claim_that_cannot_be_renewed_loses_no_results(
    world: World, service: DeliveryService, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("notifiers.delivery.RENEW_SECONDS", 0.01)
    release, renewals = threading.Event(), threading.Semaphore(0)

    def fail(*_: object) -> None:
        renewals.release()
        raise Unavailable("the database does not answer")

    monkeypatch.setattr(ledger, "renew_claim", fail)
    told(world, receiver.script("/hook", Respond(after=release)))
    delivering = threading.Thread(target=deliver_all, args=(world, service))
    delivering.start()
    for _ in range(3):
        assert renewals.acquire(timeout=10)
    release.set()
    delivering.join()

    assert only(world).state == "delivered"
    assert len(receiver.requests) == 1


def test_nothing_is_sent_that_could_not_be_claimed(
    world: World, service: DeliveryService, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    told(world, receiver.url + "/hook")
    Outage(world.store, monkeypatch, after=0, times=1)

    deliver_all(world, service)

    assert only(world).state == "pending"
    assert receiver.requests == []
