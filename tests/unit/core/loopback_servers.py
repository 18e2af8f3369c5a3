"""Servers on 127.0.0.1 that answer byte by byte as a test tells them to."""

import select
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from ipaddress import ip_network
from threading import Lock, Thread

from core.egress import EgressPolicy

LOOPBACK_OPEN = EgressPolicy(allow=(ip_network("127.0.0.0/8"), ip_network("::1/128")))
Answer = Callable[[bytes, socket.socket], None]


def loopback_resolver(host: str, port: int) -> list[str]:
    """Every name is this machine."""
    return ["127.0.0.1"]


def http(body: bytes = b"", *headers: str, status: str = "200 OK") -> bytes:
    """Return a response with its length, and `headers` as whole lines."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def sends(*pieces: bytes) -> Answer:
    """Answer every request with the given bytes."""

    def answer(request: bytes, connection: socket.socket) -> None:
        for piece in pieces:
            connection.sendall(piece)

    return answer


class LoopbackServer:
    """Keeps each request's head in `requests`, and has the answer written by `answer`."""

    def __init__(self, answer: Answer, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[bytes] = []
        self._answer = answer
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._connections: list[socket.socket] = []
        self._threads: list[Thread] = []
        self._lock = Lock()
        self._closing = False
        self._start(self._accept)

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    @property
    def connections(self) -> int:
        return len(self._connections)

    def url(self, path: str = "/", host: str = "127.0.0.1", scheme: str = "http") -> str:
        return f"{scheme}://{host}:{self.port}{path}"

    def close(self) -> None:
        self._closing = True
        self._threads[0].join()
        with self._lock:
            for connection in self._connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads[1:]:
            thread.join()
        for connection in self._connections:
            connection.close()
        self._listener.close()

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        thread = Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._closing:
            if not select.select([self._listener], [], [], 0.02)[0]:
                continue
            connection, _ = self._listener.accept()
            with self._lock:
                self._connections.append(connection)
            self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError):
            if self._tls is not None:
                connection = self._encrypt(connection, self._tls)
            while request := _read_head(connection):
                self.requests.append(request)
                self._answer(request, connection)
        connection.close()

    def _encrypt(self, connection: socket.socket, tls: ssl.SSLContext) -> socket.socket:
        # Wrapping moves the file descriptor to another object, which is then the one to shut down.
        encrypted = tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        with self._lock:
            self._connections[self._connections.index(connection)] = encrypted
        encrypted.do_handshake()
        return encrypted


def speaks_no_tls(connection: socket.socket) -> None:
    """Answer whatever comes first with a response in plain text."""
    connection.recv(65_536)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def _read_head(connection: socket.socket) -> bytes:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = connection.recv(1)
        if not byte:
            return b""
        head += byte
    return head


@contextmanager
def serving(answer: Answer, tls: ssl.SSLContext | None = None) -> Iterator[LoopbackServer]:
    """Run a server for the length of a block."""
    server = LoopbackServer(answer, tls)
    try:
        yield server
    finally:
        server.close()


@contextmanager
def untouched() -> Iterator[int]:
    """Yield a port that is listened on, and assert afterwards that nothing ever connected."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]
        assert not select.select([listener], [], [], 0)[0], "a connection arrived"


@contextmanager
def one_connection(handle: Callable[[socket.socket], object], address: str = "127.0.0.1") -> Iterator[int]:
    """Yield a port on `address` whose first connection is given to `handle`, in a thread."""
    listener = socket.create_server((address, 0))

    def serve() -> None:
        with suppress(OSError):
            connection, _ = listener.accept()
            with connection:
                handle(connection)

    listener.settimeout(10)
    thread = Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        thread.join()
        listener.close()
