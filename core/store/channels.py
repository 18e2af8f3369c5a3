"""Channels: found by kind and target, with what their kind needs to know sealed."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.errors import Reason
from core.ids import new_id
from core.signing import SecretBox
from core.store import ledger
from core.store.models import Channel, Subscription
from core.store.revisions import log_changes
from core.store.states import INBOX_QUEUE, ChannelState

INBOX = "inbox"


@dataclass(frozen=True)
class NewChannel:
    """A channel as its kind described it: `config` is everything the kind needs, secrets included."""

    kind: str
    queue: str
    target: str
    state: ChannelState
    config: Mapping[str, Any]
    rate_limit: float | None = None
    retry_schedule: list[int] | None = None
    ordering: str = "any"
    collapse_seconds: float | None = None


def target_hash(kind: str, target: str) -> str:
    """Return what tells two targets apart without showing them (they may bear secrets)."""
    return hashlib.sha256(f"{kind}\0{target}".encode()).hexdigest()


def seal(box: SecretBox, config: Mapping[str, Any]) -> str:
    """Encrypt a channel's configuration."""
    return box.encrypt(json.dumps(dict(config), ensure_ascii=False, sort_keys=True))


def unseal(box: SecretBox, channel: Channel) -> dict[str, Any]:
    """Decrypt a channel's configuration."""
    return unseal_text(box, channel.sealed)


def unseal_text(box: SecretBox, sealed: str) -> dict[str, Any]:
    """Decrypt what a channel's `sealed` holds. Raises UndecryptableSecret."""
    config: dict[str, Any] = json.loads(box.decrypt(sealed))
    return config


def check_key(session: Session, box: SecretBox) -> None:
    """Raise UndecryptableSecret unless the secret key opens what is stored."""
    sealed = session.execute(select(Channel.sealed).limit(1)).scalar()
    if sealed is not None:
        box.decrypt(sealed)


def find_by_target(session: Session, account_id: str, kind: str, target: str) -> Channel | None:
    """Return the account's channel of that kind and target."""
    which = (
        Channel.account_id == account_id,
        Channel.kind == kind,
        Channel.target_hash == target_hash(kind, target),
    )
    return session.execute(select(Channel).where(*which)).scalar_one_or_none()


def add(session: Session, box: SecretBox, account_id: str, new: NewChannel, now: datetime) -> Channel:
    """Insert a channel."""
    channel = Channel(
        id=new_id("ch"),
        account_id=account_id,
        kind=new.kind,
        queue=new.queue,
        target_hash=target_hash(new.kind, new.target),
        sealed=seal(box, new.config),
        state=new.state,
        rate_limit=new.rate_limit,
        retry_schedule=new.retry_schedule,
        ordering=new.ordering,
        collapse_seconds=new.collapse_seconds,
        created_at=now,
        updated_at=now,
    )
    session.add(channel)
    session.flush()
    return channel


def inbox_of(session: Session, box: SecretBox, account_id: str, now: datetime) -> Channel:
    """Return the account's inbox, made on first use: its deliveries are read, not pushed."""
    found = find_by_target(session, account_id, INBOX, account_id)
    new = NewChannel(INBOX, INBOX_QUEUE, account_id, ChannelState.ACTIVE, {})
    return found or add(session, box, account_id, new, now)


def set_state(
    session: Session, channel: Channel, state: ChannelState, reason: str | None, now: datetime
) -> None:
    """Change whether a channel is sent to, holding or releasing what is pending."""
    channel.state, channel.state_reason, channel.updated_at = state, reason, now
    if state == ChannelState.ACTIVE:
        channel.failing_since = None
        ledger.release_channel(session, channel.id, now)
    elif state in (ChannelState.PAUSED, ChannelState.DISABLED):
        ledger.hold_channel(session, channel.id)


def remove(session: Session, channel: Channel, now: datetime) -> None:
    """Delete a channel with its subscriptions; what was not sent yet is cancelled."""
    numbers = select(Subscription.number).where(Subscription.channel_id == channel.id)
    log_changes(session, session.execute(numbers).scalars().all())
    ledger.cancel_channel(session, channel.id, Reason.CHANNEL_DELETED, now)
    session.delete(channel)


def reconfigure(
    session: Session, box: SecretBox, channel: Channel, target: str, config: Mapping[str, Any], now: datetime
) -> None:
    """Replace what a channel's kind needs to know, its target included."""
    channel.target_hash = target_hash(channel.kind, target)
    channel.sealed = seal(box, config)
    channel.updated_at = now
    session.flush()
