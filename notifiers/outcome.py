"""How one try ended, and what that means for the delivery."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from core.errors import Reason
from core.store.ledger import Finished
from core.store.states import DeliveryState
from core.text import storable

EXCERPT_CHARACTERS = 4_096
JITTER = 0.2


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came back from one try; `reason` is None for success, `permanent` means: do not try again."""

    reason: Reason | None = None
    status: int | None = None
    excerpt: str | None = None
    permanent: bool = False

    @property
    def delivered(self) -> bool:
        """Tell whether the receiver has it."""
        return self.reason is None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of one delivery with its time; `number` counts from 1."""

    delivery_id: str
    number: int
    started_at: datetime
    duration_ms: int
    outcome: Outcome


def http_outcome(status: int, excerpt: str | None = None) -> Outcome:
    """Classify an HTTP answer: only 2xx is success, and a redirect is not followed."""
    if 200 <= status < 300:
        return Outcome(status=status, excerpt=excerpt)
    if status == 410:
        return Outcome(Reason.GONE, status, excerpt)
    if status in (429, 503):
        return Outcome(Reason.THROTTLED, status, excerpt)
    family = {3: Reason.STATUS_3XX, 4: Reason.STATUS_4XX, 5: Reason.STATUS_5XX}
    return Outcome(family.get(status // 100, Reason.PROTOCOL), status, excerpt)


def conclude(attempt: Attempt, schedule: Sequence[int], now: datetime, chance: random.Random) -> Finished:
    """Decide what an attempt means for its delivery: done, tried again at `due_at`, or failed for good."""
    outcome = attempt.outcome
    state, due_at = DeliveryState.FAILED, None
    if outcome.delivered:
        state = DeliveryState.DELIVERED
    elif not outcome.permanent and attempt.number <= len(schedule):
        state, due_at = DeliveryState.PENDING, now + _delay(schedule[attempt.number - 1], chance)
    return Finished(
        id=attempt.delivery_id,
        state=state,
        reason=outcome.reason,
        due_at=due_at,
        attempt=attempt.number,
        started_at=attempt.started_at,
        duration_ms=attempt.duration_ms,
        status=outcome.status,
        excerpt=storable(outcome.excerpt)[:EXCERPT_CHARACTERS] if outcome.excerpt else None,
    )


def _delay(seconds: int, chance: random.Random) -> timedelta:
    return timedelta(seconds=seconds * chance.uniform(1 - JITTER, 1 + JITTER))
