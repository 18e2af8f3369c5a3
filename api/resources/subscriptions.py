"""`/v1/subscriptions`: what an account follows, and where it is told."""

from typing import Annotated, Any, Self

from flask import Blueprint
from flask.typing import ResponseReturnValue
from pydantic import BeforeValidator, Field, model_validator
from sqlalchemy.orm import Session

from api.authentication import authenticate, caller
from api.channel_setup import ChannelSpec, FoundChannel, find_or_create, found_view, read_spec
from api.inputs import Input, Name, Reference, empty_is_none, parse, read, read_body, read_parameters
from api.paging import PageParameters, page_json
from api.problems import invalid, not_found
from api.queries import CompiledQuery, compile_query, compile_topic
from api.services import services
from api.transactions import write_settled
from api.views import timestamp
from core.query import language_tag
from core.store import listings
from core.store import subscriptions as stored
from core.store.models import Channel, Subscription
from core.store.subscriptions import NewSubscription

blueprint = Blueprint("subscriptions", __name__, url_prefix="/v1/subscriptions")
blueprint.before_request(authenticate)

MOST_NAMES = 100
TEXT_LIMIT = 10_000  # queries have a limit of their own, and words for it

Text = Annotated[str, Field(max_length=TEXT_LIMIT)]
Language = Annotated[str, Field(pattern=r"^[A-Za-z]{2,3}([-_][A-Za-z0-9]{1,8}){0,4}$", max_length=35)]
Sources = Annotated[list[Name] | None, Field(max_length=MOST_NAMES), BeforeValidator(empty_is_none)]
Languages = Annotated[list[Language] | None, Field(max_length=MOST_NAMES), BeforeValidator(empty_is_none)]


def _no_digests(value: object) -> None:
    if value is not None:
        raise ValueError("digests are not available in this version: leave it out to be told at once")


class FilterFields(Input):
    """What a subscription may say besides its query."""

    sources: Sources = None
    languages: Languages = None
    updates: bool = False
    schedule: Annotated[None, BeforeValidator(_no_digests)] = None


class NewSubscriptionInput(FilterFields):
    """A subscription to be made."""

    query: Text | None = None
    topic: Name | None = None
    channel_id: Reference = None
    channel: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        if (self.query is None) == (self.topic is None):
            raise ValueError("give exactly one of query and topic")
        if (self.channel_id is None) == (self.channel is None):
            raise ValueError("give exactly one of channel_id and channel")
        return self


class SubscriptionChange(FilterFields):
    """Changes of a subscription; what is left out stays."""

    query: Text | None = None
    topic: Name | None = None

    @model_validator(mode="after")
    def _not_both(self) -> Self:
        if self.query is not None and self.topic is not None:
            raise ValueError("give one of query and topic")
        return self


class ListParameters(PageParameters):
    """Which subscriptions are listed."""

    channel_id: Reference = None


@blueprint.post("")
def create() -> ResponseReturnValue:
    """Make a subscription, its channel too where that is described."""
    wiring, account_id = services(), caller().account_id
    wanted = parse(NewSubscriptionInput, read_body())
    compiled = _compiled(wanted.query, wanted.topic)
    new = _new_subscription(compiled, wanted)
    spec = read_spec(wiring, wanted.channel, "channel.") if wanted.channel is not None else None

    def make(session: Session) -> tuple[Subscription, FoundChannel]:
        found = _find_channel(session, spec, wanted.channel_id)
        return stored.add(session, account_id, found.channel.id, new, wiring.clock.now()), found

    subscription, found = write_settled(wiring.store, make)
    view = subscription_view(subscription) | {"channel": found_view(wiring, found)}
    return view, 201, {"Location": f"/v1/subscriptions/{subscription.id}"}


@blueprint.get("")
def index() -> ResponseReturnValue:
    """List the account's subscriptions."""
    given = read_parameters(ListParameters)
    with services().store.read() as session:
        page = listings.subscriptions(
            session, caller().account_id, given.channel_id, given.cursor, given.limit
        )
    return page_json(page, subscription_view)


@blueprint.get("/<id:subscription_id>")
def show(subscription_id: str) -> ResponseReturnValue:
    """Show one subscription."""
    with services().store.read() as session:
        return subscription_view(_find(session, subscription_id))


@blueprint.patch("/<id:subscription_id>")
def change(subscription_id: str) -> ResponseReturnValue:
    """Change a subscription's query or filters."""
    changes = read(SubscriptionChange)
    asked = changes.query is not None or changes.topic is not None
    compiled = _compiled(changes.query, changes.topic) if asked else None
    with services().store.write() as session:
        subscription = _find(session, subscription_id, lock=True)
        stored.change(
            session, subscription, _changed(subscription, compiled, changes), services().clock.now()
        )
    return subscription_view(subscription)


@blueprint.delete("/<id:subscription_id>")
def delete(subscription_id: str) -> ResponseReturnValue:
    """Delete a subscription."""
    with services().store.write() as session:
        stored.remove(session, _find(session, subscription_id, lock=True))
    return "", 204


def subscription_view(subscription: Subscription) -> dict[str, Any]:
    """Return a subscription as it is shown."""
    return {
        "id": subscription.id,
        "query": subscription.query,
        "topic": subscription.query if subscription.topic else None,
        "channel_id": subscription.channel_id,
        "sources": subscription.sources,
        "languages": subscription.languages,
        "updates": subscription.updates,
        "schedule": None,
        "created_at": timestamp(subscription.created_at),
        "updated_at": timestamp(subscription.updated_at),
    }


def _compiled(query: str | None, topic: str | None) -> CompiledQuery:
    return compile_topic(topic) if topic is not None else compile_query(query or "")


def _new_subscription(compiled: CompiledQuery, wanted: NewSubscriptionInput) -> NewSubscription:
    return NewSubscription(
        query=compiled.text,
        canonical=compiled.canonical,
        topic=compiled.is_topic,
        sources=wanted.sources,
        languages=_tags(wanted.languages),
        updates=wanted.updates,
    )


def _changed(
    subscription: Subscription, compiled: CompiledQuery | None, changes: SubscriptionChange
) -> NewSubscription:
    given = changes.model_fields_set
    return NewSubscription(
        query=compiled.text if compiled else subscription.query,
        canonical=compiled.canonical if compiled else subscription.canonical,
        topic=compiled.is_topic if compiled else subscription.topic,
        sources=changes.sources if "sources" in given else subscription.sources,
        languages=_tags(changes.languages) if "languages" in given else subscription.languages,
        updates=changes.updates if "updates" in given else subscription.updates,
    )


def _tags(languages: list[str] | None) -> list[str] | None:
    return [language_tag(language) for language in languages] if languages else None


def _find_channel(session: Session, spec: ChannelSpec | None, channel_id: str | None) -> FoundChannel:
    account_id = caller().account_id
    if spec is not None:
        return find_or_create(session, services(), account_id, spec)
    channel = session.get(Channel, channel_id)
    if channel is None or channel.account_id != account_id:
        raise invalid("channel_id", "there is no such channel")
    return FoundChannel(channel, is_new=False, secret=None)


def _find(session: Session, subscription_id: str, *, lock: bool = False) -> Subscription:
    subscription = stored.find(session, caller().account_id, subscription_id, lock=lock)
    if subscription is None:
        raise not_found("subscription")
    return subscription
