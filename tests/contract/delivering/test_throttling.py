"""Receivers that ask for patience with `Retry-After` (RFC 9110, section 10.2.3)."""

from datetime import timedelta
from email.utils import format_datetime

import pytest

from tests.contract.delivering.workers import Workers, attempts, only, publish, told
from tests.contract.world import World
from tests.receiver import Receiver, Respond

pytestmark = pytest.mark.usefixtures("service")


def throttled(value: str, status: int = 429) -> Respond:
    return Respond(status, headers=(("Retry-After", value),))


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        pytest.param("1", 1, id="a second"),
        pytest.param("120", 120, id="minutes"),
        pytest.param("80000", 80_000, id="22 hours"),
        pytest.param("86401", 86_400, id="over a day"),
        pytest.param("99999999999999999999", 86_400, id="for ever"),
        pytest.param("{3600}", 3_600, id="date"),
        pytest.param("{80000}", 80_000, id="date in 22 hours"),
        pytest.param("{900000}", 86_400, id="date far away"),
    ],
)
def test_retry_after_is_honoured_in_full_and_takes_no_place_in_the_schedule(
    world: World, workers: Workers, receiver: Receiver, status: int, value: str, seconds: int
) -> None:
    if value.startswith("{"):
        moment = world.clock.now() + timedelta(seconds=int(value.strip("{}")))
        value = format_datetime(moment, usegmt=True)
    told(world, receiver.script("/hook", throttled(value, status)))
    workers.settle()

    row, (attempt,) = only(world), attempts(world)
    assert (row.state, row.reason, row.attempts, row.step) == ("pending", "throttled", 1, 0)
    assert row.due_at == row.enqueue_after == world.clock.now() + timedelta(seconds=seconds)
    assert (attempt.status, attempt.reason, attempt.next_try_at) == (status, "throttled", row.due_at)


@pytest.mark.parametrize("value", ["garbage", "-5", "1e18", "NaN", "0", "", "12 apples", "{-60}"])
def test_nonsense_asks_for_no_patience(
    world: World, workers: Workers, receiver: Receiver, value: str
) -> None:
    if value == "{-60}":
        value = format_datetime(world.clock.now() - timedelta(seconds=60), usegmt=True)
    told(world, receiver.script("/hook", throttled(value)))
    workers.settle()

    row = only(world)
    assert (row.state, row.reason, row.step) == ("pending", "throttled", 1)
    assert row.due_at is not None
    assert timedelta(seconds=8) <= row.due_at - world.clock.now() <= timedelta(seconds=12)


@pytest.mark.parametrize(("value", "step"), [("80000", 0), ("{80000}", 0), ("1e18", 1), ("12 apples", 1)])
def test_a_channel_that_was_well_until_now_is_read_to_the_letter_too(
    world: World, workers: Workers, receiver: Receiver, value: str, step: int
) -> None:
    if value == "{80000}":
        value = format_datetime(world.clock.now() + timedelta(seconds=80_000), usegmt=True)
    told(world, receiver.script("/hook", Respond(), throttled(value)))
    workers.settle()
    publish(world, "a2")
    workers.settle()

    well, row = world.deliveries()
    assert (well.state, row.state, row.reason, row.step) == ("delivered", "pending", "throttled", step)
    if not step:
        assert row.due_at == world.clock.now() + timedelta(seconds=80_000)


def test_patience_is_not_asked_for_by_other_answers(
    world: World, workers: Workers, receiver: Receiver
) -> None:
    told(world, receiver.script("/hook", throttled("3600", 500)))
    workers.settle()
    row = only(world)
    assert (row.reason, row.step) == ("status_5xx", 1)
    assert row.due_at is not None
    assert row.due_at <= world.clock.now() + timedelta(seconds=12)


def test_a_throttled_delivery_goes_on_where_it_was_in_the_schedule(
    world: World, workers: Workers, receiver: Receiver
) -> None:
    told(world, receiver.script("/hook", throttled("50"), Respond(500), throttled("50"), Respond(500)))
    steps = []
    for _ in range(4):
        workers.settle()
        row = only(world)
        steps.append((row.attempts, row.step, row.reason))
        world.clock.advance(seconds=121)
        workers.sweep()
    assert steps == [(1, 0, "throttled"), (2, 1, "status_5xx"), (3, 1, "throttled"), (4, 2, "status_5xx")]
