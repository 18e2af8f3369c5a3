"""The real server, over sockets."""

import json
import socket
import threading
from collections.abc import Iterator

import pytest
import requests
from flask import Flask

from api.app import create_health_app
from api.server import HEADER_LIMIT, Server, serve
from core.errors import Unavailable
from tests.contract.api.conftest import Api, Client
from tests.servers import free_port


@pytest.fixture
def server(api: Api) -> Iterator[Server]:
    """The API, answering on a port."""
    running = serve(api.app, "127.0.0.1", 0)
    running.start()
    yield running
    running.stop()


def raw(port: int, request: bytes) -> bytes:
    """Send bytes and return all that comes back."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request)
        return b"".join(iter(lambda: connection.recv(65_536), b""))


def body_of(answer: bytes) -> dict[str, object]:
    """Return the problem in a raw answer."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head
    read: dict[str, object] = json.loads(body)
    return read


def test_a_request_over_the_wire(server: Server, client: Client) -> None:
    url = f"http://127.0.0.1:{server.port}"
    with requests.Session() as session:
        session.trust_env = False
        session.headers["Authorization"] = f"Bearer {client.key}"
        made = session.post(f"{url}/subscribe", json={"topic": "python"}, timeout=10)
        assert made.json()["status"] == "subscribed"
        assert "Server" not in made.headers
        assert session.post(f"{url}/v1/sources", timeout=10).status_code == 422
        chunked = session.post(f"{url}/subscribe", data=iter([b'{"topic":', b'"rust"}']), timeout=10)
        assert chunked.json()["topic"] == "rust"


@pytest.mark.parametrize("size", [1_100_000, 9_000_000])
def test_too_long_a_body_is_a_problem(server: Server, client: Client, size: int) -> None:
    # Of what is far too long the server reads no more than the head.
    sent = size if size < 2_000_000 else 0
    head = (
        f"POST /v1/articles HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {client.key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {size}\r\nConnection: close\r\n\r\n"
    )
    assert body_of(raw(server.port, head.encode() + b"x" * sent))["status"] == 413


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET / HTTP/1.1\r\nbad header\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: ".ljust(HEADER_LIMIT, b"y"), 431),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: rot13\r\n\r\n", 501),
    ],
)
def test_what_is_not_understood_is_a_problem(server: Server, request_: bytes, status: int) -> None:
    assert body_of(raw(server.port, request_))["status"] == status


def test_stopping_finishes_what_is_under_way() -> None:
    asked, release = threading.Event(), threading.Event()
    app = Flask("slow")

    @app.get("/")
    def slow() -> str:
        asked.set()
        assert release.wait(10)
        return "done"

    server = serve(app, "127.0.0.1", 0)
    server.start()
    answers: list[bytes] = []
    request = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    caller = threading.Thread(target=lambda: answers.append(raw(server.port, request)))
    caller.start()
    assert asked.wait(10)
    stopper = threading.Thread(target=server.stop)
    stopper.start()
    release.set()
    stopper.join(10)
    caller.join(10)
    assert answers[0].endswith(b"done")
    with pytest.raises(ConnectionRefusedError):
        raw(server.port, request)


def test_a_server_that_never_started_gives_its_port_back() -> None:
    port = free_port()
    for _ in range(2):
        serve(Flask("never"), "127.0.0.1", port).stop()


def test_a_port_that_is_taken_is_an_error(server: Server) -> None:
    with pytest.raises(OSError):
        serve(Flask("second"), "127.0.0.1", server.port)


def test_probes_of_the_other_roles() -> None:
    def away() -> None:
        raise Unavailable("away")

    app = create_health_app({"broker": away})
    assert app.test_client().get("/healthz").status_code == 200
    assert app.test_client().get("/readyz").status_code == 503
    assert app.test_client().get("/v1/channels").status_code == 404
