"""Mails as a server with real STARTTLS gets them, byte by byte."""

import re
from collections.abc import Iterator
from dataclasses import replace
from email import message_from_bytes
from email.policy import default as default_policy
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.clock import ManualClock
from core.egress import EgressPolicy
from core.errors import Unavailable
from core.ids import new_id
from core.mail_links import MailLinks
from core.signing import MailPurpose, MailTokens
from core.store.channels import target_hash
from notifiers.channels.base import Transports
from notifiers.channels.email import KIND
from notifiers.mail_options import MailOptions
from notifiers.mailer import mail_transport
from notifiers.rendering import template_environment
from tests.certificates import Certificate
from tests.mailbox import Mail, Mailbox
from tests.unit.notifiers.examples import NOON, notice

READER = "reader@example.org"
CHANNEL, ACCOUNT = new_id("ch"), new_id("acc")
TOKENS = MailTokens("k" * 32)
LONG_URL = (
    "https://news.example.com/" + "a-path-segment/" * 7
)  # with the token a URL of 200 characters and more
ENCODED_WORD = re.compile(rb"=\?utf-8\?", re.IGNORECASE)


@pytest.fixture
def transports(
    tls_mailbox: Mailbox, certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Transports]:
    """A way to the server that demands TLS and a login."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.certificate))
    mail = mail_transport(f"smtp+starttls://clarion:swordfish@127.0.0.1:{tls_mailbox.port}")
    yield Transports(
        mail=mail,
        mail_from="Clarion <news@example.com>",
        templates=template_environment(),
        egress=EgressPolicy(),
        clock=ManualClock(NOON),
        mail_options=MailOptions(
            reply_to="Help <help@example.com>", links=MailLinks(LONG_URL.rstrip("/"), TOKENS)
        ),
    )
    mail.close()


def sent(mailbox: Mailbox, transports: Transports, title: str = "Kubernetes news", **fields: Any) -> Mail:
    made = notice(title, **fields)
    made.channel_id, made.account_id = CHANNEL, ACCOUNT
    outcome = KIND.send(made, {"address": READER}, transports)
    assert outcome is not None
    assert outcome.delivered, outcome
    return mailbox.mails[-1]


def header_lines(mail: Mail) -> list[bytes]:
    return mail.content.partition(b"\r\n\r\n")[0].split(b"\r\n")


def test_a_mail_goes_encrypted_with_all_that_programs_read(
    tls_mailbox: Mailbox, transports: Transports
) -> None:
    mail = sent(tls_mailbox, transports)
    assert (mail.encrypted, mail.user, mail.recipients) == (True, "clarion", (READER,))
    account = ACCOUNT.lower().encode()
    lines = header_lines(mail)
    for line in (
        b"From: Clarion <news@example.com>",
        b"Reply-To: Help <help@example.com>",
        b"To: reader@example.org",
        b"Date: Sun, 01 Mar 2026 12:00:00 +0000",
        b"Message-ID: <dlv_01JD0000000000000000000000@example.com>",
        b"Auto-Submitted: auto-generated",
        b"List-ID: <" + account + b".news.example.com>",
        b"List-Unsubscribe-Post: List-Unsubscribe=One-Click",
        b"Feedback-ID: " + account + b":article:clarion",
    ):
        assert line in lines


def test_a_long_address_to_unsubscribe_stands_literally_in_one_line(
    tls_mailbox: Mailbox, transports: Transports
) -> None:
    hashed = target_hash("email", READER)
    url = f"{LONG_URL}mail/unsubscribe/{TOKENS.make(MailPurpose.UNSUBSCRIBE, CHANNEL, hashed)}"
    assert len(url) >= 200
    mail = sent(tls_mailbox, transports)
    assert b"List-Unsubscribe: <" + url.encode() + b">" in header_lines(mail)
    assert not ENCODED_WORD.search(mail.content.partition(b"\r\n\r\n")[0])
    body = mail.message.get_body(("plain",))
    assert body is not None
    assert f"Unsubscribe: {url}" in body.get_content()


def test_a_link_that_is_not_https_is_offered_too(tls_mailbox: Mailbox, transports: Transports) -> None:
    options = replace(transports.mail_options, links=MailLinks("http://127.0.0.1:8000", TOKENS))
    lines = header_lines(sent(tls_mailbox, replace(transports, mail_options=options)))
    assert any(line.startswith(b"List-Unsubscribe: <http://127.0.0.1:8000/mail/") for line in lines)
    assert b"List-Unsubscribe-Post: List-Unsubscribe=One-Click" in lines


@given(
    st.text(st.characters(exclude_categories=()), max_size=2_000).filter(
        lambda t: any(c.isalnum() for c in t)
    ),
    st.text(st.characters(exclude_categories=()), max_size=5_000),
)
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_no_line_is_longer_than_servers_take(
    tls_mailbox: Mailbox, transports: Transports, title: str, summary: str
) -> None:
    mail = sent(tls_mailbox, transports, title, summary=summary)
    assert max(map(len, mail.content.split(b"\r\n"))) <= 998  # RFC 5322, section 2.1.1
    assert b"\n" not in mail.content.replace(b"\r\n", b"")
    assert b"\r" not in mail.content.replace(b"\r\n", b"")
    assert mail.content.isascii()


def test_a_title_with_a_header_reaches_one_reader(tls_mailbox: Mailbox, transports: Transports) -> None:
    mail = sent(tls_mailbox, transports, "x\r\nBcc: a@b")
    assert mail.recipients == (READER,)
    assert b"Subject: x Bcc: a@b" in header_lines(mail)
    assert not any(line.startswith(b"Bcc") for line in header_lines(mail))


def test_what_is_special_is_escaped_in_html_and_literal_in_text(
    tls_mailbox: Mailbox, transports: Transports
) -> None:
    special = '<script>&"'
    message = message_from_bytes(
        sent(tls_mailbox, transports, special, summary="tail").content, policy=default_policy
    )
    html, text = message.get_body(("html",)), message.get_body(("plain",))
    assert html is not None
    assert text is not None
    assert "&lt;script&gt;&amp;" in html.get_content()
    assert "<script" not in html.get_content()
    assert special in text.get_content()


def test_bounces_come_back_to_an_address_that_tells_whose_they_are(
    tls_mailbox: Mailbox, transports: Transports
) -> None:
    options = replace(transports.mail_options, bounce_address="bounces@example.net")
    mail = sent(tls_mailbox, replace(transports, mail_options=options))
    addressee = TOKENS.read_return_path(mail.sender)
    assert addressee is not None
    assert addressee.channel_id == CHANNEL
    assert addressee.is_at(target_hash("email", READER))
    assert mail.message["From"] == "Clarion <news@example.com>"


def test_a_domain_of_other_letters_is_written_as_servers_know_it(
    tls_mailbox: Mailbox, transports: Transports
) -> None:
    KIND.send(notice(), {"address": "leser@b\u00fccher.example"}, transports)
    (mail,) = tls_mailbox.mails
    assert mail.recipients == ("leser@xn--bcher-kva.example",)


@pytest.mark.parametrize("answer", [False, Unavailable("the database is away")])
def test_who_does_not_want_it_any_more_gets_nothing(
    tls_mailbox: Mailbox, transports: Transports, answer: bool | Exception
) -> None:
    asked: list[tuple[str, str]] = []

    def still_wanted(channel_id: str, hashed: str) -> bool:
        asked.append((channel_id, hashed))
        if isinstance(answer, Exception):
            raise answer
        return answer

    options = replace(transports.mail_options, still_wanted=still_wanted)
    made = notice()
    made.channel_id = CHANNEL
    assert KIND.send(made, {"address": READER}, replace(transports, mail_options=options)) is None
    assert asked == [(CHANNEL, target_hash("email", READER))]
    assert tls_mailbox.mails == []
