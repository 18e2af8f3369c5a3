"""When to poll a source next: decisions without any I/O."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from core.store.source_health import MEMORY, faded

SHORTEST_SECONDS = 300.0
LONGEST_SECONDS = 86_400.0
FIRST_BACKOFF_SECONDS = 60.0

# Polled ten times between two articles, an article waits a twentieth of that time on average.
POLLS_PER_ARTICLE = 10
# One article does not show a rhythm.
FEWEST_DATED = 2
_SHORTEST_SPAN = timedelta(days=1)


class Because(StrEnum):
    """Why a source is polled as often as it is."""

    YOURS = "yours"
    ADAPTIVE = "adaptive"
    DEFAULT = "default"
    TTL = "ttl"
    CACHE = "cache"
    PUSHED = "pushed"


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How much a source publishes: articles of about the last week at a moment, the older the less."""

    weight: float
    at: datetime

    def per_week(self, now: datetime) -> float:
        """Return the articles a week that this comes to by `now`."""
        return faded(self.weight, self.at, now)

    def after(self, new: int, now: datetime) -> "Rhythm":
        """Return the rhythm once a poll at `now` has shown so many new articles."""
        return Rhythm(self.per_week(now) + new, max(now, self.at))


def first_rhythm(published: Iterable[datetime | None], now: datetime) -> Rhythm | None:
    """Estimate how much a source publishes from the dates in its first document; None if they are too few.

    A document that does not reach a week back shows only the end of it, so its articles stand for more.
    """
    dated = sorted(moment for moment in published if moment is not None)
    if len(dated) < FEWEST_DATED:
        return None
    span = min(max(now - dated[0], _SHORTEST_SPAN), MEMORY)
    recent = sum(now - moment <= MEMORY for moment in dated)
    return Rhythm(recent * (MEMORY / span), now)


@dataclass(frozen=True, slots=True)
class Interval:
    """How often a source is polled, in seconds, and why."""

    seconds: float
    because: Because


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is to be respected, in seconds: the wishes of a source's owner, kind, document and server.

    `shortest` is the least that its kind bears, for example for the quota of a key.
    """

    default: float
    shortest: float
    own: float | None = None
    hinted: float | None = None
    cached: float | None = None
    pushed: bool = False


def interval(wishes: Wishes, rhythm: Rhythm | None, now: datetime) -> Interval:
    """Decide how often to poll a source that can be read.

    Its owner's wish counts before everything. Otherwise it is polled as often as it publishes, but not before
    its document (`ttl`, `sy:*`) or server (`Cache-Control`, `Expires`) says that there may be something new;
    from 5 minutes to a day, and once a day while a hub pushes its news.
    """
    if wishes.own is not None:
        return Interval(wishes.own, Because.YOURS)
    if wishes.pushed:
        return Interval(LONGEST_SECONDS, Because.PUSHED)
    candidates = [_by_rhythm(wishes, rhythm, now)]
    if wishes.hinted is not None:
        candidates.append(Interval(_bounded(wishes.hinted), Because.TTL))
    if wishes.cached is not None:
        candidates.append(Interval(_bounded(wishes.cached), Because.CACHE))
    return max(candidates, key=lambda one: one.seconds)


def _by_rhythm(wishes: Wishes, rhythm: Rhythm | None, now: datetime) -> Interval:
    if rhythm is None:
        return Interval(wishes.default, Because.DEFAULT)
    articles = max(rhythm.per_week(now), 1e-6)
    between = MEMORY.total_seconds() / articles / POLLS_PER_ARTICLE
    return Interval(max(_bounded(between), min(wishes.shortest, LONGEST_SECONDS)), Because.ADAPTIVE)


def backoff(failures: int) -> float:
    """Return the seconds to wait after so many failures in a row: 1 minute, then 2, 4, …, at most a day."""
    return min(FIRST_BACKOFF_SECONDS * 2.0 ** min(max(failures - 1, 0), 20), LONGEST_SECONDS)


def pause(failures: int, asked: float | None) -> float:
    """Return the seconds to leave a failing source alone: what it asked for within bounds, or the backoff."""
    return backoff(failures) if asked is None else max(_bounded(asked), backoff(failures))


def cooling(times: int, asked: float | None) -> float:
    """Return the seconds to leave a host alone that asks for fewer requests, for the how many-th time.

    What it asks for counts, within bounds; else 5 minutes, then 10, 20, …, at most a day.
    """
    if asked is not None:
        return _bounded(asked)
    return _bounded(SHORTEST_SECONDS * 2.0 ** min(max(times - 1, 0), 20))


def _bounded(seconds: float) -> float:
    return min(max(seconds, SHORTEST_SECONDS), LONGEST_SECONDS)
