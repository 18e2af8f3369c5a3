"""Requests, and how they are read off a connection (RFC 9112)."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class Request:
    """A request as it arrived; header fields keep their order and case, `at` is seconds since the epoch."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    at: float

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    def header(self, name: str) -> str | None:
        """Return the first field of this name, in any case."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def json(self) -> Any:
        """Return the body, parsed."""
        return json.loads(self.body)


class _Stream(Protocol):
    def readline(self) -> bytes: ...
    def read(self, size: int) -> bytes: ...


def read_request(stream: _Stream, send: Callable[[bytes], None]) -> Request | None:
    """Return the next request of a connection, or None at its end; raises ValueError for what is none."""
    first = stream.readline()
    if not first:
        return None
    method, target, _ = first.decode("latin-1").split(" ", 2)
    headers = tuple(_read_headers(stream))
    known = {name.lower(): value for name, value in headers}
    if known.get("expect", "").lower() == "100-continue":
        send(b"HTTP/1.1 100 Continue\r\n\r\n")
    return Request(method, target, headers, _read_body(stream, known), time.time())


def _read_headers(stream: _Stream) -> Iterator[tuple[str, str]]:
    while line := stream.readline().rstrip(b"\r\n"):
        name, _, value = line.decode("latin-1").partition(":")
        yield name, value.strip()


def _read_body(stream: _Stream, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding", "").lower() != "chunked":
        return _read_exactly(stream, int(headers.get("content-length", 0)))
    pieces = []
    while size := int(stream.readline().partition(b";")[0], 16):
        pieces.append(_read_exactly(stream, size))
        stream.readline()
    stream.readline()
    return b"".join(pieces)


def _read_exactly(stream: _Stream, size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise ConnectionAbortedError
    return data
