"""The peer that cannot be beaten: libcurl's multi interface alone, so the sink's own limit."""

import time
from collections.abc import Callable

import pycurl

from core.signing import SymmetricKey, new_secret, parse_secret, sign

AT_ONCE = 100
_BODY = b"x" * 900
_HEADERS = ["Content-Type: application/json", "Expect:"]
_SELECT_SECONDS = 0.01

Prepare = Callable[[pycurl.Curl, int], None]


def bare_libcurl(url: str, count: int, *, signed: bool = False) -> float:
    """Return its POSTs per second, each `signed` as a webhook is or none; SystemExit when one fails."""
    prepare = _signing(parse_secret(new_secret())) if signed else _nothing
    multi, idle, begun, done = pycurl.CurlMulti(), _handles(url, min(AT_ONCE, count)), 0, 0
    started = time.perf_counter()
    while done < count:
        while idle and begun < count:
            handle = idle.pop()
            prepare(handle, begun)
            multi.add_handle(handle)
            begun += 1
        ended = _turn(multi)
        done += len(ended)
        idle += ended
    return count / (time.perf_counter() - started)


def _turn(multi: pycurl.CurlMulti) -> list[pycurl.Curl]:
    multi.perform()
    _more, good, bad = multi.info_read()
    if bad:
        raise SystemExit(f"libcurl failed: {bad[0][2]}")
    for handle in good:
        multi.remove_handle(handle)
    if not good:
        multi.select(_SELECT_SECONDS)
    return good


def _handles(url: str, count: int) -> list[pycurl.Curl]:
    handles = []
    for number in range(count):
        handle = pycurl.Curl()
        handle.setopt(pycurl.URL, f"{url}/bare/{number}")
        handle.setopt(pycurl.HTTPHEADER, [*_HEADERS, "webhook-id: x"])
        handle.setopt(pycurl.POSTFIELDS, _BODY)
        handles.append(handle)
    return handles


def _nothing(_handle: pycurl.Curl, _number: int) -> None:
    """Send the same again."""


def _signing(key: SymmetricKey) -> Prepare:
    def prepare(handle: pycurl.Curl, number: int) -> None:
        message_id, timestamp = f"msg_{number}", int(time.time())
        signature = sign(message_id, timestamp, _BODY, [key])
        headers = [
            *_HEADERS,
            f"webhook-id: {message_id}",
            f"webhook-timestamp: {timestamp}",
            f"webhook-signature: {signature}",
        ]
        handle.setopt(pycurl.HTTPHEADER, headers)

    return prepare
