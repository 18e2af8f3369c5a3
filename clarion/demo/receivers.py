"""What the demonstration sends to: a webhook receiver that checks signatures, and a mailbox."""

import email
import email.policy
import hmac
import json
import re
import socket
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty, SimpleQueue
from typing import Any

import requests
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from clarion.demo.feed import render_feed
from core.signing import parse_secret, sign

LOOK_SECONDS = 0.2  # a signal wakes nobody who waits for a queue

Arrived = Callable[[str, str], None]
"""Is told the channel's name and the title of the article that arrived."""


class LocalSite:
    """Serves the sample feed and takes webhooks, on a free port of this machine."""

    def __init__(self, arrived: Arrived) -> None:
        self._arrived = arrived
        self._secrets: dict[str, str] = {}
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 10

            def do_GET(self) -> None:
                body = render_feed(site.url, datetime.now(UTC))
                self.send_response(200 if self.path == "/feed.xml" else 404)
                self.send_header("Content-Type", "application/rss+xml")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.send_response(site.take(self.path.strip("/"), dict(self.headers.items()), body))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Say nothing: what arrives is printed elsewhere."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, name="demo site", daemon=True)

    @property
    def url(self) -> str:
        """The site's address."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def expect(self, name: str, secret: str) -> None:
        """Know the secret with which webhooks to `/name` are signed."""
        self._secrets[name] = secret

    def take(self, name: str, headers: dict[str, str], body: bytes) -> int:
        """Check one webhook's signature; return the status to answer with."""
        known = {header.lower(): value for header, value in headers.items()}
        secret = self._secrets.get(name)
        if secret is None:
            return 404
        message_id, timestamp = known.get("webhook-id", ""), known.get("webhook-timestamp", "0")
        expected = sign(message_id, int(timestamp), body, [parse_secret(secret)])
        if not hmac.compare_digest(expected, known.get("webhook-signature", "")):
            return 401
        self._arrived(name, json.loads(body)["data"]["article"]["title"])
        return 204

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._server.shutdown()
        self._server.server_close()


class LocalMailbox:
    """An SMTP server that keeps nothing and tells what arrived, on a free port of this machine.

    Of a mail that asks for consent it notes the link.
    """

    def __init__(self, arrived: Arrived) -> None:
        self._arrived = arrived
        self._links: SimpleQueue[str] = SimpleQueue()
        self._port = _free_port()
        self._controller = Controller(self, hostname="127.0.0.1", port=self._port)

    async def handle_DATA(  # noqa: N802 (aiosmtpd's name)
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        """Take a mail."""
        content = envelope.content or b""
        raw = content.encode() if isinstance(content, str) else content
        message = email.message_from_bytes(raw, policy=email.policy.default)
        if message["List-Unsubscribe"] is None:
            self._links.put(_link_in(message))
        else:
            self._arrived(envelope.rcpt_tos[0], str(message["Subject"]))
        return "250 Taken"

    def confirm(self, stop: threading.Event, patience_seconds: float) -> bool:
        """Agree to what the next mail asks, as its reader would; False when none comes, or `stop` is set."""
        deadline = time.monotonic() + patience_seconds
        while not stop.is_set() and time.monotonic() < deadline:
            try:
                link = self._links.get(timeout=LOOK_SECONDS)
            except Empty:
                continue
            return requests.post(link, timeout=10).ok
        return False

    @property
    def url(self) -> str:
        """The value of `CLARION_SMTP_URL` for this server."""
        return f"smtp://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Begin to take mail."""
        self._controller.start()

    def stop(self) -> None:
        """End."""
        self._controller.stop()


def _link_in(message: EmailMessage) -> str:
    text = message.get_body(("plain",))
    found = re.search(r"http://\S+/mail/confirm/\S+", text.get_content()) if text else None
    return found[0] if found else ""


def _free_port() -> int:
    # aiosmtpd connects to the port it was given to see that it runs, so it cannot be given 0.
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port
