"""Writing how deliveries ended: results of many batches together, in one transaction after another."""

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from queue import Empty, SimpleQueue

import structlog

from core.clock import Clock
from core.dispatch import Dispatcher
from core.errors import Reason, Unavailable
from core.store import batches, channel_health, claims, collapsed, digests, pacing, turns
from core.store.batches import Batch
from core.store.channel_health import Tried
from core.store.claims import Claimed, Finished
from core.store.collapsed import Led
from core.store.digests import DIGEST, EndedDigest
from core.store.engine import Store
from core.store.states import UNFINISHED, DeliveryState
from core.store.turns import STRICT
from notifiers.opened import ChannelRow
from notifiers.outcome import Outcome, conclude, stored_excerpt

log = structlog.get_logger()

GATHER_SECONDS = 0.05  # results that come together are written together
AT_ONCE = 2_000
NOT_THE_RECEIVERS = frozenset({Reason.MISCONFIGURED, Reason.INTERNAL})
RENEW_SECONDS = claims.CLAIM_LENGTH.total_seconds() / 3
DATABASE_RETRY_SECONDS = 0.5


@dataclass(slots=True)
class Claim:
    """A claimed batch, and how many of its deliveries have not been written yet."""

    id: str
    left: int


@dataclass(slots=True)
class Job:
    """A claimed delivery that is being sent; with `has_company` the message tells others too."""

    claimed: Claimed
    claim: Claim
    channel: ChannelRow
    schedule: Sequence[int]
    has_company: bool = False


@dataclass(slots=True)
class Ended:
    """How a job ended; `outcome` is None when it was not tried, and then `wait` says for how long."""

    job: Job
    outcome: Outcome | None
    started_at: datetime
    duration_ms: int = 0
    wait: timedelta = timedelta(0)


class Finisher:
    """Takes what ended from any thread and writes it in its own, for as long as the database needs."""

    def __init__(
        self,
        store: Store,
        dispatcher: Dispatcher,
        clock: Clock,
        *,
        failing_patience: timedelta,
    ) -> None:
        self._store, self._dispatcher, self._clock = store, dispatcher, clock
        self._patience = failing_patience
        self._chance = random.Random()
        self._queue: SimpleQueue[Sequence[Ended]] = SimpleQueue()
        self._unwritten = 0
        self._kept: set[str] = set()
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._renew_at = time.monotonic() + RENEW_SECONDS
        self._thread = threading.Thread(target=self._run, name="finish", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def expect(self, claim: Claim) -> None:
        """Count the jobs of a claim that were begun, and keep it alive until they are written."""
        with self._changed:
            self._unwritten += claim.left
            if claim.left:
                self._kept.add(claim.id)

    def put(self, ended: Sequence[Ended]) -> None:
        """Have results written soon."""
        self._queue.put(ended)

    def wait_for_room(self, most: int, stop: threading.Event) -> bool:
        """Wait until fewer than `most` jobs are unwritten; False once `stop` is set."""
        with self._changed:
            while self._unwritten >= most and not stop.is_set():
                self._changed.wait(0.5)
        return not stop.is_set()

    def wait_until_idle(self, seconds: float) -> bool:
        """Wait until every job that was begun is written; False when it takes longer than `seconds`."""
        with self._changed:
            return self._changed.wait_for(lambda: self._unwritten == 0, seconds)

    def stop(self, patience_seconds: float) -> None:
        """Write what is there, then end."""
        self._stopping.set()
        self._queue.put([])
        self._thread.join(patience_seconds)

    def _run(self) -> None:
        while not (self._stopping.is_set() and self._queue.empty()):
            ended = self._gather()
            if ended:
                self._settle(ended)
            self._renew_if_due()

    def _settle(self, ended: Sequence[Ended]) -> None:
        """Write results together, or in ever smaller parts where one of them cannot be written."""
        written = self._write_until_done(ended)
        if written or len(ended) == 1 or self._stopping.is_set():
            self._count_off(ended, written=written)
            return
        half = len(ended) // 2
        self._settle(ended[:half])
        self._settle(ended[half:])

    def _count_off(self, ended: Sequence[Ended], *, written: bool) -> None:
        with self._changed:
            self._unwritten -= len(ended)
            for one in ended:
                one.job.claim.left -= written
                # What was not written must be found again, so its claim is let expire.
                if not (written and one.job.claim.left):
                    self._kept.discard(one.job.claim.id)
            self._changed.notify_all()

    def _gather(self) -> list[Ended]:
        gathered: list[Ended] = []
        try:
            gathered += self._queue.get(timeout=1.0)
            until = time.monotonic() + GATHER_SECONDS
            while len(gathered) < AT_ONCE and not self._stopping.is_set():
                gathered += self._queue.get(timeout=max(0.0, until - time.monotonic()))
        except Empty:
            pass
        return gathered

    def _write_until_done(self, ended: Sequence[Ended]) -> bool:
        """Write, trying again while the database is away: a result that is lost is sent twice.

        False when it was given up.
        """
        while True:
            try:
                self._dispatcher.enqueue(self._write(ended))
                return True
            except Unavailable as error:
                log.warning("results wait for the database", results=len(ended), problem=str(error))
            except Exception:
                log.exception("results were not written", results=len(ended))
                return False
            if self._stopping.wait(DATABASE_RETRY_SECONDS):
                return False

    def _write(self, ended: Sequence[Ended]) -> list[Batch]:
        now = self._clock.now()
        results = [self._result(one, now) for one in ended]
        health = channel_health.worth_noting(_tried(ended), now, self._patience)
        moved = _strict_that_ended(ended, results)
        throttled = _throttled(ended, now)
        with self._store.write() as session:
            # Channels are locked before deliveries, here as everywhere.
            locked = turns.lock(session, [*moved, *throttled, *(one.channel_id for one in health)])
            for channel in locked:
                if channel.id in throttled:
                    pacing.postpone(channel, throttled[channel.id])
            written = claims.finish(session, results, now)
            collapsed.follow(session, _led(ended, results, written), now)
            digests.follow(session, _digests(ended, results, written), now)
            disabled = channel_health.note(session, locked, health, now, self._patience)
            promoted = batches.put(session, turns.call_next(session, moved, now), now) if moved else []
            claims.end(session, _complete(ended))
        for channel in disabled:
            log.warning("channel disabled", channel=channel.id, reason=channel.state_reason)
        return promoted

    def _result(self, one: Ended, now: datetime) -> Finished:
        claimed = one.job.claimed
        if one.outcome is None:
            return put_back(one.job.claimed, one.job.claim.id, now + one.wait)
        following = conclude(
            one.outcome,
            step=claimed.step,
            attempts=claimed.attempts,
            schedule=one.job.schedule,
            now=now,
            chance=self._chance,
        )
        return Finished(
            claimed.id,
            claimed.article_day,
            one.job.claim.id,
            following.state,
            one.outcome.reason,
            following.due_at,
            following.due_at,
            following.step,
            None,
            claimed.attempts + 1,
            one.started_at,
            one.duration_ms,
            one.outcome.status,
            stored_excerpt(one.outcome.excerpt),
        )

    def _renew_if_due(self) -> None:
        if time.monotonic() < self._renew_at:
            return
        self._renew_at = time.monotonic() + RENEW_SECONDS
        with self._changed:
            kept = list(self._kept)
        if not kept:
            return
        try:
            with self._store.write() as session:
                claims.renew(session, kept, self._clock.now())
        except Unavailable as error:
            log.warning("claims were not renewed", problem=str(error))


def put_back(
    claimed: Claimed,
    claim_id: str,
    due_at: datetime | None,
    *,
    enqueue_after: datetime | None = None,
    slot_at: datetime | None = None,
) -> Finished:
    """Return a delivery to the ledger as if it had not been claimed, to be tried at `due_at`."""
    return Finished(
        id=claimed.id,
        day=claimed.article_day,
        claim_id=claim_id,
        state=DeliveryState.PENDING,
        due_at=due_at,
        enqueue_after=enqueue_after or due_at,
        step=claimed.step,
        slot_at=slot_at,
    )


def _tried(ended: Sequence[Ended]) -> list[Tried]:
    """Return what was tried, without the successes of channels that were well before."""
    tried = ((one.job.channel, one.outcome) for one in ended if one.outcome is not None)
    return [
        Tried(channel.id, outcome.delivered, outcome.reason, channel.failing_since, outcome.said)
        for channel, outcome in tried
        if outcome.reason not in NOT_THE_RECEIVERS and (not outcome.delivered or channel.failing_since)
    ]


def _strict_that_ended(ended: Sequence[Ended], results: Sequence[Finished]) -> list[str]:
    return [
        one.job.channel.id
        for one, result in zip(ended, results, strict=True)
        if one.job.channel.ordering == STRICT and result.state not in UNFINISHED
    ]


def _throttled(ended: Sequence[Ended], now: datetime) -> dict[str, datetime]:
    """Return until when channels with slots asked to be left alone: then nothing else may go there either."""
    asked: dict[str, datetime] = {}
    for one in ended:
        channel = one.job.channel
        if one.outcome is not None and one.outcome.wait is not None and channel.rate_limit is not None:
            asked[channel.id] = max(asked.get(channel.id, now), now + one.outcome.wait)
    return asked


def _led(ended: Sequence[Ended], results: Sequence[Finished], written: set[str]) -> list[Led]:
    """Return what was tried for others too; what was delivered holds for them even if its claim was lost."""
    return [
        Led(one.job.channel.id, one.job.claimed.message_id, result)
        for one, result in zip(ended, results, strict=True)
        if one.job.has_company
        and one.job.claimed.event != DIGEST
        and one.job.claimed.message_id is not None
        and result.started_at is not None
        and (result.id in written or result.state is DeliveryState.DELIVERED)
    ]


def _digests(ended: Sequence[Ended], results: Sequence[Finished], written: set[str]) -> Iterator[EndedDigest]:
    """Yield the digests that have ended; what was delivered is told even if its claim was lost."""
    for one, result in zip(ended, results, strict=True):
        over = result.state not in UNFINISHED and result.id in written
        if one.job.claimed.event == DIGEST and (over or result.state is DeliveryState.DELIVERED):
            yield EndedDigest(one.job.claimed, result.state, result.reason)


def _complete(ended: Sequence[Ended]) -> list[str]:
    """Return the claims of which these are the last results."""
    written = Counter(one.job.claim.id for one in ended)
    left = {one.job.claim.id: one.job.claim.left for one in ended}
    return [claim_id for claim_id, count in written.items() if count >= left[claim_id]]
