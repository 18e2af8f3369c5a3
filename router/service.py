"""The router: from an article message to committed rows in the ledger, then to task messages."""

import threading
from collections.abc import Iterator

import structlog

from core.bus.ports import ArticleConsumer, TaskQueue
from core.clock import Clock
from core.dispatch import Dispatcher
from core.errors import Unavailable
from core.message import ArticleMessage, decode
from core.store import articles, ledger
from core.store import subscriptions as stored
from core.store.articles import Origin
from core.store.batches import Batch
from core.store.engine import Store
from core.store.models import Article
from core.store.partitions import ensure_partition
from core.store.subscriptions import Recipient
from router.planning import by_channel, plan
from router.subscriptions_index import SubscriptionsIndex

CHANNELS_PER_COMMIT = 2_000

log = structlog.get_logger()


class Router:
    """Handles one article message after the other; each is finished before its message is acknowledged."""

    def __init__(
        self, store: Store, tasks: TaskQueue, clock: Clock, index: SubscriptionsIndex | None = None
    ) -> None:
        self._store = store
        self._dispatcher = Dispatcher(store, tasks)
        self._clock = clock
        self._index = SubscriptionsIndex() if index is None else index
        self._days_ready: set[str] = set()

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
        numbers = self._index.match(
            message.title,
            message.summary,
            source=origin.keys,
            language=message.language,
            categories=message.categories,
        )
        article = self._admit(origin, message)
        if article is not None:
            self._fan_out(article, message.version, numbers)

    def _admit(self, origin: Origin, message: ArticleMessage) -> Article | None:
        """Store a new version; None for a repeat that is fully planned, or an older version."""
        now = self._clock.now()
        with self._store.write() as session:
            article = articles.locked_article(session, origin, message, now)
            if message.version <= article.planned_version or message.version < article.version:
                return None
            if message.version > article.version:
                articles.store_version(session, article, message, now)
            return article

    def _fan_out(self, article: Article, version: int, numbers: list[int]) -> None:
        self._ensure_day(article)
        with self._store.read() as session:
            groups = by_channel(stored.recipients(session, numbers, article.account_id))
        chunks = list(_chunks(groups, CHANNELS_PER_COMMIT)) or [{}]
        for index, chunk in enumerate(chunks):
            batches = self._commit_chunk(article, version, chunk, last=index == len(chunks) - 1)
            if batches is None:
                return
            self._dispatcher.enqueue(batches)

    def _commit_chunk(
        self, article: Article, version: int, groups: dict[str, list[Recipient]], *, last: bool
    ) -> list[Batch] | None:
        """Write one chunk of a fan-out; None when a newer version has come meanwhile."""
        now, day = self._clock.now(), article.article_day
        with self._store.write() as session:
            if not articles.is_newest(session, article.id, version):
                return None
            told = ledger.channels_told(session, article.id, day, list(groups))
            planned = plan(groups, told, version)
            rows = ledger.settled(session, planned.deliveries)
            ledger.supersede(session, article.id, day, version, planned.superseded, now)
            batches = ledger.make(session, article.id, version, day, rows, now)
            if last:
                articles.mark_planned(session, article.id, version)
        return batches

    def _ensure_day(self, article: Article) -> None:
        day = article.article_day.isoformat()
        if day not in self._days_ready:
            ensure_partition(self._store, article.article_day)
            self._days_ready.add(day)


def _chunks(groups: dict[str, list[Recipient]], size: int) -> Iterator[dict[str, list[Recipient]]]:
    channels = list(groups)
    for start in range(0, len(channels), size):
        yield {channel: groups[channel] for channel in channels[start : start + size]}
