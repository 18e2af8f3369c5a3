"""A receiver that answers 204 as fast as one Python process can, counting what arrives.

    python -m bench.sink PORT

`GET /count` answers with the number of POSTs so far and of distinct `webhook-id`s, `GET /reset` begins anew.
"""

import asyncio
import json
import sys

_ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"


class Sink:
    """What arrived."""

    def __init__(self) -> None:
        self.count = 0
        self.ids: set[bytes] = set()

    def report(self, path: bytes) -> bytes:
        """Return the counts, after which `/reset` begins anew."""
        body = json.dumps({"count": self.count, "distinct": len(self.ids)}).encode()
        if path == b"/reset":
            self.count, self.ids = 0, set()
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


class Conversation(asyncio.Protocol):
    """One connection, whose requests are whole and well formed."""

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
        answers = []
        while (answer := self._take_one()) is not None:
            answers.append(answer)
        if answers and self._transport:
            self._transport.write(b"".join(answers))

    def _take_one(self) -> bytes | None:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return None
        head = self._buffer[:end]
        if head.startswith(b"GET "):
            self._buffer = self._buffer[end + 4 :]
            return self._sink.report(head.split(b" ", 2)[1])
        length = int(_value(head, b"\r\nContent-Length: "))
        if len(self._buffer) < end + 4 + length:
            return None
        self._buffer = self._buffer[end + 4 + length :]
        self._sink.count += 1
        self._sink.ids.add(_value(head, b"\r\nwebhook-id: "))
        return _ANSWER


def _value(head: bytes, name: bytes) -> bytes:
    _before, _name, rest = head.partition(name)
    return rest.partition(b"\r\n")[0]


async def serve(port: int) -> None:
    """Serve until ended."""
    sink = Sink()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Conversation(sink), "127.0.0.1", port, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]) if len(sys.argv) > 1 else 0))
