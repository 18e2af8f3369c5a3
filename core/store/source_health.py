"""How sources are doing: what each publishes, and how many of an installation can be read."""

import math
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.store.models import Source
from core.store.states import SourceState

# Why a source is polled as often as it is, where no poll has said so yet.
YOURS = "yours"
DEFAULT = "default"

# How much of what a source has published counts: a week, the older the less.
MEMORY = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Health:
    """How many sources there are that are polled, fail at present, wait too long, or were disabled."""

    polled: int
    failing: int
    late: int
    disabled: int


def faded(weight: float, since: datetime, now: datetime) -> float:
    """Return what is left of a number of articles by `now`."""
    return weight * math.exp(-max((now - since) / MEMORY, 0.0))


def articles_per_week(source: Source, now: datetime) -> float | None:
    """Return how many new articles a source shows in a week, to a tenth; None while that is not known."""
    if source.articles_weight is None or source.articles_weighed_at is None:
        return None
    return round(faded(source.articles_weight, source.articles_weighed_at, now), 1)


def health(session: Session, now: datetime, patience: timedelta, kinds: Collection[str]) -> Health:
    """Count the sources of some kinds; those are late that have been due for longer than `patience`."""
    active = Source.state == SourceState.ACTIVE
    counted = select(
        func.count().filter(active),
        func.count().filter(active, Source.failures > 0),
        func.count().filter(active, Source.next_poll_at < now - patience),
        func.count().filter(Source.state == SourceState.DISABLED),
    ).where(Source.kind.in_(kinds))
    return Health(*session.execute(counted).one())
