"""libcurl's multi interface, driven without callbacks.

Each callback from libcurl takes the interpreter's lock, and a worker has other threads that want it too; so
there is none for sockets or timers, and libcurl acts on all its transfers in one call.
"""

import os
import select

import pycurl

# select(2) takes descriptors below 1,024 only. Connections, kept ones included, must leave room for others.
CONNECTIONS_KEPT = 300

Done = tuple[pycurl.Curl, int | None, str]
"""A handle whose transfer ended, with libcurl's error number (None for success) and words."""


class MultiLoop:
    """Transfers to hosts that are known to answer, and apart from them those to others.

    libcurl resolves names in a few threads for each of its multi handles, so that names for which no server
    answers could keep all others waiting.
    """

    def __init__(self, wake_up: int) -> None:
        self._multis = {True: _new_multi(), False: _new_multi()}
        self._wake_up = wake_up

    def add(self, handle: pycurl.Curl, *, known: bool) -> None:
        """Begin a transfer."""
        self._multis[known].add_handle(handle)

    def remove(self, handle: pycurl.Curl, *, known: bool) -> None:
        """Take a handle back whose transfer has ended."""
        self._multis[known].remove_handle(handle)

    def turn(self, pause: float) -> None:
        """Wait at most `pause` seconds for a socket or for the wake-up, then act on what can be.

        In this order what has ended is known when it returns, and never waits out the next pause; what was
        just added makes libcurl's own timeout 0.
        """
        readable, writable, broken = [self._wake_up], [], []
        for multi in self._multis.values():
            left = multi.timeout()
            if left >= 0:
                pause = min(pause, left / 1_000)
            to_read, to_write, to_watch = multi.fdset()
            readable += to_read
            writable += to_write
            broken += to_watch
        ready, _, _ = select.select(readable, writable, broken, pause)
        if self._wake_up in ready:
            os.eventfd_read(self._wake_up)
        for multi in self._multis.values():
            multi.perform()

    def done(self) -> list[Done]:
        """Return what has ended."""
        ended: list[Done] = []
        for multi in self._multis.values():
            more = 1
            while more:
                more, good, bad = multi.info_read()
                ended += [(handle, None, "") for handle in good]
                ended += bad
        return ended

    def close(self) -> None:
        """Close all connections; no handle may be in it any more."""
        for multi in self._multis.values():
            multi.close()


def _new_multi() -> pycurl.CurlMulti:
    multi = pycurl.CurlMulti()
    multi.setopt(pycurl.M_MAXCONNECTS, CONNECTIONS_KEPT)
    return multi
