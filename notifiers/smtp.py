"""Handing mail to an SMTP server, over connections that are kept for the next one."""

import re
import smtplib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

TIMEOUT_SECONDS = 15.0
DEFAULT_PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}
MESSAGES_PER_CONNECTION = 100  # servers take few more before they answer 421
IDLE_SECONDS = 60.0  # servers wait 5 minutes (RFC 5321, section 4.5.3.2.7), firewalls often less
NOOP_AFTER_SECONDS = 5.0

_START_DATA = 354
_CLOSING = 421
_DOT = re.compile(rb"(?m)^\.")


@dataclass(slots=True)
class _Connection:
    server: smtplib.SMTP
    taken: int = 0
    idle_since: float = 0.0


class _Lost(Exception):
    """A connection ended before the server had all of a mail, so that it may be sent over another."""


class SmtpTransport:
    """The server of a URL: `smtp://` (STARTTLS when offered), `smtp+starttls://` (STARTTLS required) or
    `smtps://`, with `user:password@` where the server wants it.

    Safe to call from many threads: each has a connection to itself while it sends. A connection takes 100
    mails, is closed after idling for a minute, and is asked whether it still lives after five seconds.
    """

    def __init__(self, smtp_url: str, monotonic: Callable[[], float] = time.monotonic) -> None:
        parts = urlsplit(smtp_url)
        self._scheme, self._host = parts.scheme, parts.hostname or "127.0.0.1"
        self._port = parts.port or DEFAULT_PORTS[parts.scheme]
        self._user, self._password = unquote(parts.username or ""), unquote(parts.password or "")
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._idle: list[_Connection] = []

    def send(self, sender: str, recipient: str, content: bytes) -> None:
        """Hand over a mail, whose lines end with CRLF; raises smtplib's errors and OSError.

        A kept connection that turns out to have ended, also by a 421, is replaced by a fresh one, once.
        """
        kept = self._take()
        if kept is not None and self._try_over(kept, sender, recipient, content) is None:
            return
        problem = self._try_over(self._open(), sender, recipient, content)
        if problem is not None:
            raise problem

    def check(self) -> None:
        """Connect and log in, without sending; raises smtplib's errors and OSError."""
        _leave(self._open())

    def close(self) -> None:
        """Take leave of the server on every connection that is idle."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            _leave(connection)

    def __del__(self) -> None:
        for connection in self._idle:
            connection.server.close()

    def _open(self) -> _Connection:
        server = _connection(self._scheme, self._host, self._port)
        try:
            # A mail is a dialogue of short lines, each of which would wait for the last one's receipt.
            if server.sock is not None:
                server.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _secure(server, self._scheme)
            if self._user:
                server.login(self._user, self._password)
        except BaseException:
            server.close()
            raise
        return _Connection(server)

    def _take(self) -> _Connection | None:
        """Return the connection used last, so that those not needed any more become idle and are closed."""
        now = self._monotonic()
        with self._lock:
            fresh = [one for one in self._idle if now - one.idle_since < IDLE_SECONDS]
            stale = [one for one in self._idle if now - one.idle_since >= IDLE_SECONDS]
            connection = fresh.pop() if fresh else None
            self._idle = fresh
        for one in stale:
            _leave(one)
        if connection is not None and now - connection.idle_since >= NOOP_AFTER_SECONDS:
            return connection if _lives(connection) else None
        return connection

    def _try_over(
        self, connection: _Connection, sender: str, recipient: str, content: bytes
    ) -> BaseException | None:
        """Send, and return what ended the connection if it did so before the server had the mail."""
        try:
            self._send_over(connection, sender, recipient, content)
        except _Lost as lost:
            return lost.__cause__
        return None

    def _send_over(self, connection: _Connection, sender: str, recipient: str, content: bytes) -> None:
        try:
            _transact(connection.server, sender, recipient, content)
        except smtplib.SMTPNotSupportedError:
            self._put_back(connection)
            raise
        except (smtplib.SMTPResponseException, smtplib.SMTPRecipientsRefused) as error:
            self._after_refusal(connection, error)
            raise
        except BaseException:
            connection.server.close()
            raise
        self._put_back(connection)

    def _after_refusal(self, connection: _Connection, error: smtplib.SMTPException) -> None:
        """Make ready for the next mail; raises _Lost where the server has had enough of this connection."""
        if _code_of(error) == _CLOSING:
            connection.server.close()
            raise _Lost from error
        try:
            connection.server.rset()
        except (smtplib.SMTPException, OSError):
            connection.server.close()
            return
        self._put_back(connection)

    def _put_back(self, connection: _Connection) -> None:
        connection.taken += 1
        if connection.taken >= MESSAGES_PER_CONNECTION:
            _leave(connection)
            return
        connection.idle_since = self._monotonic()
        with self._lock:
            self._idle.append(connection)


def _connection(scheme: str, host: str, port: int) -> smtplib.SMTP:
    if scheme == "smtps":
        context = ssl.create_default_context()
        return smtplib.SMTP_SSL(host, port, timeout=TIMEOUT_SECONDS, context=context)
    return smtplib.SMTP(host, port, timeout=TIMEOUT_SECONDS)


def _secure(server: smtplib.SMTP, scheme: str) -> None:
    server.ehlo()
    if scheme == "smtps":
        return
    if server.has_extn("starttls"):
        server.starttls(context=ssl.create_default_context())
        server.ehlo()
    elif scheme == "smtp+starttls":
        raise smtplib.SMTPNotSupportedError("the server offers no STARTTLS, so nothing was sent")


def _transact(server: smtplib.SMTP, sender: str, recipient: str, content: bytes) -> None:
    options = _options(server, sender, recipient, content)
    try:
        code, words = server.mail(sender, options)
        if code != 250:
            raise smtplib.SMTPSenderRefused(code, words, sender)
        code, words = server.rcpt(recipient)
        if code not in (250, 251):
            raise smtplib.SMTPRecipientsRefused({recipient: (code, words)})
        code, words = server.docmd("DATA")
        if code != _START_DATA:
            raise smtplib.SMTPDataError(code, words)
    except (smtplib.SMTPServerDisconnected, OSError) as error:
        if isinstance(error, smtplib.SMTPException) and not isinstance(error, smtplib.SMTPServerDisconnected):
            raise
        raise _Lost from error
    server.send(_DOT.sub(b"..", content) + (b".\r\n" if content.endswith(b"\r\n") else b"\r\n.\r\n"))
    code, words = server.getreply()
    if code != 250:
        raise smtplib.SMTPDataError(code, words)


def _options(server: smtplib.SMTP, sender: str, recipient: str, content: bytes) -> Sequence[str]:
    """Return the parameters of MAIL; raises SMTPNotSupportedError for addresses the server cannot take."""
    if (sender + recipient).isascii():
        return (f"SIZE={len(content)}",) if server.has_extn("size") else ()
    if not server.has_extn("smtputf8"):
        raise smtplib.SMTPNotSupportedError("the server takes no addresses beyond ASCII (SMTPUTF8)")
    server.command_encoding = "utf-8"
    return ("SMTPUTF8", "BODY=8BITMIME")


def _code_of(error: smtplib.SMTPException) -> int:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return next(iter(error.recipients.values()))[0]
    return error.smtp_code if isinstance(error, smtplib.SMTPResponseException) else 0


def _lives(connection: _Connection) -> bool:
    with suppress(smtplib.SMTPException, OSError):
        if connection.server.noop()[0] == 250:
            return True
    connection.server.close()
    return False


def _leave(connection: _Connection) -> None:
    with suppress(smtplib.SMTPException, OSError):
        connection.server.quit()  # whatever it answers, what it has taken it has
    connection.server.close()
