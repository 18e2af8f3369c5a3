"""A leader's poller whose articles are routed at once, so that one sees what would be told to whom."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from core.errors import PublishError
from core.message import ArticleMessage
from core.store import leases
from core.store.engine import Store
from core.store.models import Article, Delivery
from fetcher.hosts import HostGate
from router.service import Router
from tests.contract.desk import ConfirmingPublisher, Desk
from tests.contract.world import World


class RoutingPublisher(ConfirmingPublisher):
    """A broker with a router behind it; `dies` after so many messages more, if that is set."""

    def __init__(self, router: Router) -> None:
        super().__init__()
        self.router = router
        self.dies: int | None = None

    def publish_many(self, messages: Sequence[ArticleMessage]) -> list[PublishError | None]:
        """Confirm each, or die before the next."""
        outcomes = []
        for message in messages:
            self._live()
            outcomes.append(self._publish(message))
        self._live()
        return outcomes

    def _live(self) -> None:
        if self.dies is not None:
            if self.dies == 0:
                raise Killed
            self.dies -= 1

    def _publish(self, message: ArticleMessage) -> PublishError | None:
        refusal = super()._publish(message)
        if refusal is None:
            self.router.handle(json.dumps(message.as_json()).encode())
        return refusal


class Killed(BaseException):
    """A process ends here: nothing of what follows is done, and nothing is cleaned up."""


@dataclass
class Newsroom:
    """An installation with one leader, or several that take each other for dead."""

    store: Store
    desk: Desk
    world: World = field(init=False)
    leaders: int = 1

    def __post_init__(self) -> None:
        self.world = World(self.store, self.desk.clock)
        self.desk.publisher = self.publisher()

    def publisher(self) -> RoutingPublisher:
        """Return a new connection to the broker."""
        return RoutingPublisher(Router(self.store, self.world.tasks, self.desk.clock))

    def reader(self, query: str, name: str = "reader", sources: list[str] | None = None) -> str:
        """Subscribe a webhook of its own; return its id."""
        account = self.world.account(name)
        channel = self.world.webhook(account, f"https://{name}.example/hook")
        self.world.subscribe(account, channel, query, sources=sources, updates=True)
        return channel

    def next_leader(self) -> Desk:
        """Let another process lead, whatever the one before thinks."""
        self.desk.expire_lease()
        self.leaders += 1
        grant = leases.acquire(self.store, "leader", f"leader {self.leaders}", 600)
        assert grant is not None
        return replace(self.desk, grant=grant, publisher=self.publisher(), gate=HostGate(0))

    def told(self, channel: str) -> Counter[tuple[str, int]]:
        """Return how often each (id, version) of an article is in the ledger for a channel."""
        with self.store.read() as session:
            rows = session.query(Delivery, Article).join(Article, Article.id == Delivery.article_id)
            return Counter((a.producer_id, d.version) for d, a in rows if d.channel_id == channel)
