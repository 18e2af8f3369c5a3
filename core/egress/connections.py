"""HTTP connections that dial through the guard, and whose answers must arrive by a moment, in bounds.

A socket's timeout starts anew with each byte that arrives, so a server that sends one now and then could
hold a thread for ever; what is read here has a deadline for the whole.
"""

import http.client
import io
import socket
import time
from typing import Any, ClassVar

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from core.egress.dialing import Dialer
from core.egress.errors import BlockedAddress, TooLarge

CONNECT_SECONDS = 10.0
READ_SECONDS = 30.0
HEAD_BYTES = 1_000_000


class BoundedReader(io.RawIOBase):
    """Reads a socket until a moment, and so many bytes, whatever the number of reads.

    Raises TimeoutError after `deadline` (monotonic seconds) and TooLarge past `allowance` bytes.
    """

    def __init__(self, source: io.RawIOBase, sock: socket.socket, deadline: float, allowance: int) -> None:
        super().__init__()
        self.deadline = deadline
        self.allowance = allowance
        self._source = source
        self._sock = sock

    def readable(self) -> bool:
        """Return True: that is all it can do."""
        return True

    def fileno(self) -> int:
        """Return the socket's file descriptor."""
        return self._source.fileno()

    def readinto(self, buffer: Any) -> int | None:
        """Read what has arrived, waiting for the first byte no longer than until the deadline."""
        if self.allowance <= 0:
            raise TooLarge("the answer is longer than what is read of it")
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer took too long")
        self._sock.settimeout(left)
        count = self._source.readinto(memoryview(buffer)[: self.allowance])
        self.allowance -= count or 0
        return count

    def close(self) -> None:
        """Close the socket's file as well."""
        if not self.closed:
            self._source.close()
        super().close()


class GuardedConnection(HTTPConnection):
    """A connection to an address that was judged as it was dialled; the host name stays what it was."""

    dialer: ClassVar[Dialer]
    _reader: BoundedReader | None = None

    def read_until(self, deadline: float, allowance: int) -> None:
        """Set by when, and how many bytes of, the rest of the present answer is read."""
        if self._reader is not None:
            self._reader.deadline = deadline
            self._reader.allowance = allowance

    def _new_conn(self) -> socket.socket:
        seconds = self.timeout if isinstance(self.timeout, int | float) else CONNECT_SECONDS
        try:
            return self.dialer.connect(self.host, self.port, seconds, self.socket_options or ())
        except BlockedAddress as error:
            raise NewConnectionError(self, str(error)) from error
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        except TimeoutError as error:
            raise ConnectTimeoutError(self, f"{self.host} did not answer in {seconds:g} s") from error
        except OSError as error:
            raise NewConnectionError(self, f"cannot connect to {self.host}: {error}") from error

    def response_class(  # type: ignore[override]
        self, sock: socket.socket, *args: Any, **kwargs: Any
    ) -> http.client.HTTPResponse:
        """Make the standard library's response over a bounded reader; the read timeout holds for its head."""
        response = http.client.HTTPResponse(sock, *args, **kwargs)
        deadline = time.monotonic() + (sock.gettimeout() or READ_SECONDS)
        self._reader = BoundedReader(response.fp.detach(), sock, deadline, HEAD_BYTES)
        response.fp = io.BufferedReader(self._reader)
        return response


def pool_classes(guard: Dialer) -> dict[str, type[HTTPConnectionPool]]:
    """Return the pools, by scheme, whose connections all dial through `guard`."""

    class Plain(GuardedConnection):
        dialer = guard

    class Encrypted(GuardedConnection, HTTPSConnection):
        dialer = guard

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class EncryptedPool(HTTPSConnectionPool):
        ConnectionCls = Encrypted

    return {"http": PlainPool, "https": EncryptedPool}
