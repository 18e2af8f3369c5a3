"""Who reads the mail of a channel, and what is shown to them."""

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from api.services import Services
from api.views import timestamp
from core.signing import Addressee
from core.store import channels, confirmations, consents, listings
from core.store.listings import DeliveryFilter
from core.store.models import Channel
from core.store.states import ChannelState

DELIVERIES_EXPORTED = 10_000


@dataclass(frozen=True)
class Reader:
    """Whom a token was made for."""

    addressee: Addressee

    @property
    def channel_id(self) -> str:
        """The channel that the token names."""
        return self.addressee.channel_id

    def channel(self, session: Session, *, lock: bool = False) -> Channel | None:
        """Return the channel, None if it is gone or has another address than the token was sent to."""
        which = select(Channel).where(Channel.id == self.channel_id)
        channel = session.execute(which.with_for_update() if lock else which).scalar_one_or_none()
        return channel if channel is not None and self.addressee.is_at(channel.target_hash) else None


@dataclass(frozen=True)
class ReaderView:
    """What pages say of a channel; `topics` are (id, query)."""

    address: str
    state: str
    has_left: bool
    paused_by_reader: bool
    topics: list[tuple[str, str]]

    @property
    def active(self) -> bool:
        """Whether news is sent."""
        return self.state == ChannelState.ACTIVE

    @property
    def unverified(self) -> bool:
        """Whether the reader's word is missing."""
        return self.state == ChannelState.UNVERIFIED


def view_of(session: Session, services: Services, channel: Channel) -> ReaderView:
    """Return what a channel's reader is shown."""
    followed = consents.subscriptions_of(session, channel)
    return ReaderView(
        address=str(channels.unseal(services.box, channel)["address"]),
        state=channel.state,
        has_left=consents.has_left(channel),
        paused_by_reader=consents.is_paused_by_reader(channel),
        topics=[(one.id, one.query) for one in followed],
    )


def export_of(session: Session, services: Services, channel: Channel) -> str:
    """Return as JSON all that is kept of a channel's reader, at most 10,000 deliveries, the newest."""
    asked = confirmations.latest(session, channel.id)
    which = DeliveryFilter(channel_id=channel.id)
    sent = listings.deliveries(session, channel.account_id, which, None, DELIVERIES_EXPORTED)
    document: dict[str, Any] = {
        "address": channels.unseal(services.box, channel)["address"],
        "state": channel.state,
        "state_reason": channel.state_reason,
        "created_at": timestamp(channel.created_at),
        "asked_at": timestamp(asked.sent_at) if asked else None,
        "confirmed_at": timestamp(asked.confirmed_at) if asked else None,
        "topics": [
            {"query": one.query, "since": timestamp(one.created_at)}
            for one in consents.subscriptions_of(session, channel)
        ],
        "mails": [
            {
                "title": title,
                "state": delivery.state,
                "created_at": timestamp(delivery.created_at),
                "finished_at": timestamp(delivery.finished_at),
            }
            for delivery, title in sent.rows
        ],
    }
    return json.dumps(document, ensure_ascii=False, indent=2)
