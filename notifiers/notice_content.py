"""What an owner's notice says: the words of its mail, and its event for webhooks."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core.clock import rfc3339
from core.errors import Reason
from core.store.models import Channel, Notice, Source
from core.store.notices import NoticeKind

EVENTS = {
    NoticeKind.CHANNEL_DISABLED: "channel.disabled",
    NoticeKind.SOURCE_DISABLED: "source.disabled",
}

# Each completes: the last try failed because …
REASONS: Mapping[str, str] = {
    Reason.DNS: "the receiver's name does not resolve",
    Reason.REFUSED: "the receiver refused the connection",
    Reason.RESET: "the receiver cut the connection",
    Reason.TLS: "no secure connection to the receiver could be made",
    Reason.TIMEOUT: "the receiver did not answer in time",
    Reason.BLOCKED: "the receiver's name leads to an address that is not open to users' URLs",
    Reason.PROTOCOL: "the receiver's answer was not understood",
    Reason.STATUS_3XX: "the receiver answered with a redirect (status 3xx), and redirects are not followed",
    Reason.STATUS_4XX: "the receiver did not accept the request (status 4xx)",
    Reason.STATUS_5XX: "the receiver answered with an error of its own (status 5xx)",
    Reason.GONE: "the receiver answered that it is gone for good",
    Reason.THROTTLED: "the receiver asked to be sent to later",
    Reason.TOO_LARGE: "the head of the receiver's answer was too long",
    Reason.REJECTED: "the mail server refused the mail for good",
    Reason.BOUNCED: "the mail came back: its address does not take it",
    Reason.MISCONFIGURED: "something is not set up at this installation",
    Reason.INTERNAL: "of a fault in Clarion",
}


@dataclass(frozen=True)
class NoticeWords:
    """What the templates of `notice` are given; `target` is masked, times are RFC 3339."""

    channel_id: str
    kind: str
    target: str | None
    account: str | None
    at: str
    failing_since: str | None
    text: str
    why: str | None
    missed_since: str
    api: str


def words_of(
    notice: Notice, channel: Channel, *, target: str | None, account: str | None, public_url: str | None
) -> NoticeWords:
    """Return the words for a notice about a channel; without `public_url` calls are shown by their path."""
    since = channel.failing_since
    return NoticeWords(
        channel_id=channel.id,
        kind=channel.kind,
        target=target,
        account=account,
        at=_second(notice.created_at),
        failing_since=_second(since) if since else None,
        text=notice.text,
        # One that has failed for days has no last try that is the cause: `failing_since` says it.
        why=REASONS.get(notice.reason) if notice.reason else None,
        missed_since=_second(min(since, notice.created_at) if since else notice.created_at),
        api=public_url or "",
    )


@dataclass(frozen=True)
class SourceWords:
    """What the templates of `source_notice` are given; times are RFC 3339."""

    source_id: str
    name: str
    account: str | None
    at: str
    text: str
    api: str


def source_words(
    notice: Notice, source: Source, *, account: str | None, public_url: str | None
) -> SourceWords:
    """Return the words for a notice about a source; without `public_url` calls are shown by their path."""
    at = _second(notice.created_at)
    return SourceWords(source.id, source.name, account, at, notice.text, public_url or "")


def _second(moment: datetime) -> str:
    return rfc3339(moment.replace(microsecond=0))


def event_body(notice: Notice, about: Channel | Source) -> bytes:
    """Return the event of a notice as JSON, the same bytes on every try."""
    named = "channel" if isinstance(about, Channel) else "source"
    data: dict[str, Any] = {
        named: {"id": about.id, "kind": about.kind},
        "reason": notice.reason,
        "text": notice.text,
    }
    event = {
        "type": EVENTS[NoticeKind(notice.kind)],
        "timestamp": rfc3339(notice.created_at),
        "data": data,
    }
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
