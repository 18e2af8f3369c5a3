"""The router: from an article message to committed rows in the ledger, then to task messages."""

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from itertools import chain

import structlog

from core.bus.ports import ArticleConsumer, TaskQueue
from core.clock import Clock
from core.digest_schedule import next_due
from core.dispatch import Dispatcher
from core.errors import Unavailable
from core.message import ArticleMessage, decode
from core.store import articles, ledger, placing, stories
from core.store import subscriptions as stored
from core.store.articles import Origin
from core.store.batches import Batch
from core.store.engine import Store
from core.store.models import ArticleVersion
from core.store.partitions import ensure_partition
from core.store.placing import Place
from core.store.subscriptions import Recipient
from router.planning import asking_once, by_channel, digest_schedules, plan, without_repeated_stories
from router.readings import Reading, of_appearance, of_version
from router.subscriptions_index import SubscriptionsIndex

CHANNELS_PER_COMMIT = 2_000

log = structlog.get_logger()


@dataclass(frozen=True)
class Routing:
    """A version that is to be routed: where it belongs, and what of it is matched."""

    place: Place
    version: int
    readings: list[Reading]


class Router:
    """Handles one article message after the other; each is finished before its message is acknowledged."""

    def __init__(
        self, store: Store, tasks: TaskQueue, clock: Clock, index: SubscriptionsIndex | None = None
    ) -> None:
        self._store = store
        self._dispatcher = Dispatcher(store, tasks)
        self._clock = clock
        self._index = SubscriptionsIndex() if index is None else index
        self._days_ready: set[date] = set()

    def run(self, consumer: ArticleConsumer, stop: threading.Event) -> None:
        """Consume until told to stop."""
        consumer.run(self.handle, stop)

    def catch_up(self) -> None:
        """Learn of changed subscriptions, so that the next article need not wait; at first, load them all."""
        try:
            with self._store.read() as session:
                self._index.catch_up(session)
        except Unavailable as error:
            log.warning("subscriptions not looked at", problem=str(error))

    def handle(self, body: bytes) -> None:
        """Route one message.

        Raises UnreadableMessage when it can never be, Unavailable while the database is away.
        """
        message = decode(body)
        with self._store.read() as session:
            self._index.catch_up(session)
            origin = articles.origin_of(session, message)
        routing = self._admit(origin, message)
        if routing is not None:
            self._fan_out(routing, self._matching(routing.readings))

    def _admit(self, origin: Origin, message: ArticleMessage) -> Routing | None:
        """Store what is new; None for a repeat that is fully planned, or an older version."""
        now = self._clock.now()
        with self._store.write() as session:
            place = placing.place(session, origin, message, now)
            article, holder = place.article, place.holder
            if message.version <= holder.planned_version or message.version < holder.version:
                return None
            if place.appearance is not None:
                place.appearance.version = message.version
                newest = session.get(ArticleVersion, (article.id, article.version))
                return Routing(place, message.version, of_appearance(message, origin.keys, newest))
            is_new = article.version == 0
            if message.version > article.version:
                articles.store_version(session, article, message, now)
            others = [] if is_new else placing.other_sources(session, article.id)
            return Routing(place, message.version, of_version(message, origin.keys, others))

    def _matching(self, readings: Iterable[Reading]) -> list[int]:
        found = (
            self._index.match(
                one.title,
                one.summary,
                source=one.source,
                language=one.language,
                categories=list(one.categories),
            )
            for one in readings
        )
        return list(dict.fromkeys(chain.from_iterable(found)))

    def _fan_out(self, routing: Routing, numbers: list[int]) -> None:
        article = routing.place.article
        self._ensure_day(article.article_day)
        with self._store.read() as session:
            groups = by_channel(stored.recipients(session, numbers, article.account_id))
        self._ensure_days_of_digests(groups)
        chunks = list(_chunks(groups, CHANNELS_PER_COMMIT)) or [{}]
        for index, chunk in enumerate(chunks):
            batches = self._commit_chunk(routing, chunk, last=index == len(chunks) - 1)
            if batches is None:
                return
            self._dispatcher.enqueue(batches)

    def _commit_chunk(
        self, routing: Routing, groups: dict[str, list[Recipient]], *, last: bool
    ) -> list[Batch] | None:
        """Write one chunk of a fan-out; None when a newer version has come meanwhile."""
        now, article = self._clock.now(), routing.place.article
        day, joins = article.article_day, routing.place.appearance is not None
        with self._store.write() as session:
            newest = articles.newest_version(session, article.id)
            if newest is None or not (joins or newest == routing.version):
                return None
            told = ledger.channels_told(session, article.id, day, list(groups))
            story_told = stories.told(session, article, asking_once(groups, told))
            wanted = without_repeated_stories(groups, told, story_told)
            planned = plan(wanted, told, newest, now, only_untold=joins)
            rows = ledger.settled(session, planned.deliveries)
            ledger.supersede(session, article.id, day, newest, planned.superseded, now)
            batches = ledger.make(session, article.id, newest, day, rows, now)
            if last:
                placing.mark_planned(session, routing.place, routing.version)
        return batches

    def _ensure_days_of_digests(self, groups: dict[str, list[Recipient]]) -> None:
        """Have a partition for each digest that is due next, and for the one after, if that is on its way."""
        schedules = {schedule for matched in groups.values() for schedule in digest_schedules(matched)}
        for schedule in schedules:
            due = next_due(schedule, self._clock.now())
            self._ensure_day(due.date())
            self._ensure_day(next_due(schedule, due).date())

    def _ensure_day(self, day: date) -> None:
        if day not in self._days_ready:
            ensure_partition(self._store, day)
            self._days_ready.add(day)


def _chunks(groups: dict[str, list[Recipient]], size: int) -> Iterator[dict[str, list[Recipient]]]:
    channels = list(groups)
    for start in range(0, len(channels), size):
        yield {channel: groups[channel] for channel in channels[start : start + size]}
