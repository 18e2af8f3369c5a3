"""The WSGI server, waitress, in every mode."""

import errno
import logging
import socket
import threading
import time
from typing import Any

from flask import Flask
from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.server import BaseWSGIServer, create_server
from waitress.task import ErrorTask

from api.problems import MEDIA_TYPE, problem_body

THREADS = 8
CONNECTIONS = 400
# Above the application's own limit, so that whoever sends a bit too much can read the answer to it.
BODY_LIMIT = 8_000_000
HEADER_LIMIT = 64 * 1024
IDLE_SECONDS = 60
DRAIN_SECONDS = 5.0
WAKE_SECONDS = 1.0


class _ProblemTask(ErrorTask):  # type: ignore[misc]
    """Answers what never reaches the application, such as a request that is not HTTP."""

    def execute(self) -> None:
        error = self.request.error
        body = problem_body(error.code, f"{error.reason}.").encode()
        self.status = f"{error.code} {error.reason}"
        self.response_headers.append(("Content-Type", MEDIA_TYPE))
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


class _Channel(HTTPChannel):  # type: ignore[misc]
    """A connection whose errors are problems."""

    error_task_class = _ProblemTask


class Server:
    """A server that is bound to its port; it answers from `start` until `stop`."""

    def __init__(self, app: Flask, host: str, port: int) -> None:
        self._map: dict[int, Any] = {}
        sockets = _bind(host, port)
        self.port = int(sockets[0].getsockname()[1])
        server = create_server(
            app,
            map=self._map,
            sockets=sockets,
            threads=THREADS,
            connection_limit=CONNECTIONS,
            max_request_body_size=BODY_LIMIT,
            max_request_header_size=HEADER_LIMIT,
            channel_timeout=IDLE_SECONDS,
            ident=None,
            asyncore_use_poll=True,
            clear_untrusted_proxy_headers=True,
        )
        self._dispatcher = server.task_dispatcher
        self._listeners = [item for item in self._map.values() if isinstance(item, BaseWSGIServer)]
        for listener in self._listeners:
            listener.channel_class = _Channel
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="http", daemon=True)

    def start(self) -> None:
        """Begin to answer, in a thread."""
        self._thread.start()

    def stop(self) -> None:
        """Take no more connections, finish the requests under way within five seconds, and close."""
        self._stopping.set()
        if self._thread.is_alive():
            self._listeners[0].pull_trigger()
            self._thread.join()
        self._close()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._poll(WAKE_SECONDS)
        for listener in self._listeners:
            listener.del_channel()
            listener.socket.close()
        deadline = time.monotonic() + DRAIN_SECONDS
        while self._is_busy() and time.monotonic() < deadline:
            self._poll(0.05)

    def _poll(self, seconds: float) -> None:
        wasyncore.loop(timeout=seconds, use_poll=True, map=self._map, count=1)

    def _is_busy(self) -> bool:
        channels = [item for item in self._map.values() if isinstance(item, HTTPChannel)]
        return any(channel.requests or channel.total_outbufs_len for channel in channels)

    def _close(self) -> None:
        self._dispatcher.shutdown(timeout=1)
        wasyncore.close_all(self._map, ignore_all=True)


def _bind(host: str, port: int) -> list[socket.socket]:
    """Bind every address that a host name stands for to the same port."""
    bound: list[socket.socket] = []
    try:
        for family, *_, address in socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        ):
            _bind_one(bound, family, str(address[0]), port)
        if not bound:
            raise OSError(errno.EADDRNOTAVAIL, f"no address of {host} can be listened on")
    except OSError:
        for taken in bound:
            taken.close()
        raise
    return bound


def _bind_one(bound: list[socket.socket], family: int, address: str, port: int) -> None:
    chosen = bound[0].getsockname()[1] if bound else port
    try:
        bound.append(socket.create_server((address, chosen), family=family))
    except OSError as error:
        # Names may have an IPv6 address where the kernel has no IPv6.
        if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
            raise


def serve(app: Flask, host: str, port: int) -> Server:
    """Bind a server for an application; port 0 takes any that is free. Raises OSError."""
    logging.getLogger("waitress").setLevel(logging.ERROR)
    return Server(app, host, port)
