"""A leader's poller with everything around it, and the feeds it is given to read."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import format_datetime
from ipaddress import ip_network
from types import SimpleNamespace
from typing import Any

from sqlalchemy import select, update

import fetcher.sources
from core.clock import ManualClock
from core.egress import EgressPolicy, GuardedSession
from core.errors import PublishError
from core.message import ArticleMessage
from core.registry import discover
from core.store import leases, sources
from core.store.engine import Store
from core.store.leases import Grant
from core.store.models import Entry, Lease, Notice, Source
from core.store.sources import NewSource
from fetcher.hosts import HostGate
from fetcher.outbox import Outbox
from fetcher.poller import Poller
from tests.contract.world import NOON
from tests.receiver import Respond

OPEN = EgressPolicy((ip_network("127.0.0.0/8"),))
KEY = "0123456789abcdef"


class ConfirmingPublisher:
    """A broker's place: confirms what is published, except what it is told to refuse."""

    def __init__(self) -> None:
        self.confirmed: list[ArticleMessage] = []
        self.refusing: set[str] | None = set()  # ids; None refuses everything

    def publish_many(self, messages: Sequence[ArticleMessage]) -> list[PublishError | None]:
        """Confirm or refuse each."""
        return [self._publish(message) for message in messages]

    def publish(self, message: ArticleMessage) -> None:
        """Confirm, or raise."""
        if refusal := self._publish(message):
            raise refusal

    def _publish(self, message: ArticleMessage) -> PublishError | None:
        if self.refusing is None or message.id in self.refusing:
            return PublishError("not confirmed")
        self.confirmed.append(message)
        return None

    def close(self) -> None:
        """Nothing is held."""

    def take(self) -> list[tuple[str, int]]:
        """Return id and version of what was confirmed since the last call."""
        told = [(message.id, message.version) for message in self.confirmed]
        self.confirmed.clear()
        return told


@dataclass
class Desk:
    """A leader's poller with everything around it."""

    store: Store
    session: GuardedSession
    grant: Grant
    gate: HostGate = field(default_factory=lambda: HostGate(0))
    publisher: ConfirmingPublisher = field(default_factory=ConfirmingPublisher)
    clock: ManualClock = field(default_factory=lambda: ManualClock(NOON))
    seconds: float = 1_000.0
    kinds: dict[str, Any] = field(default_factory=lambda: discover(fetcher.sources, "KIND"))
    secrets: dict[str, str] = field(default_factory=lambda: {"newsapi_key": KEY})

    @property
    def outbox(self) -> Outbox:
        return Outbox(self.store, self.publisher, self.clock)

    def add(
        self,
        url: str,
        kind: str = "feed",
        owner: str | None = None,
        name: str = "",
        interval: int | None = None,
    ) -> str:
        with self.store.write() as session:
            new = NewSource(kind, url, name, interval, self.clock.now())
            return sources.find_or_create(session, owner, new, self.clock.now())[0].id

    def poll(self, source_id: str, monotonic: Callable[[], float] | None = None) -> float | None:
        poller = Poller(
            self.store,
            self.session,
            self.kinds,
            self.outbox,
            self.clock,
            parse=lambda kind, document, now: kind.parse(document, now),
            secrets=self.secrets,
            gate=self.gate,
            backfill=10,
            monotonic=monotonic or (lambda: self.seconds),
        )
        return poller.poll(source_id, self.grant)

    def source(self, source_id: str) -> Source:
        with self.store.read() as session:
            return session.get_one(Source, source_id)

    def entries(self) -> dict[str, Entry]:
        with self.store.read() as session:
            return {entry.producer_id: entry for entry in session.execute(select(Entry)).scalars()}

    def wait_until_next(self, source_id: str) -> float:
        """Return the seconds from now until the next poll."""
        due = self.source(source_id).next_poll_at
        assert due is not None
        return (due - self.clock.now()).total_seconds()

    def poll_when_due(self, source_id: str) -> float | None:
        """Let time pass until the next poll is due, and make it."""
        due = self.source(source_id).next_poll_at
        assert due is not None, "it is never due again"
        self.clock.advance(seconds=max((due - self.clock.now()).total_seconds(), 0.0))
        return self.poll(source_id)

    def notices(self) -> list[Notice]:
        """Return what owners are to be told."""
        with self.store.read() as session:
            return list(session.execute(select(Notice).order_by(Notice.id)).scalars())

    def expire_lease(self) -> None:
        """Let the lease have run out, without the leader's knowledge."""
        with self.store.write() as session:
            session.execute(update(Lease).values(expires_at=NOON.replace(year=2020)))

    def depose(self) -> None:
        """Let somebody else take the lease."""
        self.expire_lease()
        assert leases.acquire(self.store, "leader", "another", 600) is not None


@dataclass(frozen=True)
class Post:
    """An item of a feed."""

    guid: str
    title: str
    published: datetime = NOON


def posts(count: int) -> list[Post]:
    """Return items, the newest first, one for each minute before noon."""
    return [Post(f"p{number}", f"Post {number}", NOON - timedelta(minutes=number)) for number in range(count)]


def rss(items: Sequence[Post]) -> bytes:
    parts = [
        f"<item><guid isPermaLink='false'>{item.guid}</guid><title>{item.title}</title>"
        f"<pubDate>{format_datetime(item.published)}</pubDate></item>"
        for item in items
    ]
    channel = f"<title>The Times of Testing</title>{''.join(parts)}"
    return f"<?xml version='1.0'?><rss version='2.0'><channel>{channel}</channel></rss>".encode()


def feed(items: Sequence[Post], **headers: str) -> Respond:
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Respond(200, rss(items), (("Content-Type", "application/rss+xml"), *named))


def kind_that(kind: Any, **does: Any) -> Any:
    """Return a kind of source that does something differently."""
    names = (
        "name",
        "default_interval_seconds",
        "shortest_interval_seconds",
        "example_url",
        "check",
        "request",
        "parse",
    )
    return SimpleNamespace(**{name: getattr(kind, name) for name in names} | does)
