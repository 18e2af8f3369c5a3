"""How much of an answer is read and kept, and how long one is waited for."""

import gzip
import itertools
import socket

import pytest

from core.errors import Reason
from notifiers.delivery import DeliveryService
from tests.contract.delivering.workers import Workers, attempts, only, publish, told
from tests.contract.world import World
from tests.receiver import Answer, Connection, Drip, Hang, Receiver, Respond, endless_body

KIB = 1_024


class DrippingHeaders:
    """An answer whose headers come one after the other, and never end."""

    def play(self, connection: Connection) -> bool:
        """Send until either side has had enough."""
        connection.send(b"HTTP/1.1 200 OK\r\n")
        for number in itertools.count():
            connection.pause(0.02)
            connection.send(b"X-%d: 1\r\n" % number)
        return False


@pytest.mark.parametrize(
    ("answer", "status"),
    [(Hang(), None), (Drip(b"x" * 100_000, 0.02), 200), (DrippingHeaders(), 200)],
    ids=["silent", "dripping body", "dripping headers"],
)
def test_an_answer_that_takes_too_long_is_given_up(
    world: World, workers: Workers, receiver: Receiver, answer: Answer, status: int | None
) -> None:
    workers.start(total_seconds=1.0)
    told(world, receiver.script("/hook", answer))
    workers.settle()
    row, (attempt,) = only(world), attempts(world)
    assert (row.state, row.reason, row.step) == ("pending", Reason.TIMEOUT, 1)
    assert (attempt.status, attempt.reason) == (status, Reason.TIMEOUT)
    assert attempt.excerpt == "the answer took too long"
    assert attempt.duration_ms >= 1_000


def test_a_connection_that_takes_too_long_is_given_up(world: World, workers: Workers) -> None:
    workers.start(connect_seconds=0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # which never takes part in a handshake
        told(world, f"https://127.0.0.1:{silent.getsockname()[1]}/hook")
        workers.settle()
    (attempt,) = attempts(world)
    assert (only(world).reason, attempt.status, attempt.reason) == (Reason.TIMEOUT, None, Reason.TIMEOUT)


def test_64_kib_are_read_and_4_kib_kept(
    world: World, workers: Workers, service: DeliveryService, receiver: Receiver
) -> None:
    account = world.account()
    world.subscribe(account, world.webhook(account, receiver.url + "/hook"), "kubernetes")
    for article, answer in (
        ("short", Respond(500, b"x" * 10)),
        ("4 KiB", Respond(500, b"x" * 4 * KIB)),
        ("long", Respond(500, b"x" * 64 * KIB)),
        ("longer", Respond(500, b"x" * 256 * KIB)),
        ("endless", endless_body(500)),
    ):
        receiver.script("/hook", answer)
        publish(world, article)
        workers.settle()
    kept = {one.delivery_id: len(one.excerpt or "") for one in attempts(world)}
    assert [kept[row.id] for row in world.deliveries()] == [10, 4 * KIB, 4 * KIB, 4 * KIB, 4 * KIB]
    assert {row.reason for row in world.deliveries()} == {Reason.STATUS_5XX}


@pytest.mark.parametrize("status", [200, 500])
def test_compressed_answers_are_not_expanded(
    world: World, workers: Workers, service: DeliveryService, receiver: Receiver, status: int
) -> None:
    bomb = gzip.compress(b"x" * 30_000_000)
    told(world, receiver.script("/hook", Respond(status, bomb, (("Content-Encoding", "gzip"),))))
    workers.settle()
    (request,), (attempt,) = receiver.requests, attempts(world)
    assert request.header("Accept-Encoding") is None
    assert (attempt.status, attempt.excerpt) == (status, f"(not text, {len(bomb)} bytes)")


def test_text_that_is_not_quite_text_can_be_stored(
    world: World, workers: Workers, service: DeliveryService, receiver: Receiver
) -> None:
    told(world, receiver.script("/hook", Respond(500, b"a\xff\xfe \xed\xa0\x80 Gr\xc3\xb6\xc3\x9fe")))
    workers.settle()
    excerpt = attempts(world)[0].excerpt
    assert excerpt is not None
    assert excerpt.startswith("a\ufffd\ufffd")
    assert excerpt.endswith(" Größe")
