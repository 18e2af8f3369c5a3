"""Mail: how it is composed, and what the server's answers mean."""

import re
import socket
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default as default_policy
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from core.clock import ManualClock
from core.egress import EgressPolicy
from core.errors import FieldError, Reason
from core.store.states import ChannelState
from notifiers import article_mail
from notifiers.channels.base import Transports
from notifiers.channels.email import KIND, EmailFields
from notifiers.mailer import mail_transport
from notifiers.notice import Notice
from notifiers.outcome import Outcome
from notifiers.rendering import template_environment
from tests.mailbox import DROP, Mailbox
from tests.servers import free_port
from tests.unit.notifiers.examples import NOON, notice

OPEN = EgressPolicy((ip_network("127.0.0.0/8"),))
TEMPLATES = template_environment()


def transports(url: str | None = None, mail_from: str = "Clarion <news@example.com>") -> Transports:
    return Transports(
        mail=mail_transport(url) if url else None,
        mail_from=mail_from,
        templates=TEMPLATES,
        egress=OPEN,
        clock=ManualClock(NOON),
    )


def compose(told: Notice, address: str, using: Transports) -> EmailMessage:
    return article_mail.compose(article_mail.of_notice(told, address), using).message


def composed(title: str = "Kubernetes news", **fields: Any) -> EmailMessage:
    return compose(notice(title, **fields), "reader@example.org", transports())


def arrived(message: EmailMessage) -> EmailMessage:
    """Return a message as a mail program reads it."""
    return message_from_bytes(message.as_bytes(), policy=default_policy)


def part(message: EmailMessage, kind: str) -> str:
    found = message.get_body((kind,))
    assert found is not None
    content: str = found.get_content()
    return content


# --- composing


def test_a_mail_has_what_mail_programs_want() -> None:
    message = arrived(composed())
    assert message["Subject"] == "Kubernetes news"
    assert message["From"] == "Clarion <news@example.com>"
    assert message["To"] == "reader@example.org"
    assert message["Date"].datetime == NOON
    assert message["Auto-Submitted"] == "auto-generated"
    assert message.get_content_type() == "multipart/alternative"
    assert [one.get_content_type() for one in message.iter_parts()] == ["text/plain", "text/html"]


def test_both_parts_tell_the_article_and_why_it_came() -> None:
    message = arrived(composed(queries=("kubernetes", "pods")))
    for kind in ("plain", "html"):
        content = part(message, kind)
        for words in ("Kubernetes news", "About pods.", "The Times of Testing", "kubernetes; pods"):
            assert words in content
    assert "https://example.com/a?b=1&c=2" in part(message, "plain")
    assert 'href="https://example.com/a?b=1&amp;c=2"' in part(message, "html")


def test_an_article_of_few_words_has_a_mail_too() -> None:
    message = arrived(composed(summary="", url=None, source=None, published_at=None, language=None))
    assert "None" not in part(message, "plain") + part(message, "html")
    assert "href" not in part(message, "html")


def test_an_update_says_so() -> None:
    assert composed(event="article.updated")["Subject"] == "Updated: Kubernetes news"


@pytest.mark.parametrize(
    ("mail_from", "domain"),
    [
        ("news@example.com", "example.com"),
        ("Clarion <news@mail.example.com>", "mail.example.com"),
        ('"Clarion @ work" <news@example.com>', "example.com"),
    ],
)
def test_the_message_id_is_the_deliverys_whenever_it_is_sent(mail_from: str, domain: str) -> None:
    sent = [
        compose(notice(title), "reader@example.org", transports(mail_from=mail_from)) for title in ("a", "b")
    ]
    assert {one["Message-ID"] for one in sent} == {f"<dlv_01JD0000000000000000000000@{domain}>"}


@pytest.mark.parametrize(
    "title",
    [
        "News\r\nBcc: everyone@example.com",
        "News\nContent-Type: text/html\n\n<script>",
        "News\u2028Bcc: everyone@example.com",
        "News\x85Bcc: everyone@example.com",
        "News\x0bBcc: everyone@example.com",
        "=?utf-8?q?News=0D=0ABcc:_everyone@example.com?=",
    ],
)
def test_a_title_adds_no_headers(title: str) -> None:
    message = arrived(composed(title))
    assert message["Bcc"] is None
    assert message["To"] == "reader@example.org"
    assert message.get_content_type() == "multipart/alternative"


titles = st.text(st.characters(exclude_categories=()), min_size=1, max_size=400)


@given(titles.filter(lambda title: any(c.isalnum() for c in title)), st.integers(1, 5))
@settings(max_examples=50)
def test_any_title_arrives_in_lines_that_servers_take(title: str, times: int) -> None:
    made = notice(title * times)
    message = compose(made, "reader@example.org", transports())
    data = message.as_bytes()

    read = message_from_bytes(data, policy=default_policy)
    assert str(read["Subject"]).split() == made.article["title"].split()
    assert set(read.keys()) == set(composed().keys())
    assert max(map(len, data.split(b"\r\n"))) <= 998  # RFC 5322, section 2.1.1
    words = re.findall(rb"=\?[^?\s]+\?[bqBQ]\?[^?\s]*\?=", data.partition(b"\r\n\r\n")[0])
    assert all(len(word) <= 75 for word in words)  # RFC 2047, section 2


@pytest.mark.parametrize("title", ["x" * 1_000, "word " * 199, "\u00e4" * 1_000, "\u65e5\u672c\u8a9e " * 250])
def test_long_titles_arrive_whole(title: str) -> None:
    made = notice(title)
    message = arrived(compose(made, "reader@example.org", transports()))
    assert "".join(str(message["Subject"]).split()) == "".join(made.article["title"].split())


def test_html_is_escaped_and_text_is_not() -> None:
    evil = '<script>alert("1")</script> & <b>bold</b>'
    message = arrived(
        composed(
            evil,
            summary="&lt;img src=x onerror=alert(2)&gt;",
            queries=('title:"<i>"',),
            source={"id": "s", "name": "<u>Paper</u>"},
            language='en"><script>',
            url="https://example.com/?q='onmouseover=alert(3)&x=\"><script>",
        )
    )
    html, text = part(message, "html"), part(message, "plain")
    for tag in ("<script", "<b>", "<img", "<i>", "<u>"):
        assert tag not in html
    assert "&lt;script&gt;" in html
    assert evil in text
    assert set(re.findall(r'\s(on\w+)\s*=\s*"', html)) == set()


# --- what an account may say


@pytest.mark.parametrize(
    ("address", "normal"),
    [
        ("reader@example.com", "reader@example.com"),
        ("Reader@EXAMPLE.com", "Reader@example.com"),
        ("first.last+tag@mail.example.com", "first.last+tag@mail.example.com"),
        ("leser@b\u00fccher.example.com", "leser@b\u00fccher.example.com"),
    ],
)
def test_addresses_that_are_accepted(address: str, normal: str) -> None:
    config = KIND.configure(EmailFields(address=address), OPEN)
    assert config == {"address": normal}
    assert KIND.target(config) == normal
    assert KIND.view(config) == {"address": normal}
    assert KIND.initial_state == ChannelState.UNVERIFIED


@pytest.mark.parametrize(
    "address",
    [
        "reader",
        "reader@",
        "@example.com",
        "reader@example",
        "a@b@example.com",
        "reader@example.com\r\nBcc: all@example.com",
        "reader@example.com, other@example.com",
        "Reader <reader@example.com>",
        "reader @example.com",
        "reader@[127.0.0.1]",
        "reader@localhost",
        "reader@-example.com",
        "=?utf-8?q?=0D=0ABcc=3Aall=40example.com?=@example.com",
        "=?utf-8?q?other?=@example.com",
    ],
)
def test_addresses_that_are_refused(address: str) -> None:
    with pytest.raises(FieldError) as caught:
        KIND.configure(EmailFields(address=address), OPEN)
    assert caught.value.field == "address"


@pytest.mark.parametrize(
    "fields", [{}, {"address": ""}, {"address": 7}, {"address": "x" * 321}, {"address": "a@b.c", "cc": "x"}]
)
def test_fields_of_another_shape_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        EmailFields(**fields)


# --- sending


def send(url: str | None, address: str = "reader@example.org") -> Outcome:
    outcome = KIND.send(notice(), {"address": address}, transports(url))
    assert outcome is not None
    return outcome


def test_a_mail_is_handed_over(mailbox: Mailbox) -> None:
    assert send(mailbox.url) == Outcome()
    (mail,) = mailbox.mails
    assert (mail.sender, mail.recipients) == ("news@example.com", ("reader@example.org",))
    assert mail.message["Subject"] == "Kubernetes news"


def test_a_line_of_one_dot_ends_nothing(mailbox: Mailbox) -> None:
    made = notice(summary="one<br>.<br>two")
    KIND.send(made, {"address": "reader@example.org"}, transports(mailbox.url))
    (mail,) = mailbox.mails
    assert "kubernetes" in part(mail.message, "plain")


def test_without_a_server_it_says_which_setting_is_missing() -> None:
    outcome = send(None)
    assert (outcome.reason, outcome.permanent) == (Reason.MISCONFIGURED, False)
    assert "CLARION_SMTP_URL" in (outcome.excerpt or "")


@pytest.mark.parametrize(
    ("command", "reply", "reason", "permanent"),
    [
        ("RCPT", "550 5.1.1 No such user", Reason.REJECTED, True),
        ("RCPT", "450 4.2.1 Mailbox busy", Reason.THROTTLED, False),
        ("DATA", "554 5.7.1 Looks like spam", Reason.REJECTED, True),
        ("DATA", "452 4.3.1 Out of space", Reason.THROTTLED, False),
        ("MAIL", "550 5.7.1 Not your sender", Reason.MISCONFIGURED, False),
        ("MAIL", "451 4.7.1 Greylisted", Reason.THROTTLED, False),
    ],
)
def test_what_the_servers_answers_mean(
    mailbox: Mailbox, command: str, reply: str, reason: Reason, permanent: bool
) -> None:
    mailbox.answer(command, reply)
    outcome = send(mailbox.url)
    code, _, words = reply.partition(" ")
    assert (outcome.reason, outcome.permanent, outcome.status) == (reason, permanent, int(code))
    assert words in (outcome.excerpt or "")


@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA"])
def test_a_server_that_hangs_up(mailbox: Mailbox, command: str) -> None:
    mailbox.answer(command, DROP)
    outcome = send(mailbox.url)
    assert (outcome.reason, outcome.permanent) == (Reason.RESET, False)


class RudeAtTheEnd(Mailbox):
    """A mail server that answers QUIT with an error."""

    async def handle_QUIT(self, server: Any, session: Any, envelope: Any) -> str:
        """Complain (hook of aiosmtpd)."""
        return "421 4.3.2 Shutting down"


def test_what_a_server_says_at_the_end_undoes_nothing() -> None:
    with RudeAtTheEnd() as mailbox:
        assert send(mailbox.url) == Outcome()
        assert len(mailbox.mails) == 1


def test_a_server_that_is_not_there() -> None:
    assert send(f"smtp://127.0.0.1:{free_port()}").reason == Reason.REFUSED


def test_a_name_that_does_not_resolve(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert send("smtp://mail.example.com").reason == Reason.DNS


def test_a_server_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("notifiers.smtp.TIMEOUT_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert send(f"smtp://127.0.0.1:{silent.getsockname()[1]}").reason == Reason.TIMEOUT


def test_a_certificate_that_nobody_vouches_for(tls_mailbox: Mailbox) -> None:
    assert send(tls_mailbox.url).reason == Reason.TLS
    assert tls_mailbox.mails == []


def test_a_server_without_the_tls_that_is_required(mailbox: Mailbox) -> None:
    outcome = send(mailbox.url.replace("smtp:", "smtp+starttls:"))
    assert (outcome.reason, outcome.permanent) == (Reason.MISCONFIGURED, False)
    assert mailbox.mails == []


def test_a_wrong_password_is_nobodys_rejection(tls_mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    assert tls_mailbox.certificate is not None
    trust(monkeypatch, tls_mailbox.certificate.certificate)
    outcome = send(f"smtp://clarion:wrong@127.0.0.1:{tls_mailbox.port}")
    assert (outcome.reason, outcome.permanent, outcome.status) == (Reason.MISCONFIGURED, False, 535)


def trust(monkeypatch: pytest.MonkeyPatch, certificate: Path) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))


def test_an_address_that_a_server_of_old_cannot_take(mailbox: Mailbox) -> None:
    outcome = send(mailbox.url, "l\u00e9a@example.org")
    assert outcome.delivered or outcome.reason == Reason.MISCONFIGURED
