"""Delivering a batch: claimed in one statement, sent side by side, finished as results come in."""

import random
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import date
from typing import Any

import structlog
from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from core.clock import Clock
from core.errors import Reason, Unavailable
from core.ids import new_id
from core.signing import SecretBox, UndecryptableSecret
from core.store import channels as stored_channels
from core.store import ledger
from core.store.articles import article_json
from core.store.engine import Store
from core.store.ledger import Claimed, Finished
from core.store.models import Article, ArticleVersion, Channel
from core.store.states import ChannelState, DeliveryState
from core.store.subscriptions import existing
from notifiers.channels.base import ChannelKind, Transports
from notifiers.notice import Notice, notice_of
from notifiers.outcome import Attempt, Outcome, conclude

log = structlog.get_logger()

PARALLEL_SENDS = 32
GATHER_SECONDS = 0.02  # results that come together are written together
FINISH_SECONDS = 30.0
RENEW_SECONDS = ledger.CLAIM_LENGTH.total_seconds() / 3
DATABASE_RETRY_SECONDS = 0.5


@dataclass(frozen=True)
class Job:
    """A claimed delivery with everything that sending it needs."""

    claimed: Claimed
    channel: Channel
    schedule: tuple[int, ...]
    notice: Notice


class DeliveryService:
    """Sends what task messages name; shared by the worker's threads."""

    def __init__(
        self,
        store: Store,
        kinds: Mapping[str, ChannelKind],
        transports: Transports,
        box: SecretBox,
        *,
        instance: str,
        retry_schedule: tuple[int, ...],
        clock: Clock,
    ) -> None:
        self._store, self._kinds, self._transports, self._box = store, kinds, transports, box
        self._instance, self._schedule, self._clock = instance, retry_schedule, clock
        self._chance = random.Random()
        self._pool = ThreadPoolExecutor(PARALLEL_SENDS, thread_name_prefix="send")
        self._stopping = threading.Event()
        self._idle = threading.Condition()
        self._active = 0

    def deliver(self, day_text: str, ids: list[str]) -> None:
        """Send what of a batch is pending and due; what is not finished at the end is pending again."""
        if self._stopping.is_set():
            return  # the sweep enqueues it again
        day, claim_id = date.fromisoformat(day_text), new_id("clm")
        with self._idle:
            self._active += 1
        try:
            self._send_all(self._claim(day, ids, claim_id), day, claim_id)
        except Unavailable as error:
            # The claim's deadline, or the sweep, brings the rest back.
            log.warning("batch left to the sweep", problem=str(error), deliveries=len(ids))
        except Exception:
            log.exception("batch left to the sweep", deliveries=len(ids))
        finally:
            with self._idle:
                self._active -= 1
                self._idle.notify_all()

    def close(self, patience_seconds: float) -> None:
        """Begin nothing new, wait for what is under way, and give back what is unfinished by then."""
        self._stopping.set()
        with self._idle:
            self._idle.wait_for(lambda: self._active == 0, patience_seconds)
        self._pool.shutdown(wait=False)
        try:
            with self._store.write() as session:
                returned = ledger.return_claims_of(session, self._instance, self._clock.now())
        except Unavailable as error:
            log.warning("claims were not given back and will expire", problem=str(error))
            return
        if returned:
            log.info("unfinished deliveries given back", deliveries=returned)

    def _claim(self, day: date, ids: list[str], claim_id: str) -> list[Job]:
        now = self._clock.now()
        with self._store.write() as session:
            claimed = ledger.claim(session, day, ids, claim_id, self._instance, now)
            if not claimed:
                return []
            channels = _channels(session, claimed)
            living = existing(session, (id_ for row in claimed for id_, _query in row.matched))
            refused = [r for row in claimed if (r := _refusal(row, channels.get(row.channel_id), living))]
            ledger.finish(session, day, claim_id, refused, now)
            articles = _articles(session, claimed)
        left_out = {result.id for result in refused}
        return [
            self._job(row, channels[row.channel_id], articles[(row.article_id, row.version)])
            for row in claimed
            if row.id not in left_out
        ]

    def _job(self, row: Claimed, channel: Channel, article: dict[str, Any]) -> Job:
        return Job(
            claimed=row,
            channel=channel,
            schedule=tuple(channel.retry_schedule) if channel.retry_schedule is not None else self._schedule,
            notice=notice_of(row, article),
        )

    def _send_all(self, jobs: list[Job], day: date, claim_id: str) -> None:
        waiting = {self._pool.submit(self._send, job) for job in jobs}
        renew_at = time.monotonic() + RENEW_SECONDS
        while waiting:
            wait(waiting, timeout=RENEW_SECONDS, return_when=FIRST_COMPLETED)
            done, waiting = wait(waiting, timeout=GATHER_SECONDS)
            self._finish(day, claim_id, [result for future in done if (result := future.result())])
            if time.monotonic() >= renew_at:
                self._renew(claim_id)
                renew_at = time.monotonic() + RENEW_SECONDS

    def _send(self, job: Job) -> Finished | None:
        if self._stopping.is_set():
            return None
        started_at, started = self._clock.now(), time.monotonic()
        outcome = self._try(job)
        duration_ms = int((time.monotonic() - started) * 1_000)
        attempt = Attempt(job.claimed.id, job.claimed.attempts + 1, started_at, duration_ms, outcome)
        return conclude(attempt, job.schedule, self._clock.now(), self._chance)

    def _try(self, job: Job) -> Outcome:
        """Send once; what is wrong with one channel must not cost the others of its batch anything."""
        kind = self._kinds.get(job.channel.kind)
        if kind is None:
            return Outcome(Reason.MISCONFIGURED, excerpt=f"channels of kind {job.channel.kind} are not known")
        try:
            config = stored_channels.unseal(self._box, job.channel)
            return kind.send(job.notice, config, self._transports)
        except UndecryptableSecret as error:
            log.error("a channel cannot be read", channel=job.channel.id, problem=str(error))
            return Outcome(Reason.MISCONFIGURED, excerpt=str(error))
        except Exception:
            log.exception("a channel failed in itself", channel=job.channel.id, kind=kind.name)
            return Outcome(Reason.INTERNAL)

    def _finish(self, day: date, claim_id: str, results: Sequence[Finished]) -> None:
        """Write results, trying again while the database is away: a result that is lost is sent twice."""
        deadline = time.monotonic() + FINISH_SECONDS
        while results:
            try:
                with self._store.write() as session:
                    ledger.finish(session, day, claim_id, results, self._clock.now())
                return
            except Unavailable:
                if time.monotonic() >= deadline:
                    raise
                time.sleep(DATABASE_RETRY_SECONDS)

    def _renew(self, claim_id: str) -> None:
        try:
            with self._store.write() as session:
                ledger.renew_claim(session, claim_id, self._clock.now())
        except Unavailable as error:
            log.warning("a claim was not renewed", problem=str(error))


def _channels(session: Session, claimed: Iterable[Claimed]) -> dict[str, Channel]:
    ids = {row.channel_id for row in claimed}
    rows = session.execute(select(Channel).where(Channel.id.in_(ids))).scalars()
    return {channel.id: channel for channel in rows}


def _articles(session: Session, claimed: Iterable[Claimed]) -> dict[tuple[str, int], dict[str, Any]]:
    keys = {(row.article_id, row.version) for row in claimed}
    statement = (
        select(Article, ArticleVersion)
        .join(ArticleVersion, ArticleVersion.article_id == Article.id)
        .where(tuple_(ArticleVersion.article_id, ArticleVersion.version).in_(keys))
    )
    rows = session.execute(statement)
    return {(article.id, version.version): article_json(article, version) for article, version in rows}


def _refusal(row: Claimed, channel: Channel | None, living: set[str]) -> Finished | None:
    """Tell why a claimed row must not be sent after all, if so."""
    if channel is None:
        return Finished(row.id, DeliveryState.CANCELLED, Reason.CHANNEL_DELETED)
    all_listed = row.matched_total == len(row.matched)
    if all_listed and not any(id_ in living for id_, _query in row.matched):
        return Finished(row.id, DeliveryState.CANCELLED, Reason.UNSUBSCRIBED)
    if channel.state != ChannelState.ACTIVE:
        return Finished(row.id, DeliveryState.HELD, None)
    return None
