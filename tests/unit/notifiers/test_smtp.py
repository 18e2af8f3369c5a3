"""Connections to the mail server: kept for the next mail, and replaced when they have ended."""

import asyncio
import smtplib
import socket
from typing import Any

import pytest

from notifiers import smtp
from notifiers.smtp import IDLE_SECONDS, MESSAGES_PER_CONNECTION, NOOP_AFTER_SECONDS, SmtpTransport
from tests.mailbox import DROP, Mailbox

MAIL = b"Subject: hello\r\n\r\nhello\r\n"


class CountingMailbox(Mailbox):
    """A mail server that counts connections and NOOPs, and takes so many mails over one connection."""

    def __init__(self, most: int | None = None) -> None:
        super().__init__()
        self.most = most
        self.connections: list[Any] = []
        self.noops = 0

    async def handle_EHLO(
        self, server: Any, session: Any, envelope: Any, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        self.connections.append(session)
        session.mails = 0
        return responses

    async def handle_NOOP(self, server: Any, session: Any, envelope: Any, arg: str) -> str:
        self.noops += 1
        return "250 2.0.0 OK"

    async def handle_MAIL(
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        session.mails += 1
        if self.most is not None and session.mails > self.most:
            return "421 4.7.0 Too many messages for this connection"
        return await super().handle_MAIL(server, session, envelope, address, options)


class Time:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def send(transport: SmtpTransport, count: int = 1) -> None:
    for _ in range(count):
        transport.send("news@example.com", "reader@example.org", MAIL)


def test_one_connection_takes_many_mails() -> None:
    with CountingMailbox() as mailbox:
        transport = SmtpTransport(mailbox.url)
        send(transport, 5)
        transport.close()
        assert (len(mailbox.mails), len(mailbox.connections)) == (5, 1)
        assert mailbox.mails[0].content == MAIL


def test_lines_are_sent_without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    options: list[tuple[int, int, int]] = []
    original = socket.socket.setsockopt

    def note(self: socket.socket, *option: int) -> None:
        options.append(option)  # type: ignore[arg-type]
        original(self, *option)

    with CountingMailbox() as mailbox:
        monkeypatch.setattr(socket.socket, "setsockopt", note)
        transport = SmtpTransport(mailbox.url)
        send(transport)
        transport.close()
    assert (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1) in options


def test_a_connection_takes_only_so_many() -> None:
    with CountingMailbox() as mailbox:
        transport = SmtpTransport(mailbox.url)
        send(transport, MESSAGES_PER_CONNECTION + 1)
        transport.close()
        assert len(mailbox.connections) == 2


def test_a_connection_that_rested_is_asked_whether_it_lives() -> None:
    time = Time()
    with CountingMailbox() as mailbox:
        transport = SmtpTransport(mailbox.url, time)
        send(transport)
        time.now += NOOP_AFTER_SECONDS - 0.1
        send(transport)
        assert mailbox.noops == 0
        time.now += NOOP_AFTER_SECONDS
        send(transport)
        transport.close()
        assert (mailbox.noops, len(mailbox.connections)) == (1, 1)


def test_a_connection_that_rested_too_long_is_given_up() -> None:
    time = Time()
    with CountingMailbox() as mailbox:
        transport = SmtpTransport(mailbox.url, time)
        send(transport)
        time.now += IDLE_SECONDS
        send(transport)
        transport.close()
        assert (mailbox.noops, len(mailbox.connections), len(mailbox.mails)) == (0, 2, 2)


@pytest.mark.parametrize("rested", [0, NOOP_AFTER_SECONDS])
def test_a_connection_that_the_server_has_closed_is_replaced(rested: float) -> None:
    time = Time()
    with CountingMailbox() as mailbox:
        transport = SmtpTransport(mailbox.url, time)
        send(transport)
        mailbox.stop()
        mailbox.start()
        time.now += rested
        send(transport)
        transport.close()
        assert len(mailbox.mails) == 2


def test_a_421_after_some_mails_costs_no_mail() -> None:
    with CountingMailbox(most=2) as mailbox:
        transport = SmtpTransport(mailbox.url)
        send(transport, 5)
        transport.close()
        assert (len(mailbox.mails), len(mailbox.connections)) == (5, 3)


def test_a_421_at_once_is_told() -> None:
    with CountingMailbox(most=0) as mailbox:
        with pytest.raises(smtplib.SMTPSenderRefused) as caught:
            send(SmtpTransport(mailbox.url))
        assert caught.value.smtp_code == 421
        assert len(mailbox.connections) == 1


def test_what_a_server_refuses_costs_the_next_mail_nothing() -> None:
    with CountingMailbox() as mailbox:
        mailbox.answer("RCPT", "550 5.1.1 No such user", times=1)
        transport = SmtpTransport(mailbox.url)
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            send(transport)
        send(transport)
        transport.close()
        assert (len(mailbox.mails), len(mailbox.connections)) == (1, 1)


def test_a_mail_that_may_have_been_taken_is_not_sent_again() -> None:
    with CountingMailbox() as mailbox:
        transport = SmtpTransport(mailbox.url)
        send(transport)
        mailbox.answer("DATA", DROP, times=1)
        with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionError)):
            send(transport)
        assert len(mailbox.mails) == 1


def test_who_sends_at_the_same_time_has_a_connection_each(monkeypatch: pytest.MonkeyPatch) -> None:
    with CountingMailbox() as mailbox:
        transport = SmtpTransport(mailbox.url)
        original, nested = smtp._transact, [True]

        def meanwhile(*arguments: Any) -> None:
            if nested:
                nested.pop()
                send(transport)
            original(*arguments)

        monkeypatch.setattr(smtp, "_transact", meanwhile)
        send(transport)
        send(transport)
        transport.close()
        assert (len(mailbox.mails), len(mailbox.connections)) == (3, 2)


class SilentMailbox(Mailbox):
    """A mail server that falls silent once a mail begins."""

    async def handle_MAIL(
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        await asyncio.Event().wait()
        return "250 never"


def test_a_server_that_falls_silent_is_told_from_one_that_hangs_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "TIMEOUT_SECONDS", 0.2)
    with SilentMailbox() as mailbox:
        with pytest.raises(smtplib.SMTPServerDisconnected) as caught:
            send(SmtpTransport(mailbox.url))
        assert isinstance(caught.value.__context__, TimeoutError)


def test_lines_that_begin_with_a_dot_arrive(mailbox: Mailbox) -> None:
    transport = SmtpTransport(mailbox.url)
    content = b"Subject: dots\r\n\r\n.\r\n..two\r\n.three\r\n"
    transport.send("news@example.com", "reader@example.org", content)
    transport.close()
    assert mailbox.mails[0].content == content


def test_checking_sends_nothing(mailbox: Mailbox) -> None:
    SmtpTransport(mailbox.url).check()
    assert mailbox.mails == []
