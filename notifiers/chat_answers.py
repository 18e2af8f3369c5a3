"""What a chat service's answer means: statuses alone do not say it."""

import json
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from core.egress.exchange import PushAnswer
from core.errors import Reason
from core.text import one_line, shorten
from notifiers.chat_text import redacted
from notifiers.outcome import LONGEST_WAIT, THROTTLED_STATUSES, Outcome, push_outcome

SAID_CHARACTERS = 200
NOT_OK = "the answer is not one of this service"
# What is refused for its content would be refused again, and would keep all others waiting.
REFUSED_STATUSES = frozenset({400, 413, 422})


@dataclass(frozen=True, slots=True)
class Said:
    """What a service says in its answer's body.

    `code` names the cause. `gone`: webhook, chat or token are not usable any more, so nothing will be taken.
    """

    accepted: bool = False
    code: str | None = None
    gone: bool = False
    throttled: bool = False
    wait_seconds: float | None = None


def judge(said: Said, answer: PushAnswer, now: datetime, secrets: tuple[str, ...]) -> Outcome:
    """Say how a push to a chat ended; an answer that is 2xx, but not what the service says when it has taken
    a message, is a failure. Nothing in the outcome holds one of the `secrets`."""
    plain = push_outcome(answer, now)
    if plain.excerpt:
        plain.excerpt = redacted(plain.excerpt, secrets)
    if answer.reason is not None or answer.status is None:
        return plain
    words = shorten(one_line(redacted(said.code, secrets)), SAID_CHARACTERS) if said.code else None
    return _judged(said, plain, answer.status, words)


def _judged(said: Said, plain: Outcome, status: int, words: str | None) -> Outcome:
    if plain.delivered and said.accepted:
        return plain
    if said.gone or plain.reason is Reason.GONE:
        return Outcome(Reason.GONE, status, plain.excerpt, permanent=True, said=words)
    if said.throttled or status in THROTTLED_STATUSES:
        return Outcome(Reason.THROTTLED, status, plain.excerpt, wait=plain.wait or _wait(said), said=words)
    if plain.delivered:
        return Outcome(Reason.PROTOCOL, status, plain.excerpt, said=words or NOT_OK)
    return replace(plain, permanent=status in REFUSED_STATUSES, said=words)


def _wait(said: Said) -> timedelta | None:
    seconds = said.wait_seconds
    if seconds is None or not seconds > 0:
        return None
    return timedelta(seconds=min(seconds, LONGEST_WAIT.total_seconds()))


def json_object(body: str) -> dict[str, Any]:
    """Return a body that is a JSON object; an empty one for any other, such as one that was cut."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def begins_as_object(body: str) -> bool:
    """Tell whether a body may be a JSON object, of which only the beginning is known where it is long."""
    return body.lstrip().startswith("{")


def text_of(value: Any) -> str | None:
    """Return a value of a service's JSON that should be text."""
    return value if isinstance(value, str) and value else None


def number_of(value: Any) -> float | None:
    """Return a value of a service's JSON that should be a number of seconds."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
