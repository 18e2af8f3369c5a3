"""Reading bodies that may be endless, compressed beyond measure, or sent one byte at a time."""

import time

import requests

from core.egress.connections import GuardedConnection
from core.egress.errors import TooLarge

_PIECE = 65_536
_HEAD_ROOM = 65_536
# Chunks of one byte, the most wasteful framing that is still a server's own, are six bytes each.
_FRAMING = 6


def read_capped(response: requests.Response, limit_bytes: int, deadline: float) -> bytes:
    """Return the body of a streamed response, decompressed, of at most `limit_bytes`.

    `deadline` is in monotonic seconds and holds for the body as a whole. The response is closed unless its
    body was read to the end. Raises TooLarge and requests.RequestException, Timeout among them.
    """
    try:
        _check_announced(response, limit_bytes)
        connection = getattr(response.raw, "connection", None)
        if isinstance(connection, GuardedConnection):
            connection.read_until(deadline, limit_bytes * _FRAMING + _HEAD_ROOM)
        return _read(response, limit_bytes, deadline)
    except BaseException:
        response.close()
        raise


def _check_announced(response: requests.Response, limit_bytes: int) -> None:
    announced = response.headers.get("Content-Length", "")
    if announced.isdecimal() and (len(announced) > 18 or int(announced) > limit_bytes):
        raise TooLarge(f"the answer announces {announced[:19]} bytes, {limit_bytes:,} are read at most")


def _read(response: requests.Response, limit_bytes: int, deadline: float) -> bytes:
    body = bytearray()
    for piece in response.iter_content(_PIECE):
        body += piece
        if len(body) > limit_bytes:
            raise TooLarge(f"the answer is longer than {limit_bytes:,} bytes")
        if time.monotonic() > deadline:
            raise requests.ReadTimeout("the answer took too long", response=response)
    return bytes(body)
