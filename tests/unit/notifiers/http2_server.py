"""A server that speaks HTTP/2 only (RFC 9113), over TLS."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Lock, Thread

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import StreamEnded

from tests.certificates import Certificate


class Http2Server:
    """Answers 204 as soon as `together` requests of one connection wait for an answer."""

    def __init__(self, context: ssl.SSLContext, listener: socket.socket) -> None:
        self.together = 1
        self.connections = 0
        self.answered = 0
        self._context, self._listener = context, listener
        self._lock = Lock()
        self._open: list[ssl.SSLSocket] = []
        Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"https://127.0.0.1:{self._listener.getsockname()[1]}"

    def close(self) -> None:
        """Close the listener and every connection."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        for connected in self._open:
            with suppress(OSError):
                connected.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                accepted = self._listener.accept()[0]
                connected = self._context.wrap_socket(
                    accepted, server_side=True, do_handshake_on_connect=False
                )
                self._open.append(connected)
                Thread(target=self._serve, args=(connected,), daemon=True).start()

    def _serve(self, connected: ssl.SSLSocket) -> None:
        with suppress(OSError), connected:
            connected.do_handshake()
            assert connected.selected_alpn_protocol() == "h2"
            with self._lock:
                self.connections += 1
            self._converse(connected)

    def _converse(self, connected: ssl.SSLSocket) -> None:
        http = H2Connection(H2Configuration(client_side=False))
        http.initiate_connection()
        connected.sendall(http.data_to_send())
        waiting: list[int] = []
        while data := connected.recv(65_536):
            events = http.receive_data(data)
            waiting += [event.stream_id for event in events if isinstance(event, StreamEnded)]
            if len(waiting) >= self.together:
                self._answer(http, waiting)
                waiting.clear()
            connected.sendall(http.data_to_send())

    def _answer(self, http: H2Connection, streams: list[int]) -> None:
        for stream in streams:
            http.send_headers(stream, [(":status", "204")], end_stream=True)
        with self._lock:
            self.answered += len(streams)


@contextmanager
def http2_server(certificate: Certificate) -> Iterator[Http2Server]:
    """Run one."""
    context = certificate.server_context()
    context.set_alpn_protocols(["h2"])
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        server = Http2Server(context, listener)
        yield server
        server.close()
