"""A sample for a channel whose owner wants to see whether it works."""

import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any, Protocol, cast

import structlog

from core.clock import rfc3339
from core.egress import BlockedUrl
from core.egress.exchange import PushAnswer, PushRequest
from core.errors import Reason
from core.ids import new_id
from core.text import storable
from notifiers.channels.base import ChannelKind, PushKind, SendKind, Transports
from notifiers.notice import Notice
from notifiers.outcome import EXCERPT_CHARACTERS, Outcome

log = structlog.get_logger()

TITLE = "This is a test from Clarion"
SUMMARY = "You see it because somebody has tested this channel. No article is behind it."


class SingleTransfer(Protocol):
    """The guarded way out, for one request."""

    def perform(self, request: PushRequest) -> PushAnswer:
        """POST it; raises BlockedUrl when the URL is refused."""

    def close(self) -> None:
        """Close its connection."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of a sample: `reason` is None if it was delivered."""

    reason: Reason | None = None
    status: int | None = None
    detail: str | None = None
    excerpt: str | None = None
    duration_ms: int = 0


@dataclass(frozen=True)
class ChannelTester:
    """Sends samples one way or the other, as their kind of channel sends deliveries."""

    kinds: Mapping[str, ChannelKind]
    transfer: Callable[[], SingleTransfer]
    transports: Transports

    def test(self, kind_name: str, config: Mapping[str, Any]) -> Trial:
        """Send a sample now; never raises for what the other side or the configuration does."""
        started = time.monotonic()
        result = self._try(self.kinds[kind_name], config)
        duration_ms = int((time.monotonic() - started) * 1_000)
        return replace(result, duration_ms=duration_ms)

    def _try(self, kind: ChannelKind, config: Mapping[str, Any]) -> Trial:
        notice = sample(self.transports)
        try:
            if hasattr(kind, "open"):
                return self._push(cast(PushKind, kind), notice, config)
            return self._send(cast(SendKind, kind), notice, config)
        except Exception:
            log.exception("a channel failed in itself", kind=kind.name)
            return Trial(Reason.INTERNAL, detail="Something went wrong here; the log tells what.")

    def _push(self, kind: PushKind, notice: Notice, config: Mapping[str, Any]) -> Trial:
        try:
            pusher = kind.open(config)
        except ValueError as error:
            return Trial(Reason.MISCONFIGURED, detail=str(error))
        body = pusher.body(notice, self.transports.templates)
        request = pusher.request(notice.id, body, notice.created_at)
        try:
            with closing(self.transfer()) as transfer:
                answer = transfer.perform(request)
        except BlockedUrl as error:
            return Trial(Reason.BLOCKED, detail=str(error))
        return _pushed(answer, pusher.outcome(answer, notice.created_at))

    def _send(self, kind: SendKind, notice: Notice, config: Mapping[str, Any]) -> Trial:
        return _sent(kind.send(notice, config, self.transports))


def _pushed(answer: PushAnswer, outcome: Outcome) -> Trial:
    words = answer.detail or outcome.said or _words(outcome.reason, answer.status)
    # What stands in for an answer that did not come is the detail already.
    excerpt = _readable(outcome.excerpt or "") if answer.reason is None and answer.status else None
    return Trial(outcome.reason, answer.status, words, excerpt)


def _sent(outcome: Outcome | None) -> Trial:
    if outcome is None:
        return Trial(Reason.UNSUBSCRIBED, detail="Nothing is sent there as things are now.")
    if outcome.status is None:  # nobody has answered, so the words are our own
        return Trial(outcome.reason, detail=outcome.excerpt or _words(outcome.reason, None))
    excerpt = _readable(outcome.excerpt or "")
    return Trial(outcome.reason, outcome.status, _words(outcome.reason, outcome.status), excerpt)


def _words(reason: Reason | None, status: int | None) -> str | None:
    if reason is None:
        return None
    return f"The receiver answered with status {status}." if status else f"No answer came: {reason}."


def _readable(excerpt: str) -> str | None:
    return storable(excerpt)[:EXCERPT_CHARACTERS] or None


def sample(transports: Transports) -> Notice:
    """Return the content of a test, under a fresh id: an article that anyone can tell from a real one."""
    now = transports.clock.now()
    article = {
        "id": "test",
        "uid": "art_test",
        "version": 1,
        "title": TITLE,
        "summary": SUMMARY,
        "url": None,
        "source": {"id": None, "name": "Clarion"},
        "published_at": rfc3339(now),
        "language": "en",
        "categories": [],
        "authors": [],
        "image": None,
        "first_seen_at": rfc3339(now),
    }
    return Notice(
        id=new_id("msg_test"),
        event="article.published",
        created_at=now,
        article=article,
        subscriptions=[["sub_test", "a test of this channel"]],
        subscriptions_total=1,
    )
