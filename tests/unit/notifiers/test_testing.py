"""Samples: what is sent, which way, and what is said of the answer."""

from collections.abc import Mapping
from datetime import datetime
from ipaddress import ip_network
from typing import Any, ClassVar

import pytest
import requests
from jinja2 import Environment
from pydantic import BaseModel
from standardwebhooks import Webhook

import notifiers.channels
from core.clock import Clock, ManualClock, SystemClock
from core.egress import BlockedUrl, EgressPolicy
from core.egress.exchange import PushAnswer, PushRequest
from core.errors import Reason
from core.registry import discover
from core.store.states import ChannelState
from notifiers.channels.base import ChannelKind, Transports
from notifiers.mailer import mail_transport
from notifiers.notice import Notice
from notifiers.outcome import Outcome, push_outcome
from notifiers.rendering import template_environment
from notifiers.testing import TITLE, ChannelTester, Trial
from tests.mailbox import Mailbox
from tests.receiver import Receiver, Respond, redirect
from tests.unit.notifiers.examples import NOON

OPEN = EgressPolicy((ip_network("127.0.0.0/8"),))
KINDS: dict[str, ChannelKind] = discover(notifiers.channels, "KIND")
SECRET = "whsec_" + "QUJD" * 11


class PlainTransfer:
    """A way out without a guard."""

    def perform(self, request: PushRequest) -> PushAnswer:
        headers = dict(line.split(": ", 1) for line in request.headers)
        answer = requests.post(request.url, request.body, headers=headers, allow_redirects=False, timeout=10)
        return PushAnswer(status=answer.status_code, excerpt=answer.content)

    def close(self) -> None:
        """Nothing is held."""


class Answering:
    """A way out that knows the answer, or why there is none."""

    def __init__(self, answer: PushAnswer | Exception) -> None:
        self.answer = answer
        self.requests: list[PushRequest] = []
        self.closed = 0

    def perform(self, request: PushRequest) -> PushAnswer:
        self.requests.append(request)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def close(self) -> None:
        self.closed += 1


class Kind:
    """What the API needs of a kind."""

    name: ClassVar[str] = "example"
    queue: ClassVar[str] = "webhook"
    initial_state: ClassVar[ChannelState] = ChannelState.ACTIVE
    fields: ClassVar[type[BaseModel]] = BaseModel

    def configure(self, fields: Any, egress: EgressPolicy) -> dict[str, Any]:
        return {}

    def target(self, config: Mapping[str, Any]) -> str:
        return ""

    def view(self, config: Mapping[str, Any]) -> dict[str, Any]:
        return {}


class Opened:
    """A channel, opened."""

    origin = "http://192.0.2.1"

    def body(self, notice: Notice, templates: Environment) -> bytes:
        return b"{}"

    def outcome(self, answer: PushAnswer, now: datetime) -> Outcome:
        return push_outcome(answer, now)

    def request(self, message_id: str, body: bytes, now: datetime) -> PushRequest:
        return PushRequest("http://192.0.2.1/", [f"webhook-id: {message_id}", f"at: {now}"], body)


class Pushed(Kind):
    """A kind that is pushed to."""

    def open(self, config: Mapping[str, Any]) -> Opened:
        if "url" not in config:
            raise ValueError("it has no URL")
        return Opened()


class Sent(Kind):
    """A kind that sends by itself, with an outcome that is known."""

    def __init__(self, outcome: Outcome | Exception) -> None:
        self.outcome = outcome

    def send(self, notice: Notice, config: Mapping[str, Any], transports: Transports) -> Outcome:
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


def transports(smtp_url: str | None = None, clock: Clock | None = None) -> Transports:
    return Transports(
        mail=mail_transport(smtp_url) if smtp_url else None,
        mail_from="Clarion <news@example.com>",
        templates=template_environment(),
        egress=OPEN,
        clock=clock or ManualClock(NOON),
    )


def pushed(answer: PushAnswer | Exception) -> Trial:
    """Return what is said of an answer."""
    way = Answering(answer)
    trial = ChannelTester({"example": Pushed()}, lambda: way, transports()).test("example", {"url": "x"})
    assert way.closed == 1
    return trial


def sent(outcome: Outcome | Exception) -> Trial:
    """Return what is said of an outcome."""
    return ChannelTester({"example": Sent(outcome)}, PlainTransfer, transports()).test("example", {})


# --- what is sent


def test_a_webhook_gets_a_signed_event_that_is_clearly_a_sample(receiver: Receiver) -> None:
    tester = ChannelTester(KINDS, PlainTransfer, transports())
    config = {"url": receiver.script("/hook", Respond(202, b"thanks")), "headers": {}, "secret": SECRET}
    for _ in range(2):
        trial = tester.test("webhook", config)
        assert (trial.status, trial.reason, trial.detail, trial.excerpt) == (202, None, None, "thanks")
    first, second = receiver.requests
    event = first.json()
    assert event["type"] == "article.published"
    assert (event["data"]["article"]["id"], event["data"]["article"]["title"]) == ("test", TITLE)
    ids = [request.header("webhook-id") or "" for request in (first, second)]
    assert ids[0] != ids[1]
    assert all(id_.startswith("msg_test_") for id_ in ids)
    assert event["data"]["subscriptions_total"] == len(event["data"]["subscriptions"]) == 1


def test_its_signature_holds(receiver: Receiver) -> None:
    config = {"url": receiver.url + "/hook", "headers": {"X-Team": "news"}, "secret": SECRET}
    ChannelTester(KINDS, PlainTransfer, transports(clock=SystemClock())).test("webhook", config)
    (request,) = receiver.requests
    headers = {name.lower(): value for name, value in request.headers}
    assert Webhook(SECRET).verify(request.body, headers) == request.json()
    assert request.header("X-Team") == "news"


def test_a_mail_arrives(mailbox: Mailbox) -> None:
    tester = ChannelTester(KINDS, PlainTransfer, transports(mailbox.url))
    trial = tester.test("email", {"address": "reader@example.org"})
    assert (trial.reason, trial.detail) == (None, None)
    (mail,) = mailbox.wait_for(1)
    assert mail.message["Subject"] == TITLE


def test_a_request_is_made_of_its_own_id_and_the_present_time() -> None:
    way = Answering(PushAnswer(200))
    ChannelTester({"example": Pushed()}, lambda: way, transports()).test("example", {"url": "x"})
    (request,) = way.requests
    assert request.headers[0].startswith("webhook-id: msg_test_")
    assert request.headers[1] == f"at: {NOON}"


# --- what is said


@pytest.mark.parametrize(
    ("answer", "status", "reason", "words"),
    [
        (PushAnswer(200), 200, None, None),
        (PushAnswer(301), 301, Reason.STATUS_3XX, "status 301"),
        (PushAnswer(410), 410, Reason.GONE, "status 410"),
        (PushAnswer(429, retry_after="5"), 429, Reason.THROTTLED, "status 429"),
        (PushAnswer(500, detail="in our words"), 500, Reason.STATUS_5XX, "in our words"),
        (PushAnswer(200, Reason.TIMEOUT), 200, Reason.TIMEOUT, "status 200"),
        (PushAnswer(None, Reason.DNS, detail="no such name"), None, Reason.DNS, "no such name"),
        (PushAnswer(None, Reason.REFUSED), None, Reason.REFUSED, "refused"),
        (PushAnswer(), None, Reason.PROTOCOL, "protocol"),
        (BlockedUrl("a private address"), None, Reason.BLOCKED, "a private address"),
        (RuntimeError("whsec_hidden"), None, Reason.INTERNAL, "the log tells"),
    ],
)
def test_of_an_answer(
    answer: PushAnswer | Exception, status: int | None, reason: Reason | None, words: str | None
) -> None:
    trial = pushed(answer)
    assert (trial.status, trial.reason) == (status, reason)
    assert (trial.detail is None) == (words is None)
    assert (words or "") in (trial.detail or "")
    assert "hidden" not in (trial.detail or "")


def test_an_excerpt_is_text_whatever_came() -> None:
    assert pushed(PushAnswer(200, excerpt=b"a\0b\xff\xc3")).excerpt == "ab\ufffd\ufffd"
    assert pushed(PushAnswer(200, excerpt=b"")).excerpt is None


def test_a_configuration_that_is_none() -> None:
    way = Answering(PushAnswer(200))
    trial = ChannelTester({"example": Pushed()}, lambda: way, transports()).test("example", {})
    assert (trial.reason, trial.detail, way.requests) == (Reason.MISCONFIGURED, "it has no URL", [])


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (Outcome(), Trial()),
        (Outcome(status=250, excerpt="ok"), Trial(status=250, excerpt="ok")),
        (
            Outcome(Reason.REJECTED, 550, "no such user", True),
            Trial(Reason.REJECTED, 550, "The receiver answered with status 550.", "no such user"),
        ),
        (
            Outcome(Reason.MISCONFIGURED, excerpt="CLARION_SMTP_URL is not set"),
            Trial(Reason.MISCONFIGURED, detail="CLARION_SMTP_URL is not set"),
        ),
        (Outcome(Reason.TIMEOUT), Trial(Reason.TIMEOUT, detail="No answer came: timeout.")),
        (
            RuntimeError("whsec_hidden"),
            Trial(Reason.INTERNAL, detail="Something went wrong here; the log tells what."),
        ),
    ],
)
def test_of_an_outcome(outcome: Outcome | Exception, expected: Trial) -> None:
    trial = sent(outcome)
    assert (trial.reason, trial.status, trial.detail, trial.excerpt) == (
        expected.reason,
        expected.status,
        expected.detail,
        expected.excerpt,
    )
    assert trial.duration_ms >= 0


def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    config = {
        "url": receiver.script("/old", redirect(receiver.url + "/new")),
        "headers": {},
        "secret": SECRET,
    }
    trial = ChannelTester(KINDS, PlainTransfer, transports()).test("webhook", config)
    assert (trial.status, trial.reason) == (302, Reason.STATUS_3XX)
    assert receiver.requests_for("/new") == []
