"""An SMTP server that keeps what it is sent, and refuses what a test wants refused."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default as default_policy
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from tests.certificates import Certificate
from tests.servers import free_port
from tests.servers.process import Startable

DROP = "drop"
"""An answer that is none: the connection is cut instead."""


@dataclass(frozen=True)
class Mail:
    """A message as it was handed over; `at` is seconds since the epoch, `encrypted` whether TLS was on."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes
    at: float
    encrypted: bool
    user: str | None

    @property
    def message(self) -> EmailMessage:
        """The content, parsed."""
        return message_from_bytes(self.content, policy=default_policy)


@dataclass
class _Scripted:
    reply: str
    recipient: str | None
    times: float


class Mailbox(Startable):
    """The server, running inside a `with` block.

    With a certificate it offers STARTTLS; with `login` it demands it of clients, and names user and password.
    """

    def __init__(self, certificate: Certificate | None = None, login: tuple[str, str] | None = None) -> None:
        self.certificate = certificate
        self.port = free_port()
        self._login = login
        self._changed = threading.Condition()
        self._mails: list[Mail] = []
        self._scripts: dict[str, list[_Scripted]] = {}
        self._controller: Controller | None = None

    @property
    def url(self) -> str:
        """Its address as an SMTP URL, without credentials."""
        return f"smtp://127.0.0.1:{self.port}"

    @property
    def mails(self) -> list[Mail]:
        """All that was accepted, in order."""
        with self._changed:
            return list(self._mails)

    def mails_for(self, recipient: str) -> list[Mail]:
        """Return what was accepted for one address."""
        return [mail for mail in self.mails if recipient in mail.recipients]

    def answer(
        self, command: str, reply: str, *, recipient: str | None = None, times: float = float("inf")
    ) -> None:
        """Answer a command (MAIL, RCPT or DATA) so, for one recipient and so many times where given.

        A reply is a line such as `451 4.3.0 Try again later`, or DROP.
        """
        with self._changed:
            self._scripts.setdefault(command, []).append(_Scripted(reply, recipient, times))

    def wait_for(self, count: int, timeout: float = 10) -> list[Mail]:
        """Return what was accepted once there are `count`; raises AssertionError."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._mails) >= count, timeout)
            assert len(self._mails) >= count, f"{len(self._mails)} of {count} mails arrived in {timeout} s"
            return list(self._mails)

    def start(self) -> None:
        """Listen, again at the same port after `stop`."""
        options: dict[str, Any] = {}
        if self.certificate:
            options["tls_context"] = self.certificate.server_context()
        if self._login:
            options |= {
                "authenticator": self._authenticate,
                "auth_required": True,
                "auth_require_tls": self.certificate is not None,
            }
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port, **options)
        self._controller.start()

    def stop(self) -> None:
        """Close every connection and refuse new ones; what was accepted stays."""
        if self._controller:
            self._controller.stop()
            self._controller = None

    def close(self) -> None:
        """Stop it for good."""
        self.stop()

    async def handle_MAIL(
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        """Take the sender (hook of aiosmtpd)."""
        refusal = self._scripted(server, "MAIL", [])
        if refusal is None:
            envelope.mail_from = address
            envelope.mail_options.extend(options)
        return refusal or "250 2.1.0 OK"

    async def handle_RCPT(
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        """Take a recipient (hook of aiosmtpd)."""
        refusal = self._scripted(server, "RCPT", [address])
        if refusal is None:
            envelope.rcpt_tos.append(address)
        return refusal or "250 2.1.5 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        """Take a message (hook of aiosmtpd)."""
        refusal = self._scripted(server, "DATA", envelope.rcpt_tos)
        if refusal is None:
            self._keep(session, envelope)
        return refusal or "250 2.0.0 OK"

    def _keep(self, session: Any, envelope: Any) -> None:
        user = session.auth_data.login.decode() if session.auth_data else None
        mail = Mail(
            envelope.mail_from,
            tuple(envelope.rcpt_tos),
            bytes(envelope.content),
            time.time(),
            session.ssl is not None,
            user,
        )
        with self._changed:
            self._mails.append(mail)
            self._changed.notify_all()

    def _scripted(self, server: Any, command: str, recipients: list[str]) -> str | None:
        with self._changed:
            for scripted in self._scripts.get(command, []):
                if scripted.times > 0 and (scripted.recipient is None or scripted.recipient in recipients):
                    scripted.times -= 1
                    break
            else:
                return None
        if scripted.reply == DROP:
            server.transport.abort()
        return scripted.reply

    def _authenticate(
        self, server: Any, session: Any, envelope: Any, mechanism: str, data: LoginPassword
    ) -> AuthResult:
        accepted = (data.login.decode(), data.password.decode()) == self._login
        return AuthResult(success=accepted, handled=accepted, auth_data=data)


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    """A mail server without TLS or login."""
    with Mailbox() as running:
        yield running


@pytest.fixture
def tls_mailbox(certificate: Certificate) -> Iterator[Mailbox]:
    """A mail server that offers STARTTLS, and demands the login `clarion`, `swordfish`."""
    with Mailbox(certificate, ("clarion", "swordfish")) as running:
        yield running
