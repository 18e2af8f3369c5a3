"""The long tail by Apprise: which URLs are taken, and what is made of what it says."""

import json
import logging
import sys
from dataclasses import replace

import pytest
import requests
import responses

from core.clock import ManualClock
from core.egress import EgressPolicy
from core.errors import FieldError, Reason
from notifiers.channels.apprise import KIND, SCHEMES
from notifiers.channels.base import Transports
from notifiers.chat import ChatFields
from notifiers.notice import Notice
from notifiers.outcome import Outcome
from notifiers.rendering import template_environment
from tests.unit.notifiers.examples import NOON, notice

PUSHOVER = "pover://aaaaaaaaaabbbbbbbbbbcccccccccc@ddddddddddeeeeeeeeeeffffffffff"
ADDRESS = "https://api.pushover.net/1/messages.json"
TRANSPORTS = Transports(
    mail=None,
    mail_from="",
    templates=template_environment(),
    egress=EgressPolicy(),
    clock=ManualClock(NOON),
)


def configure(url: str) -> dict[str, object]:
    return KIND.configure(ChatFields(url=url), EgressPolicy())


def send(made: Notice, url: str = PUSHOVER) -> Outcome:
    return KIND.send(made, configure(url), TRANSPORTS)


def test_a_service_of_the_tail_is_taken_and_shown_without_its_keys() -> None:
    config = configure(PUSHOVER)
    assert config == {"url": PUSHOVER}
    assert KIND.view(config) == {"url": "pover://…"}
    assert KIND.target(config) == PUSHOVER


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("json://127.0.0.1/hook", "must begin with one of"),
        ("jsons://example.com", "must begin with one of"),
        ("file:///etc/passwd", "must begin with one of"),
        ("mailto://user:pass@example.com", "must begin with one of"),
        ("gotify://10.0.0.1/token", "must begin with one of"),
        ("POVER://a@b", "must begin with one of"),
        ("pover", "must begin with one of"),
        ("pover://a b@c", "must begin with one of"),
        (f"{PUSHOVER}?verify=no", "may have no parameters but"),
        (f"{PUSHOVER}?rto=3600", "may have no parameters but"),
        (f"{PUSHOVER}?template", "may have no parameters but"),
        ("pover://", "must begin with one of"),
        ("pover://@", "no URL that Apprise takes"),
    ],
)
def test_what_could_lead_anywhere_or_is_no_url_is_refused(url: str, words: str) -> None:
    with pytest.raises(FieldError, match=words) as raised:
        configure(url)
    assert raised.value.field == "url"


def test_every_open_scheme_is_one_that_apprise_knows() -> None:
    import apprise

    known = {scheme for plugin in apprise.Apprise().details()["schemas"] for scheme in _schemes(plugin)}
    assert known >= SCHEMES


def _schemes(plugin: dict[str, list[str] | None]) -> list[str]:
    return [*(plugin["protocols"] or []), *(plugin["secure_protocols"] or [])]


def test_without_the_extra_it_is_refused_in_so_many_words(monkeypatch: pytest.MonkeyPatch) -> None:
    config = configure(PUSHOVER)
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(FieldError, match=r"pip install 'clarion\[apprise\]'") as raised:
        configure(PUSHOVER)
    assert raised.value.field == "kind"
    outcome = KIND.send(notice(), config, TRANSPORTS)
    assert outcome.reason is Reason.MISCONFIGURED
    assert "clarion[apprise]" in (outcome.excerpt or "")


@responses.activate
def test_an_article_is_sent() -> None:
    responses.post(ADDRESS, json={"status": 1})
    assert send(notice("A title", summary="In short")) == Outcome()
    (call,) = responses.calls
    body = str(call.request.body)
    assert "A+title" in body or "A title" in body
    assert "In" in body


@responses.activate
@pytest.mark.parametrize("status", [400, 429, 500])
def test_what_the_service_does_not_take_is_tried_again(caplog: pytest.LogCaptureFixture, status: int) -> None:
    responses.post(ADDRESS, status=status, body=json.dumps({"errors": [PUSHOVER]}))
    with caplog.at_level(logging.DEBUG):
        outcome = send(notice())
    assert (outcome.reason, outcome.permanent, outcome.wait) == (Reason.PROTOCOL, False, None)
    assert "cccccccccc" not in repr(outcome) + caplog.text
    assert "ffffffffff" not in repr(outcome) + caplog.text


@responses.activate
def test_nobody_answering_is_tried_again() -> None:
    responses.post(ADDRESS, body=requests.ConnectionError("no"))
    assert send(notice()).reason is Reason.PROTOCOL


@responses.activate
def test_a_burst_is_one_message() -> None:
    responses.post(ADDRESS, json={"status": 1})
    made = replace(notice("First"), also=[notice(f"Story {number}") for number in range(19)], more=100)
    assert send(made) == Outcome()
    (call,) = responses.calls
    body = str(call.request.body)
    assert "120" in body
    assert "more" in body
