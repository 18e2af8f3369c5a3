"""How much, and for how long, a transfer bears with the other side."""

import errno
import itertools
import socket
from types import SimpleNamespace

import pycurl
import pytest

from core.egress import PushAnswer
from core.errors import Reason
from tests.receiver import Answer, Connection, Drip, Endless, Hang, Raw, Receiver, Respond, endless_body
from tests.unit.core.pushes import TransferMaker, answered, push


def test_64_kib_are_read(make_transfer: TransferMaker, receiver: Receiver) -> None:
    transfer = make_transfer()
    for answer in (Respond(200, b"x" * 65_536), Respond(200, b"x" * 65_536, chunked=True)):
        assert answered(transfer, receiver, answer) == PushAnswer(200, excerpt=b"x" * 4_096)
    assert receiver.connections == 1


@pytest.mark.parametrize("status", [200, 500])
def test_an_endless_body_is_cut_and_its_status_counts(
    make_transfer: TransferMaker, receiver: Receiver, capfd: pytest.CaptureFixture[str], status: int
) -> None:
    answer = answered(make_transfer(), receiver, endless_body(status))
    assert answer == PushAnswer(status, excerpt=b"x" * 4_096)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Endless(), id="headers"),
        pytest.param(Endless(repeated=b"x" * 1_000), id="one header"),
        pytest.param(Endless(b"", b"HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n"), id="announcements"),
        pytest.param(Endless(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"), id="trailers"),
        pytest.param(
            Endless(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0"), id="chunk size"
        ),
    ],
)
def test_what_never_ends_is_cut(make_transfer: TransferMaker, receiver: Receiver, answer: Answer) -> None:
    result = answered(make_transfer(), receiver, answer)
    assert result.reason is Reason.PROTOCOL
    assert result.status in (None, 200)


class _DrippingHeaders:
    def play(self, connection: Connection) -> bool:
        connection.send(b"HTTP/1.1 200 OK\r\n")
        for number in itertools.count():
            connection.pause(0.05)
            connection.send(b"X-%d: 1\r\n" % number)
        return False


@pytest.mark.parametrize("answer", [_DrippingHeaders(), Drip(b"x" * 10_000)])
def test_time_is_up_for_a_dripping_answer(
    make_transfer: TransferMaker, receiver: Receiver, answer: Answer
) -> None:
    result = answered(make_transfer(seconds=1), receiver, answer)
    assert (result.status, result.reason) == (200, Reason.TIMEOUT)
    assert result.detail == "the answer took too long"


def test_time_is_up_without_an_answer(make_transfer: TransferMaker, receiver: Receiver) -> None:
    result = answered(make_transfer(seconds=0.3), receiver, Hang())
    assert result == PushAnswer(reason=Reason.TIMEOUT, detail="the answer took too long")


def test_a_reused_connection_that_falls_silent_is_a_timeout(
    make_transfer: TransferMaker, receiver: Receiver
) -> None:
    transfer = make_transfer()
    url = receiver.script("/hook", Respond(), Hang())
    assert transfer.perform(push(url)) == PushAnswer(200)
    transfer.curl.setopt(pycurl.TIMEOUT_MS, 300)
    assert transfer.perform(push(url)).reason is Reason.TIMEOUT
    assert receiver.connections == 1


def test_time_is_up_in_a_handshake(make_transfer: TransferMaker) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}/"
        result = make_transfer(connect_seconds=0.3).perform(push(url))
    assert (result.status, result.reason) == (None, Reason.TIMEOUT)


class _ResetWithin:
    def play(self, connection: Connection) -> bool:
        connection.reset_on_close()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        return False


@pytest.mark.parametrize(
    "answer", [_ResetWithin(), Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")]
)
def test_an_answer_that_breaks_off_has_a_status_and_a_reason(
    make_transfer: TransferMaker, receiver: Receiver, answer: Answer
) -> None:
    result = answered(make_transfer(), receiver, answer)
    assert (result.status, result.reason) == (200, Reason.RESET)
    assert result.detail


def test_a_shortage_of_descriptors_is_our_own_failure(
    make_transfer: TransferMaker, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def short(*arguments: int) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr("core.egress.transfers.socket", SimpleNamespace(socket=short))
    answer = make_transfer().perform(push("http://127.0.0.1/"))
    assert answer.reason is Reason.INTERNAL
    assert answer.detail == "no connection could be opened here: Too many open files"
    assert capfd.readouterr().err == ""
