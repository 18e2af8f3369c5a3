"""Bodies that are too long, compressed beyond measure, endless, or dripping."""

import gzip
import socket
import sys
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from itertools import chain, repeat

import brotli
import pytest
import requests
import responses

from core.egress import GuardedSession, TooLarge, classify, guarded_session, read_capped
from core.errors import Reason
from tests.unit.core.loopback_servers import LOOPBACK_OPEN, Answer, http, loopback_resolver, sends, serving

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

LIMIT = 100_000
COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstd.compress,
}
SOON = 0.2


@pytest.fixture
def session() -> Iterator[GuardedSession]:
    with guarded_session(LOOPBACK_OPEN, user_agent="Clarion/test", resolver=loopback_resolver) as made:
        yield made


def _read(
    session: GuardedSession, answer: Answer, *, limit: int = LIMIT, seconds: float = 30, read: float = 30
) -> bytes:
    with serving(answer) as server, session.get(server.url(), timeout=(5, read)) as response:
        return read_capped(response, limit, time.monotonic() + seconds)


def _drip(head: bytes, drop: bytes) -> Answer:
    """Send `head`, then `drop` for as long as somebody listens."""

    def answer(request: bytes, connection: socket.socket) -> None:
        for piece in chain([head], repeat(drop)):
            connection.sendall(piece)
            time.sleep(0.01)  # the server's pace, which no assertion depends on

    return answer


def _chunked(*chunks: bytes) -> bytes:
    framed = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + framed


@pytest.mark.parametrize("size", [0, 1, 65_536, LIMIT])
def test_a_body_up_to_the_limit_is_read_whole(session: GuardedSession, size: int) -> None:
    body = bytes(size)
    assert _read(session, sends(http(body))) == body
    for encoding, compress in COMPRESSIONS.items():
        assert _read(session, sends(http(compress(body), f"Content-Encoding: {encoding}"))) == body
    chunks = [body] if body else []
    assert _read(session, sends(_chunked(*chunks, b""))) == body


def test_a_body_in_chunks_of_one_byte_is_read_whole(session: GuardedSession) -> None:
    body = b"x" * 5_000
    assert _read(session, sends(_chunked(*[b"x"] * 5_000, b"")), limit=5_000) == body


def test_the_connection_is_reused_after_a_whole_body(session: GuardedSession) -> None:
    with serving(sends(http(b"again"))) as server:
        for _ in range(3):
            with session.get(server.url()) as response:
                assert read_capped(response, LIMIT, time.monotonic() + 30) == b"again"
        assert server.connections == 1


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(sends(http(bytes(LIMIT + 1))), id="plain"),
        pytest.param(sends(b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n"), id="announced"),
        pytest.param(sends(b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5_000 + b"\r\n\r\n"), id="absurd"),
        pytest.param(sends(_chunked(*[bytes(60_000)] * 2, b"")), id="chunked"),
        pytest.param(
            sends(
                http(gzip.compress(gzip.compress(bytes(50_000_000))), "Content-Encoding: gzip, gzip"),
            ),
            id="nested bomb",
        ),
    ],
)
def test_what_is_longer_is_cut(session: GuardedSession, answer: Answer) -> None:
    with pytest.raises(TooLarge) as raised:
        _read(session, answer)
    assert classify(raised.value) is Reason.TOO_LARGE


@pytest.mark.parametrize("encoding", COMPRESSIONS)
def test_a_bomb_is_not_inflated_beyond_what_is_read_of_it(session: GuardedSession, encoding: str) -> None:
    bomb = sends(http(COMPRESSIONS[encoding](bytes(50_000_000)), f"Content-Encoding: {encoding}"))
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge) as raised:
            _read(session, bomb)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert classify(raised.value) is Reason.TOO_LARGE
    assert peak < 5_000_000


def test_every_compression_that_can_be_read_is_asked_for(session: GuardedSession) -> None:
    request = session.prepare_request(requests.Request("GET", "http://127.0.0.1/"))
    asked = {name.strip() for name in request.headers["Accept-Encoding"].split(",")}
    assert asked == COMPRESSIONS.keys()


def test_an_endless_trailer_is_cut(session: GuardedSession) -> None:
    trailer = sends(_chunked(b"x", b"")[:-2], *[b"X-Trailer: 1\r\n" * 1_000] * 1_000)
    with pytest.raises(TooLarge):
        _read(session, trailer)


def test_an_endless_head_is_cut(session: GuardedSession) -> None:
    informational = sends(*[b"HTTP/1.1 100 Continue\r\n\r\n" * 1_000] * 1_000)
    with serving(informational) as server, pytest.raises(requests.ConnectionError) as raised:
        session.get(server.url())
    assert classify(raised.value) is Reason.TOO_LARGE


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(_drip(b"HTTP/1.1 200 OK\r\n\r\n", b"x"), id="until close"),
        pytest.param(_drip(b"HTTP/1.1 200 OK\r\nContent-Length: 90000\r\n\r\n", b"x"), id="length"),
        pytest.param(_drip(_chunked(), b"1\r\nx\r\n"), id="chunks"),
        pytest.param(_drip(_chunked() + b"ffff\r\n", b"x"), id="inside a chunk"),
        pytest.param(_drip(_chunked() + b"1;", b"x"), id="chunk size"),
        pytest.param(_drip(_chunked(b"x", b"")[:-2], b"X-Trailer: 1\r\n"), id="trailer"),
        pytest.param(sends(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"), id="silence"),
    ],
)
def test_a_dripping_body_is_read_until_the_deadline(session: GuardedSession, answer: Answer) -> None:
    with pytest.raises(requests.RequestException) as raised:
        _read(session, answer, seconds=SOON)
    assert classify(raised.value) is Reason.TIMEOUT


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(_drip(b"", b"H"), id="status line"),
        pytest.param(_drip(b"HTTP/1.1 200 OK\r\n", b"X-Header: 1\r\n"), id="headers"),
        pytest.param(_drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), id="informational"),
        pytest.param(sends(), id="silence"),
    ],
)
def test_a_dripping_head_is_read_until_the_read_timeout(session: GuardedSession, answer: Answer) -> None:
    with pytest.raises(requests.RequestException) as raised:
        _read(session, answer, read=SOON)
    assert classify(raised.value) is Reason.TIMEOUT


def test_the_connection_is_closed_after_a_failure(session: GuardedSession) -> None:
    with serving(sends(http(bytes(LIMIT + 1)))) as server:
        for _ in range(2):
            with session.get(server.url()) as response, pytest.raises(TooLarge):
                read_capped(response, LIMIT, time.monotonic() + 30)
        assert server.connections == 2


def test_a_body_cut_short_is_a_reset(session: GuardedSession) -> None:
    def cut(request: bytes, connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nxy")
        connection.shutdown(socket.SHUT_RDWR)

    with pytest.raises(requests.exceptions.ChunkedEncodingError) as raised:
        _read(session, cut)
    assert classify(raised.value) is Reason.RESET


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(sends(http(b"not gzip", "Content-Encoding: gzip")), id="encoding"),
        pytest.param(sends(_chunked() + b"zz\r\n"), id="chunk size"),
    ],
)
def test_a_body_that_cannot_be_read_is_a_protocol_error(session: GuardedSession, answer: Answer) -> None:
    with pytest.raises(requests.RequestException) as raised:
        _read(session, answer)
    assert classify(raised.value) is Reason.PROTOCOL


@responses.activate
def test_responses_without_a_socket_are_read_as_well() -> None:
    responses.get("https://news.example/feed", body=b"<rss/>")
    with guarded_session(LOOPBACK_OPEN, user_agent="Clarion/test") as session:
        response = session.get("https://news.example/feed")
        assert read_capped(response, 6, time.monotonic() + 30) == b"<rss/>"
        late = session.get("https://news.example/feed")
        with pytest.raises(requests.ReadTimeout):
            read_capped(late, 6, time.monotonic() - 1)
