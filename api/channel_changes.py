"""Changing a channel: its fields, and whether it is sent to."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from api.channel_setup import PUBLIC_KEY, SECRET, SharedFields, ask_if_unverified, configure, read_shared
from api.inputs import parse
from api.ports import ChannelKindPort, SigningKindPort
from api.problems import Problem, conflict, invalid
from api.services import Services
from core.store import channels, confirmations, consents, ledger, pacing, recovery
from core.store.models import Channel
from core.store.states import ChannelState


@dataclass(frozen=True)
class ChannelChange:
    """Checked changes; `config` is None where nothing of the kind's own fields changes.

    `read_from` is the sealed configuration that `config` was made of.
    """

    shared: SharedFields
    config: dict[str, Any] | None
    read_from: str


def read_change(services: Services, channel: Channel, values: Mapping[str, Any]) -> ChannelChange:
    """Check changes of a channel's fields; raises Problem.

    It may resolve names, so call it outside of transactions.
    """
    kind = kind_of(services, channel)
    if SECRET in values:
        raise invalid(SECRET, f"is changed by POST /v1/channels/{channel.id}/rotate-secret")
    shared = read_shared(kind, values)
    own = {name: value for name, value in values.items() if name not in SharedFields.model_fields}
    if "kind" in own and own.pop("kind") != channel.kind:
        raise invalid("kind", "cannot be changed: make another channel")
    config = _changed_config(services, kind, channel, own) if own else None
    return ChannelChange(shared, config, channel.sealed)


def _changed_config(
    services: Services, kind: ChannelKindPort, channel: Channel, own: Mapping[str, Any]
) -> dict[str, Any]:
    stored = channels.unseal(services.box, channel)
    # A secret that was shown is not a field any more: what signs is carried over when the change is applied.
    kept = {name: stored[name] for name in kind.fields.model_fields if name in stored and name != SECRET}
    return configure(services, kind, parse(kind.fields, {**kept, **own}))


def apply_change(session: Session, services: Services, channel: Channel, change: ChannelChange) -> str | None:
    """Write changes, and return the secret to show if they made a new one.

    A new target that must be verified stops sending. Raises Problem 409.
    """
    now = services.clock.now()
    _apply_shared(session, channel, change.shared, now)
    channel.updated_at = now
    if change.config is None:
        return None
    if channel.sealed != change.read_from:
        raise conflict("The channel was changed by another request meanwhile. Try again.")
    kind = kind_of(services, channel)
    stored, config = channels.unseal(services.box, channel), change.config
    if isinstance(kind, SigningKindPort):
        config = kind.carry_keys(stored, config, now, services.secret_overlap)
    before, target = kind.target(stored), kind.target(config)
    if before != target:
        _retarget(session, kind, channel, target)
    channels.reconfigure(session, services.box, channel, target, config, now)
    if before != target:
        ask_if_unverified(session, services, channel)
    return config.get(SECRET) if config.get(SECRET) != stored.get(SECRET) else None


def _apply_shared(session: Session, channel: Channel, shared: SharedFields, now: datetime) -> None:
    rate_limit, ordering = channel.rate_limit, channel.ordering
    for name in shared.model_fields_set:
        setattr(channel, name, getattr(shared, name))
    if channel.rate_limit != rate_limit:
        pacing.forget_slots(session, channel, now)
    if (ordering, channel.ordering) == ("strict", "any"):
        pacing.leave_line(session, channel, now)


def _retarget(session: Session, kind: ChannelKindPort, channel: Channel, target: str) -> None:
    if channels.find_by_target(session, channel.account_id, kind.name, target) is not None:
        raise conflict("Another channel of this account has that target already.")
    if kind.initial_state == ChannelState.UNVERIFIED:
        channel.state, channel.state_reason = ChannelState.UNVERIFIED, None
        ledger.hold_channel(session, channel.id)


def rotate_secret(
    session: Session, services: Services, channel: Channel, secret: str | None
) -> dict[str, Any]:
    """Give a channel a new key, made or given, and return what its receiver verifies with.

    Raises Problem 409 where the kind has none, FieldError for a secret that is none.
    """
    kind, now = kind_of(services, channel), services.clock.now()
    if not isinstance(kind, SigningKindPort):
        raise conflict(f"A channel of the kind {channel.kind} has no secret.")
    config = kind.rotate(channels.unseal(services.box, channel), secret, now, services.secret_overlap)
    channels.reconfigure(session, services.box, channel, kind.target(config), config, now)
    if SECRET in config:
        return {SECRET: config[SECRET]}
    return {PUBLIC_KEY: kind.view(config)[PUBLIC_KEY]}


def pause(session: Session, services: Services, channel: Channel) -> None:
    """Keep back what is for an active channel; raises Problem 409 for one in another state."""
    kind_of(services, channel)
    _move(session, services, channel, ChannelState.ACTIVE, ChannelState.PAUSED)


def resume(session: Session, services: Services, channel: Channel) -> None:
    """Send to a paused channel again; raises Problem 409 for one in another state."""
    kind_of(services, channel)
    if consents.is_paused_by_reader(channel):
        raise conflict("The channel's reader has paused it, and only they can resume it.")
    _move(session, services, channel, ChannelState.PAUSED, ChannelState.ACTIVE)


def enable(session: Session, services: Services, channel: Channel, *, vouched: bool) -> None:
    """Send to a disabled channel again, or to an unverified one for which an administrator vouches.

    Raises Problem 403 where nobody vouches, 409 for a paused channel.
    """
    kind_of(services, channel)
    if consents.has_left(channel):
        raise conflict("The channel's reader has unsubscribed, and only they can subscribe again.")
    if channel.state == ChannelState.UNVERIFIED:
        if not vouched:
            raise Problem(403, "Only an administrator may enable a channel whose address is not verified.")
        _move(session, services, channel, ChannelState.UNVERIFIED, ChannelState.ACTIVE)
    else:
        _move(session, services, channel, ChannelState.DISABLED, ChannelState.ACTIVE)


def ask_again(session: Session, services: Services, channel: Channel) -> None:
    """Have the address asked once more; raises Problem 409 where it needs not be, 429 for too often."""
    kind_of(services, channel)
    if channel.state != ChannelState.UNVERIFIED:
        raise conflict("The channel's address needs no confirmation.")
    now = services.clock.now()
    allowed_at = confirmations.request(session, channel, now)
    if allowed_at is not None:
        wait = math.ceil((allowed_at - now).total_seconds())
        raise Problem(429, "The address was asked often enough.", headers={"Retry-After": str(wait)})


def recover(session: Session, services: Services, channel: Channel, since: datetime) -> int:
    """Revive what the channel has missed since a time; return how many. Raises Problem 409 for the inbox."""
    kind_of(services, channel)
    return recovery.recover_channel(session, channel, since, services.clock.now())


def _move(
    session: Session, services: Services, channel: Channel, before: ChannelState, after: ChannelState
) -> None:
    if channel.state == after:
        return
    if channel.state != before:
        raise conflict(f"The channel is {channel.state}, so it cannot become {after} this way.")
    channels.set_state(session, channel, after, None, services.clock.now())


def kind_of(services: Services, channel: Channel) -> ChannelKindPort:
    """Return a channel's kind; raises Problem 409 for one that is not sent to, such as the inbox."""
    kind = services.channel_kinds.get(channel.kind)
    if kind is None:
        raise conflict(f"A channel of the kind {channel.kind} is read, not sent to.")
    return kind
