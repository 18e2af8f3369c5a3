"""A small installation to test against: accounts, channels and subscriptions made directly in the store."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import select

from core.clock import ManualClock
from core.errors import PublishError
from core.query import canonical
from core.signing import SecretBox
from core.store import accounts, batches, channels, claims, ledger, subscriptions
from core.store.channels import NewChannel
from core.store.claims import Claimed, Finished
from core.store.engine import Store
from core.store.ledger import NewDelivery
from core.store.models import Batch, Channel, Delivery, Subscription
from core.store.states import ChannelState, DeliveryState
from core.store.subscriptions import NewSubscription

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
TODAY = NOON.date()
SECRET = "whsec_" + "QUJD" * 11


def due(
    channel: str,
    account: str = "acc",
    *,
    queue: str = "webhook",
    state: DeliveryState = DeliveryState.PENDING,
    strict: bool = False,
) -> NewDelivery:
    """Return a row to be made."""
    return NewDelivery(channel, account, queue, "article.published", state, [["s", "q"]], 1, strict)


class RecordingTasks:
    """A task queue that remembers, and refuses while `broken`."""

    def __init__(self) -> None:
        self.batches: list[tuple[str, str, list[str]]] = []
        self.broken = False

    def enqueue(self, kind: str, batch: str, ids: Sequence[str]) -> None:
        """Take a batch."""
        if self.broken:
            raise PublishError("no broker")
        self.batches.append((kind, batch, list(ids)))

    @property
    def ids(self) -> list[str]:
        """Every delivery enqueued so far."""
        return [id_ for _kind, _batch, ids in self.batches for id_ in ids]


@dataclass
class World:
    """One store with what tests put into it."""

    store: Store
    clock: ManualClock = field(default_factory=lambda: ManualClock(NOON))
    tasks: RecordingTasks = field(default_factory=RecordingTasks)
    box: SecretBox = field(default_factory=lambda: SecretBox.from_setting("k" * 32))

    def account(self, name: str = "readers") -> str:
        """Make an account."""
        with self.store.write() as session:
            return accounts.ensure_account(session, name, self.clock.now())

    def webhook(self, account: str, url: str, state: ChannelState = ChannelState.ACTIVE, **more: Any) -> str:
        """Make a webhook channel."""
        config = {"url": url, "headers": {}, "secret": SECRET}
        new = NewChannel("webhook", "webhook", url, state, config, **more)
        with self.store.write() as session:
            return channels.add(session, self.box, account, new, self.clock.now()).id

    def chat(self, account: str, url: str, kind: str = "slack", **more: Any) -> str:
        """Make a chat, without a limit of its own unless told; bursts collapse within ten seconds."""
        pace: dict[str, Any] = {"ordering": "strict", "collapse_seconds": 10.0}
        new = NewChannel(kind, "chat", url, ChannelState.ACTIVE, {"url": url}, **(pace | more))
        with self.store.write() as session:
            return channels.add(session, self.box, account, new, self.clock.now()).id

    def subscribe(self, account: str, channel: str, query: str, **more: Any) -> str:
        """Make a subscription."""
        new = NewSubscription(query, canonical(query), topic=False, **more)
        with self.store.write() as session:
            return subscriptions.add(session, account, channel, new, self.clock.now()).id

    def unsubscribe(self, subscription_id: str) -> None:
        """Delete a subscription."""
        with self.store.write() as session:
            which = select(Subscription).where(Subscription.id == subscription_id)
            subscriptions.remove(session, session.execute(which).scalar_one())

    def set_state(self, channel_id: str, state: ChannelState) -> None:
        """Pause, disable or activate a channel."""
        with self.store.write() as session:
            channel = session.get_one(Channel, channel_id)
            channels.set_state(session, channel, state, None, self.clock.now())

    def deliveries(self) -> list[Delivery]:
        """Return the whole ledger, oldest first."""
        with self.store.read() as session:
            return list(session.execute(select(Delivery).order_by(Delivery.id)).scalars())

    def states(self) -> list[tuple[int, str]]:
        """Return (version, state) of every delivery, oldest first."""
        return [(row.version, row.state) for row in self.deliveries()]

    def batches_left(self) -> list[Batch]:
        """Return every batch that is not dealt with, oldest first."""
        with self.store.read() as session:
            return list(session.execute(select(Batch).order_by(Batch.id)).scalars())

    # --- what routers and workers do, a step at a time

    def make(
        self, *rows: NewDelivery, article: str = "art_1", version: int = 1, day: date = TODAY
    ) -> list[batches.Batch]:
        """Make deliveries as a router does; return the batches to be enqueued."""
        with self.store.write() as session:
            return ledger.make(session, article, version, day, rows, self.clock.now())

    def claim(
        self, batch_id: str, claim_id: str = "c1", instance: str = "i1", lead: timedelta = timedelta(0)
    ) -> list[Claimed] | None:
        """Claim a batch as a worker does, and enqueue what it promotes; None when it was not to be had."""
        now = self.clock.now()
        with self.store.write() as session:
            taken = claims.claim(session, batch_id, claim_id, instance, now, lead)
            promoted = batches.promote(session, [taken[0]], now) if taken else []
        for batch in promoted:
            self.tasks.enqueue(batch.queue, batch.id, batch.ids)
        return taken[1] if taken else None

    def finish(self, *results: Finished) -> set[str]:
        """Write how claimed deliveries ended; return the ids written."""
        with self.store.write() as session:
            return claims.finish(session, results, self.clock.now())

    def delivered(self, row: Claimed, claim_id: str = "c1") -> Finished:
        """Return the result of a claimed delivery that was taken."""
        return Finished(
            row.id,
            row.article_day,
            claim_id,
            DeliveryState.DELIVERED,
            attempt=row.attempts + 1,
            started_at=self.clock.now(),
            duration_ms=5,
            status=204,
        )
