"""What a receiver's answer makes of a delivery, on both databases, over real sockets."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from core.errors import Reason
from core.store.models import Channel, Notice
from tests.contract.delivering.workers import CLOSED, Workers, attempts, of_channel, only, publish, told
from tests.contract.world import World
from tests.receiver import Answer, Close, Endless, Raw, Receiver, Reset, Respond, endless_body, redirect
from tests.servers import free_port

pytestmark = pytest.mark.usefixtures("service")


def deliver(world: World, workers: Workers, url: str, **channel: Any) -> None:
    told(world, url, **channel)
    workers.settle()


def check_tried_again(world: World, reason: Reason, status: int | None = None) -> None:
    """Check that one try failed so, and that the next is due as the schedule says, give or take 20 %."""
    row, (attempt,) = only(world), attempts(world)
    assert (row.state, row.reason, row.attempts, row.finished_at) == ("pending", reason, 1, None)
    assert row.due_at is not None
    assert timedelta(seconds=8) <= row.due_at - world.clock.now() <= timedelta(seconds=12)
    assert (row.enqueue_after, row.step) == (row.due_at, 1)
    assert (attempt.delivery_id, attempt.number) == (row.id, 1)
    assert (attempt.status, attempt.reason, attempt.next_try_at) == (status, reason, row.due_at)
    assert (attempt.started_at, attempt.duration_ms >= 0) == (world.clock.now(), True)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_only_2xx_succeeds(world: World, workers: Workers, receiver: Receiver, status: int) -> None:
    deliver(world, workers, receiver.script("/hook", Respond(status)))
    row, (attempt,) = only(world), attempts(world)
    assert (row.state, row.attempts, row.reason, row.due_at) == ("delivered", 1, None, None)
    assert row.finished_at == world.clock.now()
    assert (attempt.status, attempt.reason, attempt.next_try_at) == (status, None, None)


@pytest.mark.parametrize(
    ("answer", "reason", "status"),
    [
        (redirect("/elsewhere"), Reason.STATUS_3XX, 302),
        (redirect("/elsewhere", 307), Reason.STATUS_3XX, 307),
        (redirect("/elsewhere", 308), Reason.STATUS_3XX, 308),
        (Respond(304), Reason.STATUS_3XX, 304),
        (Respond(400), Reason.STATUS_4XX, 400),
        (Respond(404), Reason.STATUS_4XX, 404),
        (Respond(429), Reason.THROTTLED, 429),
        (Respond(500), Reason.STATUS_5XX, 500),
        (Respond(503), Reason.THROTTLED, 503),
        (Raw(b"220 mail.example.com ESMTP\r\n"), Reason.PROTOCOL, None),
        (Endless(), Reason.PROTOCOL, 200),
        (Reset(), Reason.RESET, None),
        (Close(), Reason.RESET, None),
    ],
    ids=lambda value: getattr(value, "value", None) or type(value).__name__,
)
def test_every_other_answer_is_named_and_tried_again(
    world: World, workers: Workers, receiver: Receiver, answer: Answer, reason: Reason, status: int | None
) -> None:
    deliver(world, workers, receiver.script("/hook", answer))
    check_tried_again(world, reason, status)
    assert receiver.requests_for("/elsewhere") == []


def test_a_success_that_answers_at_endless_length_is_a_success(
    world: World, workers: Workers, receiver: Receiver
) -> None:
    deliver(world, workers, receiver.script("/hook", endless_body(200)))
    assert only(world).state == "delivered"


def test_a_port_where_nobody_listens(world: World, workers: Workers) -> None:
    deliver(world, workers, f"http://127.0.0.1:{free_port()}/hook")
    check_tried_again(world, Reason.REFUSED)


def test_a_certificate_that_nobody_vouches_for(
    world: World, workers: Workers, tls_receiver: Receiver
) -> None:
    deliver(world, workers, tls_receiver.url + "/hook")
    check_tried_again(world, Reason.TLS)
    assert tls_receiver.requests == []


def test_a_name_that_does_not_resolve(world: World, workers: Workers) -> None:
    # RFC 6761, section 6.4: nobody may answer for it.
    deliver(world, workers, "http://hooks.invalid/")
    check_tried_again(world, Reason.DNS)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_closed_host_is_never_contacted(world: World, receiver: Receiver, host: str) -> None:
    guarded = Workers(world)
    guarded.start(policy=CLOSED)
    deliver(world, guarded, f"http://{host}:{receiver.port}/hook")
    guarded.close()
    check_tried_again(world, Reason.BLOCKED)
    assert receiver.connections == 0


# --- a receiver that is gone for good


def test_410_disables_the_channel_and_tells_the_owner(
    world: World, workers: Workers, receiver: Receiver
) -> None:
    (gone,) = told(world, receiver.script("/gone", Respond(410, b"moved out")))
    (other,) = told(world, receiver.url + "/other", article="a2")
    workers.settle()

    rows = world.deliveries()
    ended = [(row.state, row.reason) for row in rows if row.channel_id == gone]
    assert ended[0] == ("failed", "gone")
    assert ended[1] in (("failed", "gone"), ("cancelled", "gone"))  # it may have been under way already
    assert of_channel(world, other).state == "delivered"
    with world.store.read() as session:
        channel = session.get_one(Channel, gone)
        (notice,) = session.execute(select(Notice)).scalars()
    assert (channel.state, channel.state_reason) == ("disabled", "gone")
    assert (notice.channel_id, notice.account_id) == (gone, channel.account_id)
    assert (notice.kind, notice.reason) == ("channel_disabled", "gone")


def test_410_cancels_what_waits_for_a_retry_and_holds_what_matches_later(
    world: World, workers: Workers, receiver: Receiver
) -> None:
    told(world, receiver.script("/hook", Respond(500), Respond(410)))
    workers.settle()
    publish(world, "a2")
    workers.settle()
    publish(world, "a3")
    workers.sweep_and_settle()

    retried, gone, later = world.deliveries()
    assert (retried.state, retried.reason, retried.attempts) == ("cancelled", "gone", 1)
    assert (gone.state, gone.reason, gone.attempts) == ("failed", "gone", 1)
    assert (later.state, later.attempts) == ("held", 0)
    assert len(receiver.requests) == 2
