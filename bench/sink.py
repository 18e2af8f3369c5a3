"""A receiver that answers 204 as fast as one Python process can, counting what arrives.

    python -m bench.sink [PORT] [--record]

`GET /count` answers with the number of POSTs answered so far and of distinct `webhook-id`s, `GET /reset`
begins anew. With `--record` it also keeps when each POST came (`GET /arrivals`), answers those to
`/wait/MS/…` that many milliseconds later, and those to `/hang/…` only on `GET /release`, and then with 500.
"""

import argparse
import asyncio
import json
import re
import time
from typing import Any

_ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"
_SORRY = b"HTTP/1.1 500 Released\r\nContent-Length: 0\r\n\r\n"
_ARTICLE = re.compile(rb'"article": ?\{"id": ?"([^"]*)"')


class Sink:
    """What arrived."""

    def __init__(self) -> None:
        self.count = 0
        self.ids: set[bytes] = set()

    def take(self, _transport: asyncio.Transport, head: bytes, _body: bytes) -> bytes:
        """Return what answers a POST at once."""
        self.count += 1
        self.ids.add(_value(head, b"\r\nwebhook-id: "))
        return _ANSWER

    def report(self, path: bytes) -> bytes:
        """Return what a GET asks for."""
        counts = {"count": self.count, "distinct": len(self.ids)}
        if path == b"/reset":
            self.count, self.ids = 0, set()
        return _json(counts)


class RecordingSink(Sink):
    """What arrived, and when: monotonic seconds, which all processes of a machine share."""

    def __init__(self) -> None:
        super().__init__()
        self._arrivals: list[tuple[float, str, str, str]] = []
        self._hanging: list[asyncio.Transport] = []

    def take(self, transport: asyncio.Transport, head: bytes, body: bytes) -> bytes:
        """Note a POST, and answer it when its path says."""
        now, path = time.monotonic(), head.split(b" ", 2)[1]
        found = _ARTICLE.search(body)
        message_id = _value(head, b"\r\nwebhook-id: ").decode()
        self._arrivals.append((now, path.decode(), message_id, found[1].decode() if found else ""))
        if path.startswith(b"/hang/"):
            self._hanging.append(transport)
            return b""
        answer = super().take(transport, head, body)
        if not path.startswith(b"/wait/"):
            return answer
        delay = int(path.split(b"/", 3)[2]) / 1_000
        asyncio.get_running_loop().call_later(delay, _write, transport, answer)
        return b""

    def report(self, path: bytes) -> bytes:
        """Return what a GET asks for."""
        if path == b"/arrivals":
            return _json(self._arrivals)
        if path == b"/release":
            return _json({"released": self._release()})
        if path == b"/reset":
            self._arrivals = []
        return super().report(path)

    def _release(self) -> int:
        hanging, self._hanging = self._hanging, []
        for transport in hanging:
            _write(transport, _SORRY)
        return len(hanging)


class Conversation(asyncio.Protocol):
    """One connection, whose requests are whole, well formed, and not sent before the last one's answer."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        if isinstance(transport, asyncio.Transport):
            self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every request that is complete."""
        self._buffer += data
        transport, answers = self._transport, []
        while transport and (answer := self._take_one(transport)) is not None:
            answers.append(answer)
        if transport and any(answers):
            transport.write(b"".join(answers))

    def _take_one(self, transport: asyncio.Transport) -> bytes | None:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return None
        head, start = self._buffer[:end], end + 4
        if head.startswith(b"GET "):
            self._buffer = self._buffer[start:]
            return self._sink.report(head.split(b" ", 2)[1])
        stop = start + int(_value(head, b"\r\nContent-Length: "))
        if len(self._buffer) < stop:
            return None
        body, self._buffer = self._buffer[start:stop], self._buffer[stop:]
        return self._sink.take(transport, head, body)


def _value(head: bytes, name: bytes) -> bytes:
    _before, _name, rest = head.partition(name)
    return rest.partition(b"\r\n")[0]


def _json(value: Any) -> bytes:
    body = json.dumps(value).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def _write(transport: asyncio.Transport, answer: bytes) -> None:
    if not transport.is_closing():
        transport.write(answer)


async def serve(port: int, sink: Sink) -> None:
    """Serve until ended."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Conversation(sink), "127.0.0.1", port, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main() -> None:
    """Serve as the command line says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("port", type=int, nargs="?", default=0)
    parser.add_argument("--record", action="store_true")
    given = parser.parse_args()
    asyncio.run(serve(given.port, RecordingSink() if given.record else Sink()))


if __name__ == "__main__":
    main()
