"""The delivery engine over real sockets: who is pushed to when, and what is handed over."""

import itertools
import os
import threading
import time

import pytest

from core.egress import EgressPolicy, PushAnswer, PushRequest, Transfer
from core.errors import Reason
from notifiers.engine import Push
from notifiers.lines import Bounds
from notifiers.multi_loop import MultiLoop
from tests.certificates import Certificate
from tests.receiver import Connection, Hang, Receiver, Respond
from tests.unit.core.loopback_servers import LOOPBACK_OPEN
from tests.unit.notifiers.http2_server import http2_server
from tests.unit.notifiers.pushes import Broken, push_to, running

HUNDRED_SECONDS = 100.0


def test_what_came_of_each_push_is_handed_over_with_its_job(receiver: Receiver) -> None:
    statuses = [200, 204, 302, 404, 429, 500]
    with running() as (engine, results):
        engine.submit(
            [push_to(receiver.script(f"/{status}", Respond(status)), str(status)) for status in statuses]
        )
        found = {one.push.job: one.answer for one in results.wait_for(len(statuses))}
    assert found == {str(status): PushAnswer(status) for status in statuses}
    assert sorted(request.header("webhook-id") or "" for request in receiver.requests) == [
        f"dlv_{status}" for status in statuses
    ]


def test_connections_are_used_again(receiver: Receiver) -> None:
    with running() as (engine, results):
        for count in range(1, 31):
            engine.submit([push_to(receiver.url + "/hook")])
            results.wait_for(count)
    assert len(receiver.requests) == 30
    assert receiver.connections <= 2  # the first, and the one to a host that has been met


def test_what_has_ended_is_told_of_without_another_wait(receiver: Receiver) -> None:
    wake_up = os.eventfd(0, os.EFD_NONBLOCK)
    loop, transfer = MultiLoop(wake_up), Transfer(LOOPBACK_OPEN, "Clarion/test")
    transfer.prepare(PushRequest(receiver.url + "/hook", [], b"{}"))
    loop.add(transfer.curl, known=True)
    while not (ended := loop.done()):
        loop.turn(10_000)  # which the test's time limit does not
    assert ended == [(transfer.curl, None, "")]
    loop.remove(transfer.curl, known=True)
    loop.close()
    os.close(wake_up)


def test_a_submission_wakes_a_loop_that_waits() -> None:
    wake_up = os.eventfd(0, os.EFD_NONBLOCK)
    loop = MultiLoop(wake_up)
    threading.Timer(0.05, os.eventfd_write, (wake_up, 1)).start()
    loop.turn(10_000)
    loop.close()
    os.close(wake_up)


# --- bounds


def test_a_channel_that_hangs_takes_its_part_only(receiver: Receiver) -> None:
    receiver.script("/hang", Hang())
    with running(bounds=Bounds(total=6, channel=4, channel_waiting=10)) as (engine, results):
        engine.submit([push_to(receiver.url + "/hang", f"hang {n}") for n in range(20)])
        engine.submit([push_to(f"{receiver.url}/{n}", f"quick {n}") for n in range(30)])
        found = results.wait_for(30 + 20 - 10)
        assert len(receiver.requests_for("/hang")) == 4
    turned_away = [one for one in found if one.push.job.startswith("hang")]
    assert len(turned_away) == 10
    assert [(one.answer, one.wait.total_seconds()) for one in turned_away] == [(None, 2.0)] * 10
    assert [one.answer for one in found if one not in turned_away] == [PushAnswer(200)] * 30


def test_suspects_take_a_quarter_and_one_of_each_channel(receiver: Receiver) -> None:
    for number in range(10):
        receiver.script(f"/hang/{number}", Hang())
    with running(bounds=Bounds(total=8, suspects_waiting=6)) as (engine, results):
        engine.submit([push_to(f"{receiver.url}/hang/{n // 2}", "hang", suspect=True) for n in range(20)])
        receiver.wait_for(2)
        engine.submit([push_to(f"{receiver.url}/{n}", "quick") for n in range(40)])
        found = results.wait_for(40 + 20 - 6)
        assert len({request.path for request in receiver.requests if "/hang" in request.path}) == 2
    assert [one.push.job for one in found].count("quick") == 40
    assert {one.wait.total_seconds() for one in found if one.push.job == "hang"} == {30.0}


def test_an_origin_takes_its_part_only(certificate: Certificate, receiver: Receiver) -> None:
    with Receiver(certificate) as slow:
        urls = [slow.script(f"/{n}", Hang()) for n in range(10)]
        bounds = Bounds(total=8, origin=5)
        with running(bounds=bounds, ca_file=str(certificate.certificate)) as (engine, results):
            engine.submit([push_to(url) for url in urls])
            engine.submit([push_to(f"{receiver.url}/{n}") for n in range(10)])
            results.wait_for(10)
            slow.wait_for(5)
            assert len(slow.requests) == 5


# --- slots


def test_a_push_waits_for_its_slot(receiver: Receiver) -> None:
    slots = [time.monotonic() + wait for wait in (0.3, 0.1, 0.2)]
    with running() as (engine, results):
        engine.submit([push_to(receiver.url + "/hook", str(slot), not_before=slot) for slot in slots])
        found = results.wait_for(3)
        ended = time.monotonic()
    went = [one for one in found if one.answer is not None]
    assert [float(one.push.job) for one in went] == sorted(float(one.push.job) for one in went)
    assert ended >= max(slots)


def test_a_slot_that_has_passed_is_given_back(receiver: Receiver) -> None:
    with running() as (engine, results):
        engine.submit([push_to(receiver.url + "/hook", not_before=time.monotonic() - 1)])
        (missed,) = results.wait_for(1)
    assert (missed.answer, missed.wait.total_seconds()) == (None, 0)
    assert receiver.requests == []


# --- what goes wrong


def test_what_goes_wrong_with_one_costs_the_others_nothing(receiver: Receiver) -> None:
    broken = Push("dlv_1", "ch_1", "http://x", Broken("http://x"), b"", "broken")
    with running() as (engine, results):
        engine.submit(
            [broken, push_to("ftp://127.0.0.1/", "blocked"), push_to(receiver.url + "/hook", "quick")]
        )
        found = {one.push.job: one.answer for one in results.wait_for(3)}
    assert found["broken"] == PushAnswer(reason=Reason.INTERNAL)
    assert found["blocked"] is not None
    assert found["blocked"].reason is Reason.BLOCKED
    assert found["quick"] == PushAnswer(200)


def test_a_closed_address_is_not_connected_to(receiver: Receiver) -> None:
    with running(EgressPolicy()) as (engine, results):
        engine.submit([push_to(receiver.url + "/hook")])
        engine.submit([push_to(f"http://localhost:{receiver.port}/hook")])
        answers = [one.answer for one in results.wait_for(2)]
    assert [answer and answer.reason for answer in answers] == [Reason.BLOCKED] * 2
    assert receiver.connections == 0


# --- ending


class Chattering:
    """Sends headers for as long as anybody listens."""

    def play(self, connection: Connection) -> bool:
        """Send until the connection fails."""
        connection.send(b"HTTP/1.1 200 OK\r\n")
        for number in itertools.count():
            connection.pause(0.02)
            connection.send(b"X-%d: 1\r\n" % number)
        return False


def test_stopping_cuts_off_what_does_not_end_and_its_connections(receiver: Receiver) -> None:
    with running(total_seconds=HUNDRED_SECONDS) as (engine, results):
        engine.submit([push_to(receiver.script("/chatter", Chattering()), "chatter")])
        engine.submit([push_to(receiver.url + "/quick", "quick")])
        results.wait_for(1)
        receiver.wait_for(2)
        engine.stop(0.1)
        assert [one.push.job for one in results.all] == ["quick"]
        _none_connected(receiver)


def _none_connected(receiver: Receiver) -> None:
    waiting = threading.Event()
    for _ in range(1_000):
        if not receiver.open_connections:
            return
        waiting.wait(0.02)
    pytest.fail("connections were left")


def test_stopping_waits_for_what_ends_and_begins_nothing(receiver: Receiver) -> None:
    release = threading.Event()
    with running() as (engine, results):
        engine.submit([push_to(receiver.script("/slow", Respond(after=release)), "slow")])
        receiver.wait_for(1)
        stopping = threading.Thread(target=engine.stop, args=(60,))
        stopping.start()
        while not engine._stopping:
            time.sleep(0.01)
        engine.submit([push_to(receiver.url + "/late", "late")])
        release.set()
        stopping.join()
        assert [one.push.job for one in results.all] == ["slow"]
    assert receiver.requests_for("/late") == []


# --- HTTP/2


def test_requests_share_a_connection_where_http2_is_offered(certificate: Certificate) -> None:
    with (
        http2_server(certificate) as server,
        running(ca_file=str(certificate.certificate)) as (engine, results),
    ):
        for met in range(1, 3):
            engine.submit([push_to(server.url + "/first")])
            results.wait_for(met)
        # Answered only if all are under way on one connection.
        server.together = 20
        engine.submit([push_to(f"{server.url}/{number}") for number in range(20)])
        assert [one.answer for one in results.wait_for(22)] == [PushAnswer(204)] * 22
        assert (server.answered, server.connections) == (22, 2)
