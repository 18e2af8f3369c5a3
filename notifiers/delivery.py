"""Delivering: a batch is claimed and prepared in one transaction and handed on; results are written apart."""

import threading
import time
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from core.bus.ports import TaskQueue
from core.clock import Clock
from core.dispatch import Dispatcher
from core.errors import Reason, Unavailable
from core.ids import new_id
from core.signing import SecretBox, UndecryptableSecret
from core.store import batches, claims, digests, ledger, turns
from core.store.articles import article_json
from core.store.batches import Batch
from core.store.claims import Claimed, Finished
from core.store.digests import DIGEST, EndedDigest
from core.store.engine import Store
from core.store.models import Article, ArticleVersion
from core.store.states import ChannelState, DeliveryState
from core.store.subscriptions import existing
from notifiers import admission
from notifiers.admission import Admitted
from notifiers.channels.base import CONNECT_SECONDS, TRANSFER_SECONDS, ChannelKind, Pusher, Transports
from notifiers.chat_items import MOST_SHOWN
from notifiers.digesting import MOST_LISTED, digest_notice
from notifiers.engine import Push, Pushed, PushEngine
from notifiers.finishing import Claim, Ended, Finisher, Job
from notifiers.lines import Bounds
from notifiers.notice import Notice, article_bytes, json_ready, notice_of
from notifiers.opened import ChannelRow, Opened, OpenedChannels, channel_rows
from notifiers.outcome import Outcome
from notifiers.pacing import LEAD

log = structlog.get_logger()

JOBS_AT_ONCE = 8000
PARALLEL_SENDS = 32
DATABASE_RETRY_SECONDS = 0.5


@dataclass(frozen=True)
class ArticleForms:
    """An article as it is sent: JSON-ready, and serialised once for all its deliveries."""

    article: dict[str, Any]
    serialised: bytes


@dataclass(frozen=True)
class Taken:
    """A claimed batch with all that sending it needs."""

    claim: Claim
    rows: list[Claimed]
    channels: dict[str, ChannelRow]
    articles: dict[tuple[str, int], ArticleForms]
    promoted: list[Batch]


@dataclass(frozen=True)
class DeliverySettings:
    """What an installation decides about delivering; the last three are those of `Transfer`."""

    retry_schedule: tuple[int, ...]
    failing_patience: timedelta = timedelta(days=5)
    bounds: Bounds = Bounds()  # noqa: RUF009 (frozen)
    connect_seconds: float = CONNECT_SECONDS
    total_seconds: float = TRANSFER_SECONDS
    ca_file: str | None = None


class DeliveryService:
    """Sends what task messages name; shared by the worker's threads."""

    def __init__(
        self,
        store: Store,
        tasks: TaskQueue,
        kinds: Mapping[str, ChannelKind],
        transports: Transports,
        box: SecretBox,
        *,
        instance: str,
        settings: DeliverySettings,
        clock: Clock,
    ) -> None:
        self._store, self._transports, self._clock = store, transports, clock
        self._instance, self._schedule = instance, settings.retry_schedule
        self._opened = OpenedChannels(kinds, box)
        self._dispatcher = Dispatcher(store, tasks)
        self._finisher = Finisher(store, self._dispatcher, clock, failing_patience=settings.failing_patience)
        self._engine: PushEngine[Job] = PushEngine(
            transports.egress,
            self._pushed,
            clock,
            user_agent=transports.user_agent,
            bounds=settings.bounds,
            connect_seconds=settings.connect_seconds,
            total_seconds=settings.total_seconds,
            ca_file=settings.ca_file,
        )
        self._pool = ThreadPoolExecutor(PARALLEL_SENDS, thread_name_prefix="send")
        self._stopping = threading.Event()

    def start(self) -> None:
        """Begin to push and to write."""
        self._finisher.start()
        self._engine.start()

    def deliver(self, batch_id: str, _ids: list[str]) -> None:
        """Claim a batch and begin to send it; returns once all of it is under way."""
        taken = None
        if self._finisher.wait_for_room(JOBS_AT_ONCE, self._stopping):
            taken = self._claim_once_possible(batch_id)
        if taken is not None:
            self._dispatcher.enqueue(taken.promoted)
            self._begin(taken)
        elif self._stopping.is_set():
            self._dispatcher.give_back([batch_id])

    def _claim_once_possible(self, batch_id: str) -> Taken | None:
        """Claim a batch, waiting while the database is away: until then its message is kept."""
        while True:
            try:
                return self._claim(batch_id)
            except Unavailable as error:
                log.warning("batch waits for the database", batch=batch_id, problem=str(error))
            if self._stopping.wait(DATABASE_RETRY_SECONDS):
                return None

    def wait_until_idle(self, seconds: float) -> bool:
        """Wait until all that was begun is written; False when it takes longer than `seconds`."""
        return self._finisher.wait_until_idle(seconds)

    def begin_to_stop(self) -> None:
        """Begin nothing new."""
        self._stopping.set()

    def close(self, patience_seconds: float) -> None:
        """Wait for what is under way, and give back what is unfinished by then."""
        self.begin_to_stop()
        until = time.monotonic() + patience_seconds
        self._engine.stop(patience_seconds)
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._finisher.stop(max(0.5, until - time.monotonic()))
        try:
            with self._store.write() as session:
                returned = claims.return_claims_of(session, self._instance)
        except Unavailable as error:
            log.warning("claims were not given back and will expire", problem=str(error))
            return
        if returned:
            log.info("unfinished deliveries given back", deliveries=returned)

    def _claim(self, batch_id: str) -> Taken | None:
        now, claim_id = self._clock.now(), new_id("clm")
        with self._store.write() as session:
            claimed = claims.claim(session, batch_id, claim_id, self._instance, now, LEAD)
            if claimed is None:
                return None
            lane, rows = claimed
            channels = channel_rows(session, {row.channel_id for row in rows})
            rows = _without_refused(session, rows, channels, claim_id, now)
            articles = _articles(session, rows)
            if not rows:
                claims.end(session, [claim_id])
            promoted = batches.promote(session, [lane], now)
        self._release_resumed([one.id for one in channels.values() if one.state != ChannelState.ACTIVE])
        return Taken(Claim(claim_id, len(rows)), rows, channels, articles, promoted)

    def _release_resumed(self, channel_ids: Sequence[str]) -> None:
        """Let go what was held here while its channel was being resumed, which could not see it yet."""
        if not channel_ids:
            return
        with self._store.write() as session:
            for channel in turns.lock(session, channel_ids):
                if channel.state == ChannelState.ACTIVE:
                    ledger.release_channel(session, channel.id, self._clock.now())

    def _begin(self, taken: Taken) -> None:
        try:
            admitted = admission.admit(
                self._store, taken.claim.id, taken.rows, taken.channels, self._clock.now()
            )
            self._add_articles_of_company(taken, admitted)
        except Unavailable as error:
            log.warning("batch left to its claim's end", problem=str(error))
            return  # as nobody keeps the claim, it ends within a minute
        taken.claim.left = len(admitted)
        self._finisher.expect(taken.claim)
        pushes: list[Push[Job]] = []
        for one in admitted:
            channel = taken.channels[one.claimed.channel_id]
            schedule = self._schedule if channel.retry_schedule is None else channel.retry_schedule
            job = Job(one.claimed, taken.claim, channel, schedule, has_company=bool(one.also))
            self._prepare(job, one, taken.articles, pushes)
        self._engine.submit(pushes)

    def _prepare(
        self,
        job: Job,
        one: Admitted,
        articles: Mapping[tuple[str, int], ArticleForms],
        pushes: list[Push[Job]],
    ) -> None:
        """Begin one delivery; what is wrong with it must cost the others of its batch nothing."""
        try:
            opened = self._opened.open(job.channel)
            notice = self._notice(one, articles)
            if opened.pusher is None:
                self._pool.submit(self._send, job, opened, notice, one.not_before)
            else:
                body = opened.pusher.body(notice, self._transports.templates)
                pushes.append(_push(job, opened.pusher, notice.id, body, one.not_before))
        except (UndecryptableSecret, ValueError) as error:
            log.error("a channel cannot be read", channel=job.channel.id, problem=str(error))
            self._ended(job, Outcome(Reason.MISCONFIGURED, excerpt=str(error)), self._clock.now())
        except Exception:
            log.exception("a delivery could not be prepared", delivery=job.claimed.id)
            self._ended(job, Outcome(Reason.INTERNAL), self._clock.now())

    def _add_articles_of_company(self, taken: Taken, admitted: Sequence[Admitted]) -> None:
        """Read the articles that messages tell besides the claimed ones, as far as they are shown."""
        company = [other for one in admitted for other in _shown(one)]
        if company:
            with self._store.read() as session:
                taken.articles.update(_articles(session, company))

    def _notice(self, one: Admitted, articles: Mapping[tuple[str, int], ArticleForms]) -> Notice:
        """Return what is told: the claimed article, with others where a burst was collapsed."""
        claimed, public_url = one.claimed, self._transports.public_url
        known = [(other, articles.get((other.article_id, other.version))) for other in _shown(one)]
        also = [notice_of(other, other_forms.article) for other, other_forms in known if other_forms]
        if claimed.event == DIGEST:
            return digest_notice(claimed, also, len(one.also), public_url)
        forms = articles[(claimed.article_id, claimed.version)]
        notice = notice_of(claimed, forms.article, forms.serialised)
        if claimed.message_id is None:
            return notice
        notice.id, notice.link = claimed.message_id, public_url
        notice.also, notice.more = also, len(one.also) - len(also)
        return notice

    def _pushed(self, pushed: Sequence[Pushed[Job]]) -> None:
        """Take results from the engine's thread."""
        self._finisher.put([_ended(one) for one in pushed])

    def _send(self, job: Job, opened: Opened, notice: Notice, not_before: float | None) -> None:
        """Send once, in a thread of the pool; what is wrong with one channel costs the others nothing."""
        if not_before is not None:
            self._stopping.wait(max(0.0, not_before - time.monotonic()))
        if self._stopping.is_set():
            return  # given back with the claim
        started_at, started = self._clock.now(), time.monotonic()
        try:
            outcome = opened.sender.send(notice, opened.config, self._transports) if opened.sender else None
        except Exception:
            log.exception("a channel failed in itself", channel=job.channel.id, kind=job.channel.kind)
            outcome = Outcome(Reason.INTERNAL)
        self._ended(job, outcome, started_at, int((time.monotonic() - started) * 1_000))

    def _ended(self, job: Job, outcome: Outcome | None, started_at: datetime, duration_ms: int = 0) -> None:
        self._finisher.put([Ended(job, outcome, started_at, duration_ms)])


def _shown(one: Admitted) -> Sequence[Claimed]:
    """Return what is shown besides the claimed article, or of a digest; the rest is counted."""
    return one.also[: MOST_LISTED if one.claimed.event == DIGEST else MOST_SHOWN - 1]


def _push(job: Job, pusher: Pusher, message_id: str, body: bytes, not_before: float | None) -> Push[Job]:
    suspect = job.claimed.attempts > 0 or job.channel.failing_since is not None
    return Push(message_id, job.channel.id, pusher.origin, pusher, body, job, suspect, not_before)


def _ended(one: Pushed[Job]) -> Ended:
    if one.answer is None:
        return Ended(one.push.job, None, one.started_at, wait=one.wait)
    outcome = one.push.pusher.outcome(one.answer, one.started_at)
    return Ended(one.push.job, outcome, one.started_at, one.duration_ms)


def _without_refused(
    session: Session, rows: list[Claimed], channels: Mapping[str, ChannelRow], claim_id: str, now: datetime
) -> list[Claimed]:
    """Write off what must not be sent after all, and return the rest."""
    matched = {id_ for row in rows for id_, _query in row.matched}
    living = existing(session, matched)
    active = len(channels) > 0 and all(channel.state == ChannelState.ACTIVE for channel in channels.values())
    if active and len(living) == len(matched) and {row.channel_id for row in rows} == channels.keys():
        return rows
    refused = [
        refusal for row in rows if (refusal := _refusal(row, channels.get(row.channel_id), living, claim_id))
    ]
    written = claims.finish(session, refused, now)
    digests.follow(session, _refused_digests(rows, refused, written), now)
    left_out = {refusal.id for refusal in refused}
    return [row for row in rows if row.id not in left_out]


def _refused_digests(
    rows: Iterable[Claimed], refused: Iterable[Finished], written: Container[str]
) -> Iterator[EndedDigest]:
    """Yield the digests that are not sent after all: then nothing of what they tell is."""
    ended = {one.id: one for one in refused if one.state is DeliveryState.CANCELLED and one.id in written}
    for row in rows:
        if row.event == DIGEST and row.id in ended:
            yield EndedDigest(row, ended[row.id].state, ended[row.id].reason)


def _articles(session: Session, rows: Iterable[Claimed]) -> dict[tuple[str, int], ArticleForms]:
    keys = {(row.article_id, row.version) for row in rows}
    statement = (
        select(Article, ArticleVersion)
        .join(ArticleVersion, ArticleVersion.article_id == Article.id)
        .where(tuple_(ArticleVersion.article_id, ArticleVersion.version).in_(keys))
    )
    forms: dict[tuple[str, int], ArticleForms] = {}
    for article, version in session.execute(statement):
        ready = json_ready(article_json(article, version))
        forms[(article.id, version.version)] = ArticleForms(ready, article_bytes(ready))
    return forms


def _refusal(row: Claimed, channel: ChannelRow | None, living: set[str], claim_id: str) -> Finished | None:
    """Tell why a claimed row must not be sent after all, if so."""

    def refused(state: DeliveryState, reason: Reason | None) -> Finished:
        return Finished(row.id, row.article_day, claim_id, state, reason, step=row.step)

    if channel is None:
        return refused(DeliveryState.CANCELLED, Reason.CHANNEL_DELETED)
    if not row.is_wanted(living):
        return refused(DeliveryState.CANCELLED, Reason.UNSUBSCRIBED)
    if channel.state_reason == Reason.UNSUBSCRIBED:
        return refused(DeliveryState.CANCELLED, Reason.UNSUBSCRIBED)
    if channel.state != ChannelState.ACTIVE:
        return refused(DeliveryState.HELD, None)
    return None
