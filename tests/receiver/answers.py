"""How the receiver answers: properly, slowly, endlessly, or not at all."""

import socket
import struct
import threading
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from typing import Protocol

_BLOCK = 64 * 1024


class Connection:
    """A client's connection, as an answer may use it."""

    def __init__(self, sock: socket.socket, closing: threading.Event) -> None:
        self._socket = sock
        self.closing = closing

    def send(self, data: bytes) -> None:
        """Send all of it; raises OSError once either side is gone."""
        self._socket.sendall(data)

    def wait(self, event: threading.Event) -> None:
        """Wait until the event is set; raises ConnectionAbortedError where the server closes before."""
        while not event.wait(0.02):
            if self.closing.is_set():
                raise ConnectionAbortedError

    def pause(self, seconds: float) -> None:
        """Let time pass; raises ConnectionAbortedError where the server closes before."""
        if self.closing.wait(seconds):
            raise ConnectionAbortedError

    def reset_on_close(self) -> None:
        """Make closing send RST instead of FIN (socket(7), SO_LINGER)."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class Answer(Protocol):
    """How a request is answered."""

    def play(self, connection: Connection) -> bool:
        """Answer, and return whether the connection goes on."""


@dataclass(frozen=True)
class Respond:
    """A proper response, once `after` is set, where given."""

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    after: threading.Event | None = None
    chunked: bool = False

    @cached_property
    def _bytes(self) -> bytes:
        framing = "Transfer-Encoding: chunked" if self.chunked else f"Content-Length: {len(self.body)}"
        head = [_status_line(self.status), *(f"{name}: {value}" for name, value in self.headers), framing]
        return "\r\n".join([*head, "", ""]).encode("latin-1") + self._payload()

    def _payload(self) -> bytes:
        if not self.chunked:
            return self.body
        pieces = [self.body[start : start + 8] for start in range(0, len(self.body), 8)]
        return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in [*pieces, b""])

    def play(self, connection: Connection) -> bool:
        """Answer, and keep the connection."""
        if self.after:
            connection.wait(self.after)
        connection.send(self._bytes)
        return True


def redirect(location: str, status: int = 302) -> Respond:
    """Send the client elsewhere."""
    return Respond(status, headers=(("Location", location),))


@dataclass(frozen=True)
class Drip:
    """A response whose body comes byte by byte, each `interval` seconds after the one before."""

    body: bytes
    interval: float = 0.05
    status: int = 200

    def play(self, connection: Connection) -> bool:
        """Answer slowly, and keep the connection."""
        connection.send(f"{_status_line(self.status)}\r\nContent-Length: {len(self.body)}\r\n\r\n".encode())
        for byte in self.body:
            connection.pause(self.interval)
            connection.send(bytes([byte]))
        return True


@dataclass(frozen=True)
class Raw:
    """Whatever bytes, after which the connection is closed."""

    data: bytes

    def play(self, connection: Connection) -> bool:
        """Send them."""
        connection.send(self.data)
        return False


@dataclass(frozen=True)
class Endless:
    """A beginning, then the same bytes again and again until the client has had enough.

    The defaults are a response whose headers never end.
    """

    beginning: bytes = b"HTTP/1.1 200 OK\r\n"
    repeated: bytes = b"X-Filler: " + b"x" * 500 + b"\r\n"

    def play(self, connection: Connection) -> bool:
        """Send until it fails."""
        connection.send(self.beginning)
        block = self.repeated * max(1, _BLOCK // len(self.repeated))
        while not connection.closing.is_set():
            connection.send(block)
        return False


def endless_body(status: int = 200) -> Endless:
    """Answer with a body that does not end."""
    return Endless(f"{_status_line(status)}\r\nConnection: close\r\n\r\n".encode(), b"x" * 1024)


@dataclass(frozen=True)
class Hang:
    """No answer: the connection stays open until the receiver closes."""

    def play(self, connection: Connection) -> bool:
        """Wait for the end."""
        connection.closing.wait()
        return False


@dataclass(frozen=True)
class Reset:
    """No answer: the connection is reset."""

    def play(self, connection: Connection) -> bool:
        """Have the connection closed with RST."""
        connection.reset_on_close()
        return False


@dataclass(frozen=True)
class Close:
    """No answer: the connection is closed."""

    def play(self, connection: Connection) -> bool:
        """Have the connection closed."""
        return False


def _status_line(status: int) -> str:
    try:
        return f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"HTTP/1.1 {status} "
