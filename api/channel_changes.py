"""Changing a channel: its fields, and whether it is sent to."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from api.channel_setup import SECRET, SharedFields, configure, read_shared
from api.inputs import parse
from api.ports import ChannelKindPort
from api.problems import Problem, conflict, invalid
from api.services import Services
from core.signing import new_secret
from core.store import channels, ledger
from core.store.models import Channel
from core.store.states import ChannelState


@dataclass(frozen=True)
class ChannelChange:
    """Checked changes; `config` is None where nothing of the kind's own fields changes."""

    shared: SharedFields
    config: dict[str, Any] | None


def read_change(services: Services, channel: Channel, values: Mapping[str, Any]) -> ChannelChange:
    """Check changes of a channel's fields; raises Problem.

    It may resolve names, so call it outside of transactions.
    """
    kind = kind_of(services, channel)
    if SECRET in values:
        raise invalid(SECRET, f"is changed by POST /v1/channels/{channel.id}/rotate-secret")
    shared = read_shared(values)
    own = {name: value for name, value in values.items() if name not in SharedFields.model_fields}
    if "kind" in own and own.pop("kind") != channel.kind:
        raise invalid("kind", "cannot be changed: make another channel")
    return ChannelChange(shared, _changed_config(services, kind, channel, own) if own else None)


def _changed_config(
    services: Services, kind: ChannelKindPort, channel: Channel, own: Mapping[str, Any]
) -> dict[str, Any]:
    stored = channels.unseal(services.box, channel)
    kept = {name: value for name, value in stored.items() if name in kind.fields.model_fields}
    return configure(services, kind, parse(kind.fields, {**kept, **own}))


def apply_change(session: Session, services: Services, channel: Channel, change: ChannelChange) -> None:
    """Write changes; a new target that must be verified stops sending. Raises Problem 409."""
    now = services.clock.now()
    for name in change.shared.model_fields_set:
        setattr(channel, name, getattr(change.shared, name))
    channel.updated_at = now
    if change.config is None:
        return
    kind = kind_of(services, channel)
    stored = channels.unseal(services.box, channel)
    config = change.config | ({SECRET: stored[SECRET]} if SECRET in stored else {})
    before, target = kind.target(stored), kind.target(config)
    if before != target:
        _retarget(session, kind, channel, target)
    channels.reconfigure(session, services.box, channel, target, config, now)


def _retarget(session: Session, kind: ChannelKindPort, channel: Channel, target: str) -> None:
    if channels.find_by_target(session, channel.account_id, kind.name, target) is not None:
        raise conflict("Another channel of this account has that target already.")
    if kind.initial_state == ChannelState.UNVERIFIED:
        channel.state, channel.state_reason = ChannelState.UNVERIFIED, None
        ledger.hold_channel(session, channel.id)


def rotate_secret(session: Session, services: Services, channel: Channel) -> str:
    """Give a channel a new secret and return it; raises Problem 409 where the kind has none."""
    kind = kind_of(services, channel)
    config = channels.unseal(services.box, channel)
    if SECRET not in config:
        raise conflict(f"A channel of the kind {channel.kind} has no secret.")
    config[SECRET] = new_secret()
    channels.reconfigure(session, services.box, channel, kind.target(config), config, services.clock.now())
    return str(config[SECRET])


def pause(session: Session, services: Services, channel: Channel) -> None:
    """Keep back what is for an active channel; raises Problem 409 for one in another state."""
    kind_of(services, channel)
    _move(session, services, channel, ChannelState.ACTIVE, ChannelState.PAUSED)


def resume(session: Session, services: Services, channel: Channel) -> None:
    """Send to a paused channel again; raises Problem 409 for one in another state."""
    kind_of(services, channel)
    _move(session, services, channel, ChannelState.PAUSED, ChannelState.ACTIVE)


def enable(session: Session, services: Services, channel: Channel, *, vouched: bool) -> None:
    """Send to a disabled channel again, or to an unverified one for which an administrator vouches.

    Raises Problem 403 where nobody vouches, 409 for a paused channel.
    """
    kind_of(services, channel)
    if channel.state == ChannelState.UNVERIFIED:
        if not vouched:
            raise Problem(403, "Only an administrator may enable a channel whose address is not verified.")
        _move(session, services, channel, ChannelState.UNVERIFIED, ChannelState.ACTIVE)
    else:
        _move(session, services, channel, ChannelState.DISABLED, ChannelState.ACTIVE)


def _move(
    session: Session, services: Services, channel: Channel, before: ChannelState, after: ChannelState
) -> None:
    if channel.state == after:
        return
    if channel.state != before:
        raise conflict(f"The channel is {channel.state}, so it cannot become {after} this way.")
    channels.set_state(session, channel, after, None, services.clock.now())


def kind_of(services: Services, channel: Channel) -> ChannelKindPort:
    """Return a channel's kind; raises Problem 409 for one that is not pushed to, such as the inbox."""
    kind = services.channel_kinds.get(channel.kind)
    if kind is None:
        raise conflict(f"A channel of the kind {channel.kind} has nothing that could be changed.")
    return kind
