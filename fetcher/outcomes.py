"""What a poll means for its source: written to its row, in the transaction that ends the poll."""

from datetime import datetime, timedelta
from random import Random

import structlog
from sqlalchemy.orm import Session

from core.egress import masked_url
from core.store import host_cooldowns, hubs, source_states
from core.store.models import Source
from core.store.states import SourceState
from fetcher.intervals import (
    Interval,
    Rhythm,
    Wishes,
    cooling,
    first_rhythm,
    interval,
    pause,
)
from fetcher.reading import News, PollFailed, Reading
from fetcher.recording import name_of
from fetcher.redirects import Moves, decide_move
from fetcher.sources.base import PolledKind

log = structlog.get_logger()

JITTER = 0.1

_chance = Random()


def succeeded(
    session: Session, row: Source, polled: Source, reading: Reading, new: int, kind: PolledKind, now: datetime
) -> None:
    """Note that everything a source showed is published, so that it need not be shown again."""
    pushed = hubs.is_pushed(session, row.id, now)  # asked before the row is changed, which is written once
    _remember(row, reading, new, now)
    row.last_success_at, row.failures = now, 0
    row.last_error = row.last_error_reason = None
    used = interval_of(row, kind, now, pushed=pushed)
    row.used_interval_seconds, row.used_interval_because = round(used.seconds), used.because.value
    _plan(row, polled, used.seconds, now)
    _move(session, row, reading, kind, now)


def pushed(row: Source, new: int, now: datetime) -> None:
    """Note that a hub pushed so many new articles of a source."""
    row.last_success_at = now
    known = _rhythm(row)
    if known is not None:
        rhythm = known.after(new, now)
        row.articles_weight, row.articles_weighed_at = rhythm.weight, rhythm.at


def unpublished(row: Source, polled: Source, kind: PolledKind, now: datetime) -> None:
    """Note that something of a poll waits in the outbox: the next one asks for the whole document again."""
    _plan(row, polled, interval_of(row, kind, now).seconds, now)


def failed(session: Session, row: Source, polled: Source, failure: PollFailed, now: datetime) -> None:
    """Note why a source could not be read, and leave it or its host alone; one that is gone is disabled."""
    error = failure.error
    row.failures += 1
    row.last_error, row.last_error_reason, row.last_error_at = error.words, error.reason.value, now
    seconds = pause(row.failures, error.pause_seconds)
    if failure.throttled_by:
        seconds = max(seconds, _cool(session, failure.throttled_by, error.pause_seconds, now))
    _plan(row, polled, seconds, now)
    if failure.gone:
        words = f"The source {row.name} ({masked_url(row.url)}) answered 410 Gone: it is polled no more."
        if source_states.disable(session, row, error.reason, words, now):
            log.warning("source disabled", source=row.id, reason=error.reason)


def _cool(session: Session, host: str, asked: float | None, now: datetime) -> float:
    until = host_cooldowns.cool(session, host, lambda times: cooling(times, asked), now)
    log.warning("host left alone", host=host, until=until.isoformat())
    return (until - now).total_seconds()


def interval_of(row: Source, kind: PolledKind, now: datetime, *, pushed: bool = False) -> Interval:
    """Return how often a source is to be polled, by what is known of it."""
    wishes = Wishes(
        default=kind.default_interval_seconds,
        shortest=kind.shortest_interval_seconds,
        own=row.interval_seconds,
        hinted=row.hinted_seconds,
        cached=row.cached_seconds,
        pushed=pushed,
    )
    return interval(wishes, _rhythm(row), now)


def later(seconds: float, now: datetime) -> datetime:
    """Return a moment at least so many seconds from now, and up to a tenth more."""
    return now + timedelta(seconds=seconds * _chance.uniform(1, 1 + JITTER))


def _remember(row: Source, reading: Reading, new: int, now: datetime) -> None:
    news = reading.news
    if news is not None:
        row.etag, row.last_modified = news.etag, news.last_modified
        row.name = name_of(row, news)
        hinted = news.hints.interval_seconds
        row.hinted_seconds = None if hinted is None else round(hinted)
    if news is not None or reading.cached_seconds is not None:
        # A 304 without a word about it leaves in force what was said before (RFC 9111, section 4.3.4).
        row.cached_seconds = reading.cached_seconds
    rhythm = _rhythm_after(row, news, new, now)
    if rhythm is not None:
        row.articles_weight, row.articles_weighed_at = rhythm.weight, rhythm.at


def _rhythm_after(row: Source, news: News | None, new: int, now: datetime) -> Rhythm | None:
    known = _rhythm(row)
    if known is not None:
        return known.after(new, now)
    return first_rhythm((item.published_at for item in news.items), now) if news else None


def _rhythm(row: Source) -> Rhythm | None:
    if row.articles_weight is None or row.articles_weighed_at is None:
        return None
    return Rhythm(row.articles_weight, row.articles_weighed_at)


def _plan(row: Source, polled: Source, seconds: float, now: datetime) -> None:
    row.updated_at = now
    if row.next_poll_at != polled.next_poll_at or row.state != SourceState.ACTIVE:
        return  # asked for anew, or disabled, while this poll was under way
    row.next_poll_at = later(seconds, now)


def _move(session: Session, row: Source, reading: Reading, kind: PolledKind, now: datetime) -> None:
    if row.state != SourceState.ACTIVE:
        return
    decision = decide_move(row.url, row.moving_to, reading.permanent_url, bound=reading.bound)
    if not isinstance(decision, Moves) or not _suits(kind, decision.url):
        row.moving_to = None if isinstance(decision, Moves) else decision.moving_to
        return
    before, survivor = row.url, source_states.move(session, row, decision.url, now)
    if survivor.id != row.id:
        log.info("source merged", source=row.id, into=survivor.id)
    elif row.url != before:
        log.info("source moved", source=row.id)


def _suits(kind: PolledKind, url: str) -> bool:
    try:
        kind.check(url)
    except ValueError:
        return False
    return True
