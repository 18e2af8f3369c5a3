"""A server of very many feeds, each with an `ETag`.

    python -m bench.feed_server HOSTS

Listens on so many loopback addresses (`bench.feed_documents.address`), on one port, which it prints.
Whatever path ends with a number is answered with a feed, or with 304 to one who has its `ETag`. `/changed`
gives all feeds other ETags, and `/counts` says how many documents and 304s were sent.
"""

import asyncio
import json
import sys
from collections import Counter
from typing import Any

from bench.feed_documents import address, documents

_FEED = b'HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nETag: "%d"\r\nContent-Length: %d\r\n\r\n%b'
_NOT_MODIFIED = b'HTTP/1.1 304 Not Modified\r\nETag: "%d"\r\n\r\n'
_JSON = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b"


class Feeds:
    """What is served, and how often it was."""

    def __init__(self) -> None:
        self._documents = documents()
        self._tag = 1
        self._sent: Counter[str] = Counter(documents=0, not_modified=0)

    def answer(self, head: bytes) -> bytes:
        """Return the answer to a GET by its request line and headers."""
        path = head.split(b" ", 2)[1]
        if path == b"/changed":
            self._tag += 1
            return _json(self._tag)
        if path == b"/counts":
            return _json(self._sent)
        if b'\r\nif-none-match: "%d"' % self._tag in head.lower():
            self._sent["not_modified"] += 1
            return _NOT_MODIFIED % self._tag
        self._sent["documents"] += 1
        body = self._documents[int(path.rpartition(b"/")[2]) % len(self._documents)]
        return _FEED % (self._tag, len(body), body)


class Conversation(asyncio.Protocol):
    """One connection, whose requests have no body and are not sent before the last one's answer."""

    def __init__(self, feeds: Feeds) -> None:
        self._feeds = feeds
        self._head = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        if isinstance(transport, asyncio.Transport):
            self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer the request once it is complete."""
        self._head += data
        if self._transport and self._head.endswith(b"\r\n\r\n"):
            self._transport.write(self._feeds.answer(self._head))
            self._head = b""


def _json(value: Any) -> bytes:
    body = json.dumps(value).encode()
    return _JSON % (len(body), body)


async def serve(hosts: int) -> None:
    """Serve until ended."""
    loop, feeds = asyncio.get_running_loop(), Feeds()
    first = await loop.create_server(lambda: Conversation(feeds), address(0), 0, backlog=1024)
    port: int = first.sockets[0].getsockname()[1]
    others = [address(number) for number in range(1, hosts)]
    if others:
        await loop.create_server(lambda: Conversation(feeds), others, port)
    print(port, flush=True)
    await first.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
