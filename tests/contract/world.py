"""A small installation to test against: accounts, channels and subscriptions made directly in the store."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select

from core.clock import ManualClock
from core.errors import PublishError
from core.query import canonical
from core.signing import SecretBox
from core.store import accounts, channels, subscriptions
from core.store.channels import NewChannel
from core.store.engine import Store
from core.store.models import Channel, Delivery, Subscription
from core.store.states import ChannelState
from core.store.subscriptions import NewSubscription

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SECRET = "whsec_" + "QUJD" * 11


class RecordingTasks:
    """A task queue that remembers, and refuses while `broken`."""

    def __init__(self) -> None:
        self.batches: list[tuple[str, str, list[str]]] = []
        self.broken = False

    def enqueue(self, kind: str, day: str, ids: Sequence[str]) -> None:
        """Take a batch."""
        if self.broken:
            raise PublishError("no broker")
        self.batches.append((kind, day, list(ids)))

    @property
    def ids(self) -> list[str]:
        """Every delivery enqueued so far."""
        return [id_ for _kind, _day, ids in self.batches for id_ in ids]


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
