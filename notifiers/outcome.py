"""How one try ended, and what that means for the delivery."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from core.egress.exchange import PushAnswer
from core.errors import Reason
from core.store.states import DeliveryState
from core.text import storable

EXCERPT_CHARACTERS = 4_096
JITTER = 0.2
THROTTLED_STATUSES = frozenset({429, 503})
LONGEST_WAIT = timedelta(hours=24)
# A receiver that never stops asking for patience must not be asked every second for days.
PATIENT_TRIES = 20
IMPATIENT_WAIT = timedelta(minutes=5)


@dataclass(slots=True)
class Outcome:
    """What came back from one try; `reason` is None for success, `permanent` means: do not try again.

    `wait` is how long the receiver asked to be left alone, `said` what a service names as the cause.
    """

    reason: Reason | None = None
    status: int | None = None
    excerpt: str | None = None
    permanent: bool = False
    wait: timedelta | None = None
    said: str | None = None

    @property
    def delivered(self) -> bool:
        """Tell whether the receiver has it."""
        return self.reason is None


@dataclass(slots=True)
class Next:
    """What becomes of a delivery: its state, when it is tried again, and its place in the schedule then."""

    state: DeliveryState
    due_at: datetime | None
    step: int


def http_outcome(status: int, excerpt: str | None = None, wait: timedelta | None = None) -> Outcome:
    """Classify an HTTP answer: only 2xx is success, and a redirect is not followed."""
    if 200 <= status < 300:
        return Outcome(status=status, excerpt=excerpt)
    if status == 410:
        return Outcome(Reason.GONE, status, excerpt, permanent=True)
    if status in THROTTLED_STATUSES:
        return Outcome(Reason.THROTTLED, status, excerpt, wait=wait)
    family = {3: Reason.STATUS_3XX, 4: Reason.STATUS_4XX, 5: Reason.STATUS_5XX}
    return Outcome(family.get(status // 100, Reason.PROTOCOL), status, excerpt)


def push_outcome(answer: PushAnswer, now: datetime) -> Outcome:
    """Classify what came of a push; an answer that broke off is a failure, whatever its status was."""
    if answer.reason is not None:
        return Outcome(answer.reason, answer.status, answer.detail)
    if answer.status is None:
        return Outcome(Reason.PROTOCOL, excerpt=answer.detail)
    excerpt = answer.excerpt.decode("utf-8", "replace") if answer.excerpt else None
    wait = retry_after(answer.retry_after, now) if answer.retry_after else None
    return http_outcome(answer.status, excerpt, wait)


def retry_after(value: str, now: datetime) -> timedelta | None:
    """Read a `Retry-After` header (RFC 9110, section 10.2.3), seconds or a date, capped at 24 hours.

    None for what is neither, and for what asks for no wait at all: then the schedule says when.
    """
    text = value.strip()
    if text.isascii() and text.isdecimal():
        digits = text.lstrip("0")[:9] or "0"  # nine are more than 24 hours already
        wait = min(timedelta(seconds=int(digits)), LONGEST_WAIT)
    else:
        wait = _until(text, now)
    return wait if wait > timedelta(0) else None


def _until(date: str, now: datetime) -> timedelta:
    try:
        moment = parsedate_to_datetime(date)
    except (ValueError, OverflowError, TypeError, IndexError):
        return timedelta(0)
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return min(aware - now, LONGEST_WAIT)


def conclude(
    outcome: Outcome,
    *,
    step: int,
    attempts: int,
    schedule: Sequence[int],
    now: datetime,
    chance: random.Random,
) -> Next:
    """Decide what a try means for its delivery: done, tried again, or failed for good.

    `step` is its place in the schedule and `attempts` how many tries there were before. A wait that the
    receiver asked for takes no place.
    """
    if outcome.reason is None:
        return Next(DeliveryState.DELIVERED, None, step)
    if outcome.permanent:
        return Next(DeliveryState.FAILED, None, step)
    if outcome.wait is not None:
        wait = outcome.wait if attempts < PATIENT_TRIES else max(outcome.wait, IMPATIENT_WAIT)
        return Next(DeliveryState.PENDING, now + wait, step)
    if step < len(schedule):
        return Next(DeliveryState.PENDING, now + _delay(schedule[step], chance), step + 1)
    return Next(DeliveryState.FAILED, None, step)


def stored_excerpt(text: str | None) -> str | None:
    """Return what the ledger keeps of an answer."""
    return storable(text)[:EXCERPT_CHARACTERS] if text else None


def _delay(seconds: int, chance: random.Random) -> timedelta:
    return timedelta(seconds=seconds * chance.uniform(1 - JITTER, 1 + JITTER))
