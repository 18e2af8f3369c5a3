"""The receiver itself, and its fixtures."""

import socket
import ssl
import threading
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

import pytest

from tests.certificates import Certificate
from tests.receiver.answers import Answer, Connection, Respond
from tests.receiver.request import Request, read_request
from tests.servers import free_port
from tests.servers.process import Startable

_BUFFER = 64 * 1024


@dataclass
class _Script:
    answers: deque[Answer] = field(default_factory=deque)

    def next(self) -> Answer:
        return self.answers.popleft() if len(self.answers) > 1 else self.answers[0]


class Receiver(Startable):
    """The server, running inside a `with` block; a thread serves each connection.

    A path without a script answers 200 with no body.
    """

    def __init__(self, certificate: Certificate | None = None) -> None:
        self.certificate = certificate
        self.port = free_port()
        self.connections = 0
        self._tls = certificate.server_context() if certificate else None
        self._changed = threading.Condition()
        self._requests: list[Request] = []
        self._by_path: dict[str, list[Request]] = defaultdict(list)
        self._scripts: dict[str, _Script] = {}
        self._default = Respond()
        self._closing = threading.Event()
        self._open: dict[socket.socket, threading.Thread] = {}

    @property
    def url(self) -> str:
        """Its base URL, without a slash at the end."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def requests(self) -> list[Request]:
        """All requests, in the order in which they were complete."""
        with self._changed:
            return list(self._requests)

    @property
    def open_connections(self) -> int:
        """How many clients are connected now."""
        with self._changed:
            return len(self._open)

    def requests_for(self, path: str) -> list[Request]:
        """Return the requests for one path, whatever their query."""
        with self._changed:
            return list(self._by_path.get(path, ()))

    def script(self, path: str, *answers: Answer) -> str:
        """Set how a path answers, one after the other, the last for good; return its URL."""
        with self._changed:
            self._scripts[path] = _Script(deque(answers or [self._default]))
        return self.url + path

    def wait_for(self, count: int, timeout: float = 10, *, path: str | None = None) -> list[Request]:
        """Return the requests, for one path where given, once there are `count`; raises AssertionError."""
        with self._changed:
            arrived = self._by_path[path] if path else self._requests
            self._changed.wait_for(lambda: len(arrived) >= count, timeout)
            assert len(arrived) >= count, f"{len(arrived)} of {count} requests arrived in {timeout} s"
            return list(arrived)

    def forget(self) -> None:
        """Drop what was recorded."""
        with self._changed:
            self._requests.clear()
            for recorded in self._by_path.values():
                recorded.clear()

    def start(self) -> None:
        """Listen, again at the same port after `stop`."""
        self._closing = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=1024)
        self._accepting = threading.Thread(target=self._accept, args=(self._listener,), daemon=True)
        self._accepting.start()

    def stop(self) -> None:
        """Close every connection and refuse new ones; what was recorded stays."""
        self._closing.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # which wakes `accept`
        self._accepting.join()
        self._listener.close()
        with self._changed:
            serving = dict(self._open)
        for connected, thread in serving.items():
            with suppress(OSError):
                connected.shutdown(socket.SHUT_RDWR)
            thread.join()

    def close(self) -> None:
        """Stop it for good."""
        self.stop()

    def _accept(self, listener: socket.socket) -> None:
        while not self._closing.is_set():
            try:
                connected = self._prepared(listener.accept()[0])
            except OSError:
                continue  # closed by `stop`, or by a client that has already left
            thread = threading.Thread(target=self._serve, args=(connected, self._closing), daemon=True)
            with self._changed:
                self.connections += 1
                self._open[connected] = thread
            thread.start()

    def _prepared(self, accepted: socket.socket) -> socket.socket:
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._tls:
            return self._tls.wrap_socket(accepted, server_side=True, do_handshake_on_connect=False)
        return accepted

    def _serve(self, connected: socket.socket, closing: threading.Event) -> None:
        # Whatever a hostile or dying client does ends its own connection only.
        with suppress(OSError, ValueError), connected:
            if isinstance(connected, ssl.SSLSocket):
                connected.do_handshake()
            self._converse(connected, closing)
        with self._changed:
            self._open.pop(connected, None)
            self._changed.notify_all()

    def _converse(self, connected: socket.socket, closing: threading.Event) -> None:
        connection = Connection(connected, closing)
        with connected.makefile("rb", _BUFFER) as stream:
            while not closing.is_set():
                request = read_request(stream, connection.send)
                if request is None or not self._record(request).play(connection):
                    return
                if (request.header("Connection") or "").lower() == "close":
                    return

    def _record(self, request: Request) -> Answer:
        with self._changed:
            self._requests.append(request)
            self._by_path[request.path].append(request)
            self._changed.notify_all()
            script = self._scripts.get(request.path)
            return script.next() if script else self._default


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver of plain HTTP."""
    with Receiver() as running:
        yield running


@pytest.fixture
def tls_receiver(certificate: Certificate) -> Iterator[Receiver]:
    """A receiver of HTTPS, trusted by who trusts `receiver.certificate`."""
    with Receiver(certificate) as running:
        yield running
