"""Both ways out call the same failures the same; and what libcurl's numbers mean."""

import errno
import socket
from collections.abc import Iterator

import pycurl
import pytest
import requests

from core.egress import GuardedSession, Transfer, classify, guarded_session
from core.egress.curl_failures import curl_failure
from core.errors import Reason
from tests.receiver import Answer, Close, Endless, Hang, Raw, Receiver, Reset
from tests.unit.core.loopback_servers import LOOPBACK_OPEN, loopback_resolver
from tests.unit.core.pushes import TransferMaker, push


@pytest.fixture
def session() -> Iterator[GuardedSession]:
    with guarded_session(LOOPBACK_OPEN, user_agent="Clarion/test", resolver=loopback_resolver) as made:
        yield made


@pytest.fixture
def transfer(make_transfer: TransferMaker) -> Transfer:
    return make_transfer()


def reasons(session: GuardedSession, transfer: Transfer, url: str, seconds: float = 15) -> set[Reason | None]:
    with pytest.raises(requests.RequestException) as raised:
        session.post(url, b"{}", timeout=seconds, stream=False)
    answer = transfer.perform(push(url))
    assert answer.detail
    return {classify(raised.value), answer.reason}


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        pytest.param(Reset(), Reason.RESET, id="reset"),
        pytest.param(Close(), Reason.RESET, id="closed"),
        pytest.param(Raw(b"SSH-2.0-OpenSSH_9.6\r\n" * 3), Reason.PROTOCOL, id="another protocol"),
        pytest.param(Raw(b"HTTP/1.1 abc\r\n\r\n"), Reason.PROTOCOL, id="no status"),
        pytest.param(Endless(), Reason.PROTOCOL, id="endless headers"),
        pytest.param(
            Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"), Reason.RESET, id="half a body"
        ),
        pytest.param(
            Raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\nhalf"),
            Reason.RESET,
            id="half the chunks",
        ),
        pytest.param(
            Raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
            Reason.PROTOCOL,
            id="no chunk",
        ),
    ],
)
def test_what_a_server_does_has_one_name(
    session: GuardedSession, transfer: Transfer, receiver: Receiver, answer: Answer, reason: Reason
) -> None:
    assert reasons(session, transfer, receiver.script("/hook", answer)) == {reason}


def test_silence_has_one_name(
    session: GuardedSession, make_transfer: TransferMaker, receiver: Receiver
) -> None:
    url = receiver.script("/hook", Hang())
    assert reasons(session, make_transfer(seconds=0.3), url, seconds=0.3) == {Reason.TIMEOUT}


def test_a_closed_port_has_one_name(session: GuardedSession, transfer: Transfer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert reasons(session, transfer, f"http://127.0.0.1:{port}/") == {Reason.REFUSED}


def test_an_unknown_certificate_has_one_name(
    session: GuardedSession, transfer: Transfer, tls_receiver: Receiver
) -> None:
    assert reasons(session, transfer, tls_receiver.url) == {Reason.TLS}


@pytest.mark.parametrize(
    ("error", "message", "os_errno", "reason", "detail"),
    [
        (6, "Could not resolve host: x", 0, Reason.DNS, "the host name could not be resolved"),
        (7, "Failed to connect", errno.EHOSTUNREACH, Reason.REFUSED, "cannot connect: no route to host"),
        (7, "Failed to connect", errno.ETIMEDOUT, Reason.TIMEOUT, "cannot connect: connection timed out"),
        (7, "Failed to connect", 0, Reason.REFUSED, "cannot connect"),
        (28, "Resolving timed out after 5 ms", 0, Reason.DNS, "the host name was not resolved in time"),
        (28, "Connection timed out after 5 ms", 0, Reason.TIMEOUT, "no connection came about in time"),
        (28, "Operation timed out after 9 ms", 0, Reason.TIMEOUT, "the answer took too long"),
        (35, "SSL: wrong version", 0, Reason.TLS, "no encrypted connection came about: SSL: wrong version"),
        (35, "Recv failure: Connection reset by peer", 0, Reason.RESET, "the connection broke off"),
        (55, "Send failure: Broken pipe", 0, Reason.RESET, "the connection broke off"),
        (92, "HTTP/2 stream 1 was not closed cleanly", 0, Reason.RESET, "the connection broke off"),
        (16, "", 0, Reason.PROTOCOL, "the answer is not proper HTTP"),
        (8, "a\r\n\x1b[1mb", 0, Reason.PROTOCOL, "the answer is not proper HTTP: a[1mb"),
        (27, "Out of memory", 0, Reason.INTERNAL, "the request could not be made here"),
        (3, "Bad URL", 0, Reason.BLOCKED, "this is not a URL that can be called"),
        (9_999, "?", 0, Reason.PROTOCOL, "the answer is not proper HTTP: ?"),
    ],
)
def test_what_libcurls_numbers_mean(
    error: int, message: str, os_errno: int, reason: Reason, detail: str
) -> None:
    assert curl_failure(error, message, os_errno) == (reason, detail)


def test_the_errno_of_an_earlier_connection_says_nothing_of_another_failure() -> None:
    assert curl_failure(pycurl.E_GOT_NOTHING, "", errno.ECONNREFUSED).reason is Reason.RESET
