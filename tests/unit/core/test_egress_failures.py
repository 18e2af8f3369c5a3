"""Why a request failed, told from real failures."""

import socket
import struct
from collections.abc import Iterator, Sequence

import pytest
import requests

from core.egress import BlockedUrl, EgressPolicy, GuardedSession, TooLarge, classify, guarded_session
from core.errors import Reason
from tests.unit.core.loopback_servers import (
    LOOPBACK_OPEN,
    Answer,
    loopback_resolver,
    one_connection,
    sends,
    serving,
)


def _resolver(host: str, port: int) -> Sequence[str]:
    if host == "unknown.example":
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    return [] if host == "empty.example" else loopback_resolver(host, port)


@pytest.fixture
def session() -> Iterator[GuardedSession]:
    with guarded_session(LOOPBACK_OPEN, user_agent="Clarion/test", resolver=_resolver) as made:
        yield made


def _reset(request: bytes, connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def _hang_up(request: bytes, connection: socket.socket) -> None:
    connection.shutdown(socket.SHUT_RDWR)


def _failure(session: GuardedSession, url: str) -> requests.RequestException:
    with pytest.raises(requests.RequestException) as raised:
        session.get(url, timeout=(5, 0.2)).close()
    return raised.value


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        pytest.param(_reset, Reason.RESET, id="reset"),
        pytest.param(_hang_up, Reason.RESET, id="hung up"),
        pytest.param(sends(), Reason.TIMEOUT, id="silent"),
        pytest.param(sends(b"SSH-2.0-OpenSSH_9.6\r\n" * 3), Reason.PROTOCOL, id="another protocol"),
        pytest.param(sends(b"HTTP/1.1 abc\r\n\r\n"), Reason.PROTOCOL, id="no status"),
        pytest.param(
            sends(b"HTTP/1.1 200 OK\r\n" + b"X: 1\r\n" * 500 + b"\r\n"), Reason.PROTOCOL, id="headers"
        ),
    ],
)
def test_what_a_server_does(session: GuardedSession, answer: Answer, reason: Reason) -> None:
    with serving(answer) as server:
        assert classify(_failure(session, server.url())) is reason


def test_a_closed_port_refuses(session: GuardedSession) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert classify(_failure(session, f"http://news.example:{port}/")) is Reason.REFUSED


@pytest.mark.parametrize("host", ["unknown.example", "empty.example"])
def test_a_name_without_addresses(session: GuardedSession, host: str) -> None:
    assert classify(_failure(session, f"https://{host}/")) is Reason.DNS


def test_tls_to_a_server_that_has_none(session: GuardedSession) -> None:
    def plain(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with one_connection(plain) as port:
        assert classify(_failure(session, f"https://news.example:{port}/")) is Reason.TLS


def test_a_tls_handshake_that_never_ends(session: GuardedSession) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"https://news.example:{listener.getsockname()[1]}/"
        with pytest.raises(requests.RequestException) as raised:
            session.get(url, timeout=(0.2, 5))
    assert classify(raised.value) is Reason.TIMEOUT


def test_blocked_and_too_large_are_told_from_the_error_itself() -> None:
    assert classify(BlockedUrl("closed")) is Reason.BLOCKED
    assert classify(TooLarge("long")) is Reason.TOO_LARGE
    assert classify(ValueError("other")) is Reason.PROTOCOL


def test_what_was_being_handled_before_does_not_count() -> None:
    closed = EgressPolicy()
    with guarded_session(closed, user_agent="x", resolver=_resolver) as session:
        try:
            raise BlockedUrl("an earlier one")
        except BlockedUrl:
            failure = _failure(session, "https://unknown.example/")
    assert classify(failure) is Reason.DNS


def test_causes_that_form_a_circle_end() -> None:
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first
    assert classify(first) is Reason.PROTOCOL
