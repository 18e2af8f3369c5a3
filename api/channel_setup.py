"""Making a channel out of what a client says of it, or finding the one that is the same."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from api.inputs import Input, parse
from api.ports import ChannelKindPort
from api.problems import conflict, invalid, not_found
from api.services import Services
from api.views import timestamp
from core.egress import masked_url
from core.errors import FieldError
from core.store import channels, confirmations, consents
from core.store.channels import NewChannel
from core.store.models import Channel
from core.store.states import ChannelState

SECRET = "secret"  # noqa: S105 (the field's name)
PUBLIC_KEY = "public_key"
SHORTEST_RETRY, LONGEST_RETRY = 1, 30 * 86_400
LOWEST_RATE, HIGHEST_RATE = 0.0001, 1_000  # a second

RetrySeconds = Annotated[int, Field(ge=SHORTEST_RETRY, le=LONGEST_RETRY)]
RetrySchedule = Annotated[list[RetrySeconds], Field(max_length=30)]
CollapseSeconds = Annotated[float, Field(ge=1, le=3_600, allow_inf_nan=False)]
RateLimit = Annotated[float, Field(ge=LOWEST_RATE, le=HIGHEST_RATE, allow_inf_nan=False)]


class SharedFields(Input):
    """What every kind of channel has."""

    rate_limit: RateLimit | None = None
    retry_schedule: RetrySchedule | None = None
    ordering: Literal["any", "strict"] = "any"
    collapse_seconds: CollapseSeconds | None = None


class ChannelKindField(Input):
    """The field that decides which others there are."""

    kind: Annotated[str, Field(min_length=1, max_length=100)]


@dataclass(frozen=True)
class ChannelSpec:
    """A channel as a client described it, checked; `given` names the fields that it did not leave out."""

    kind: ChannelKindPort
    config: dict[str, Any]
    shared: SharedFields
    given: frozenset[str]

    @property
    def target(self) -> str:
        """What makes two channels of the kind the same."""
        return self.kind.target(self.config)


@dataclass(frozen=True)
class FoundChannel:
    """A channel, and the secret to show, where one was made just now."""

    channel: Channel
    is_new: bool
    secret: str | None


def read_spec(services: Services, values: Mapping[str, Any], prefix: str = "") -> ChannelSpec:
    """Check a description of a channel; raises Problem naming the field, which `prefix` precedes.

    It may resolve names, so call it outside of transactions.
    """
    kind = _kind(services, values, prefix)
    shared = read_shared(kind, values, prefix)
    own = {name: value for name, value in values.items() if name not in {"kind", *SharedFields.model_fields}}
    fields = parse(kind.fields, own, prefix)
    given = {name for name in fields.model_fields_set if getattr(fields, name) is not None}
    config = configure(services, kind, fields, prefix)
    return ChannelSpec(kind, config, shared, frozenset(given | shared.model_fields_set))


def read_shared(kind: ChannelKindPort, values: Mapping[str, Any], prefix: str = "") -> SharedFields:
    """Check the fields that every kind has; raises Problem."""
    given = {name: values[name] for name in SharedFields.model_fields if name in values}
    shared = parse(SharedFields, given, prefix)
    if shared.ordering == "strict" and not getattr(kind, "orderable", False):
        raise invalid(f"{prefix}ordering", f"channels of the kind {kind.name} have no strict order")
    if shared.collapse_seconds is not None and not hasattr(kind, "collapse_seconds"):
        words = f"channels of the kind {kind.name} get each article by itself"
        raise invalid(f"{prefix}collapse_seconds", words)
    return shared


def configure(
    services: Services, kind: ChannelKindPort, fields: BaseModel, prefix: str = ""
) -> dict[str, Any]:
    """Have the kind check its fields; raises Problem naming the one it refuses."""
    try:
        return kind.configure(fields, services.egress)
    except FieldError as error:
        raise invalid(prefix + error.field, str(error)) from error


def _kind(services: Services, values: Mapping[str, Any], prefix: str) -> ChannelKindPort:
    named = {"kind": values["kind"]} if "kind" in values else {}
    name = parse(ChannelKindField, named, prefix).kind
    if name not in services.channel_kinds:
        known = ", ".join(sorted(services.channel_kinds))
        raise invalid(f"{prefix}kind", f"not a kind of channel: there are {known}")
    return services.channel_kinds[name]


def find_or_create(session: Session, services: Services, account_id: str, spec: ChannelSpec) -> FoundChannel:
    """Return the account's channel of that kind and target, made if there is none.

    Raises Problem 409 where it differs in a field that the client gave.
    """
    existing = channels.find_by_target(session, account_id, spec.kind.name, spec.target)
    if existing is None:
        made = channels.add(session, services.box, account_id, _new_channel(spec), services.clock.now())
        ask_if_unverified(session, services, made)
        return FoundChannel(made, is_new=True, secret=spec.config.get(SECRET))
    differing = _differing(services, existing, spec)
    if differing:
        raise conflict(
            f"The channel {existing.id} has the same target but differs in: {', '.join(differing)}."
        )
    ask_if_unverified(session, services, existing)
    return FoundChannel(existing, is_new=False, secret=None)


def ask_if_unverified(session: Session, services: Services, channel: Channel) -> None:
    """Have an address asked for its consent, unless it has left, or was asked too often already."""
    if channel.state == ChannelState.UNVERIFIED and not consents.has_left(channel):
        confirmations.request(session, channel, services.clock.now())


def _new_channel(spec: ChannelSpec) -> NewChannel:
    # What is not given is as the kind has it, where it says, as chats do.
    shared = {
        name: value if name in spec.given else getattr(spec.kind, name, value)
        for name, value in spec.shared.model_dump().items()
    }
    return NewChannel(
        kind=spec.kind.name,
        queue=spec.kind.queue,
        target=spec.target,
        state=spec.kind.initial_state,
        config=spec.config,
        **shared,
    )


def _differing(services: Services, existing: Channel, spec: ChannelSpec) -> list[str]:
    stored = channels.unseal(services.box, existing)
    # A field that came with a later version has its default in what was stored before.
    defaults = {name: known.get_default() for name, known in spec.kind.fields.model_fields.items()}
    stored = defaults | stored
    stored |= {name: getattr(existing, name) for name in SharedFields.model_fields}
    wanted = spec.config | spec.shared.model_dump()
    return sorted(name for name in spec.given if wanted.get(name) != stored.get(name))


def channel_view(services: Services, channel: Channel) -> dict[str, Any]:
    """Return a channel as it is shown: without its secrets."""
    kind = services.channel_kinds.get(channel.kind)
    own = kind.view(channels.unseal(services.box, channel)) if kind else {}
    return {
        "id": channel.id,
        "kind": channel.kind,
        "state": channel.state,
        "state_reason": channel.state_reason,
        **own,
        "rate_limit": channel.rate_limit,
        "retry_schedule": channel.retry_schedule,
        "ordering": channel.ordering,
        "collapse_seconds": channel.collapse_seconds,
        "failing_since": timestamp(channel.failing_since),
        "created_at": timestamp(channel.created_at),
        "updated_at": timestamp(channel.updated_at),
    }


def listed_view(services: Services, channel: Channel) -> dict[str, Any]:
    """Return a channel as lists show it: what may be a secret in its URL is masked too."""
    view = channel_view(services, channel)
    return view | {"url": masked_url(view["url"])} if "url" in view else view


def found_view(services: Services, found: FoundChannel) -> dict[str, Any]:
    """Return a channel as it is shown when it was asked for: with the secret if that is new."""
    view = channel_view(services, found.channel)
    return view | {SECRET: found.secret} if found.secret else view


def locked_channel(session: Session, account_id: str, channel_id: str) -> Channel:
    """Return a channel of the account, locked until the transaction ends; raises Problem 404."""
    channel = session.get(Channel, channel_id, with_for_update=True)
    if channel is None or channel.account_id != account_id:
        raise not_found("channel")
    return channel
