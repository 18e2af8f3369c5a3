"""What an owner's notice says, by mail and as an event."""

import json
from datetime import timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default as default_policy
from html.parser import HTMLParser
from typing import Any

import pytest

from core.clock import ManualClock
from core.egress import EgressPolicy
from core.errors import Reason
from core.store.models import Channel, Notice
from core.store.notices import NoticeKind
from notifiers.channels.base import Transports
from notifiers.mail import mail_of
from notifiers.notice_content import EVENTS, REASONS, event_body, words_of
from notifiers.rendering import template_environment
from tests.unit.notifiers.examples import NOON

TRANSPORTS = Transports(
    mail=None,
    mail_from="Clarion <news@example.com>",
    templates=template_environment(),
    egress=EgressPolicy(),
    clock=ManualClock(NOON),
)
FIVE_DAYS = timedelta(days=5)


class Tags(HTMLParser):
    """Collects the tags and attributes that a mail program would see."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, tuple[str, ...]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, tuple(name for name, _ in attrs)))


def disabled(**fields: Any) -> Notice:
    known = {
        "id": "ntc_1",
        "account_id": "acc_1",
        "channel_id": "ch_1",
        "kind": NoticeKind.CHANNEL_DISABLED,
        "reason": Reason.GONE,
        "text": "The receiver answered 410 Gone.",
        "created_at": NOON + timedelta(microseconds=123_456),
    }
    return Notice(**known | fields)


def mail(
    notice: Notice | None = None,
    *,
    target: str | None = "hooks.example.com",
    account: str | None = "readers",
    public_url: str | None = "https://news.example.com",
    failing_since: Any = None,
) -> EmailMessage:
    channel = Channel(id="ch_1", kind="webhook", failing_since=failing_since)
    words = words_of(notice or disabled(), channel, target=target, account=account, public_url=public_url)
    made = mail_of("notice", "ntc_1", vars(words), "owner@example.org", TRANSPORTS)
    return message_from_bytes(made.as_bytes(), policy=default_policy)


def part(message: EmailMessage, kind: str) -> str:
    found = message.get_body((kind,))
    assert found is not None
    content: str = found.get_content()
    return content


def tags(message: EmailMessage) -> list[tuple[str, tuple[str, ...]]]:
    parser = Tags()
    parser.feed(part(message, "html"))
    return parser.seen


@pytest.mark.parametrize("kind", ["plain", "html"])
def test_a_mail_says_which_channel_when_why_and_what_to_do(kind: str) -> None:
    content = part(mail(), kind)
    for words in (
        "webhook channel",
        "ch_1",
        "hooks.example.com",
        "readers",
        "2026-03-01T12:00:00Z",
        "The receiver answered 410 Gone.",
        "because the receiver answered that it is gone for good",
        "Fix the receiver.",
        "POST https://news.example.com/v1/channels/ch_1/enable",
        "POST https://news.example.com/v1/channels/ch_1/recover",
    ):
        assert words in content
    assert "None" not in content


def test_its_head_tells_programs_what_it_is() -> None:
    message = mail()
    assert message["Subject"] == "Channel disabled: webhook hooks.example.com"
    assert message["Message-ID"] == "<ntc_1@example.com>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["To"] == "owner@example.org"


def test_what_is_missed_counts_from_the_first_failure() -> None:
    long = part(mail(failing_since=NOON - FIVE_DAYS), "plain")
    assert "Every try has failed since 2026-02-24T12:00:00Z." in long
    assert '{"since": "2026-02-24T12:00:00Z"}' in long
    # A channel that was enabled and has begun to fail anew meanwhile.
    assert '{"since": "2026-03-01T12:00:00Z"}' in part(mail(failing_since=NOON + FIVE_DAYS), "plain")


@pytest.mark.parametrize("kind", ["plain", "html"])
def test_a_mail_of_little_knowledge(kind: str) -> None:
    content = part(mail(disabled(reason=None), target=None, account=None, public_url=None), kind)
    assert "POST /v1/channels/ch_1/enable" in content
    for words in ("None", "()", "The last try", "Every try", 'of the account "', "of the account “"):
        assert words not in content


def test_without_a_target_the_subject_names_the_channel() -> None:
    assert mail(target=None)["Subject"] == "Channel disabled: webhook ch_1"


def test_of_a_channel_that_has_failed_for_days_all_tries_are_told_not_the_last() -> None:
    content = part(mail(disabled(reason=Reason.FAILING), failing_since=NOON - FIVE_DAYS), "plain")
    assert "Every try has failed since 2026-02-24T12:00:00Z." in content
    assert "The last try" not in content


# Why a delivery is cancelled, or a channel disabled after days, is no reason for which a try fails.
NO_TRIES = {Reason.SUPERSEDED, Reason.CHANNEL_DELETED, Reason.UNSUBSCRIBED, Reason.EMPTY, Reason.FAILING}


@pytest.mark.parametrize("reason", [one for one in Reason if one not in NO_TRIES])
def test_every_reason_is_told_in_words(reason: Reason) -> None:
    content = part(mail(disabled(reason=reason)), "plain")
    assert f"The last try failed because {REASONS[reason]}." in content


def test_nothing_that_is_told_becomes_markup() -> None:
    evil = "<img src=x onerror=alert(1)>\"'&</p><script>alert(2)</script>"
    assert tags(mail(disabled(text=evil), target=evil, account=evil)) == tags(mail())
    assert evil in part(mail(disabled(text=evil)), "plain")


@pytest.mark.parametrize("breaks", ["\r\n", "\n", "\x85", "\u2028", "\x00", "\x1b[2J"])
def test_no_target_adds_headers_or_controls_to_the_subject(breaks: str) -> None:
    message = mail(target=f"example.com{breaks}Bcc: all@example.com")
    assert message["Bcc"] is None
    assert str(message["Subject"]).isprintable()


# --- the event


def test_an_event_says_the_same_on_every_try() -> None:
    channel = Channel(id="ch_1", kind="webhook")
    body = event_body(disabled(), channel)
    assert body == event_body(disabled(tries=3), channel)
    assert json.loads(body) == {
        "type": "channel.disabled",
        "timestamp": "2026-03-01T12:00:00.123Z",
        "data": {
            "channel": {"id": "ch_1", "kind": "webhook"},
            "reason": "gone",
            "text": "The receiver answered 410 Gone.",
        },
    }


def test_every_kind_of_notice_has_an_event() -> None:
    assert set(EVENTS) == set(NoticeKind)
