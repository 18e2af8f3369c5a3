"""`/v1/subscriptions`: what an account follows, and where it is told."""

from typing import Any

from flask import Blueprint
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from api.authentication import authenticate, caller
from api.channel_setup import ChannelSpec, FoundChannel, find_or_create, found_view, read_spec
from api.digests import due_now, follow_schedule, require_sent_to, schedule_view, tell_now
from api.inputs import NoFields, Reference, read, read_parameters
from api.paging import PageParameters, page_json
from api.problems import invalid, not_found
from api.queries import CompiledQuery
from api.services import services
from api.subscription_inputs import ScheduleInput, Wanted, compile_required, compile_wanted
from api.transactions import write_settled
from api.views import timestamp
from core.digest_schedule import DigestSchedule, schedule_of
from core.query import language_tag
from core.store import listings
from core.store import subscriptions as stored
from core.store.models import Channel, Subscription
from core.store.subscriptions import NewSubscription

blueprint = Blueprint("subscriptions", __name__, url_prefix="/v1/subscriptions")
blueprint.before_request(authenticate)


class SubscriptionFields(Wanted):
    """What a subscription may say."""

    updates: bool = False
    once_per_story: bool = False
    schedule: ScheduleInput | None = None


class NewSubscriptionInput(SubscriptionFields):
    """A subscription to be made."""

    channel_id: Reference = None
    channel: dict[str, Any] | None = None


class SubscriptionChange(SubscriptionFields):
    """Changes of a subscription; what is left out stays."""


class ListParameters(PageParameters):
    """Which subscriptions are listed."""

    channel_id: Reference = None


@blueprint.post("")
def create() -> ResponseReturnValue:
    """Make a subscription, its channel too where that is described."""
    wiring, account_id = services(), caller().account_id
    wanted = read(NewSubscriptionInput)
    compiled = compile_required(wanted)
    if (wanted.channel_id is None) == (wanted.channel is None):
        raise invalid("channel", "give exactly one of channel_id and channel")
    new = _new_subscription(compiled, wanted)
    spec = read_spec(wiring, wanted.channel, "channel.") if wanted.channel is not None else None

    def make(session: Session) -> tuple[Subscription, FoundChannel]:
        found = _find_channel(session, spec, wanted.channel_id)
        if new.schedule:
            require_sent_to(found.channel)
        return stored.add(session, account_id, found.channel.id, new, wiring.clock.now()), found

    subscription, found = write_settled(wiring.store, make)
    wiring.announcer.announce()
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
    """Change a subscription's query, filters or schedule."""
    changes = read(SubscriptionChange)
    compiled = compile_wanted(changes)
    wiring, now = services(), services().clock.now()
    due = due_now(wiring, changes.schedule.schedule() if changes.schedule else None)
    with wiring.store.write() as session:
        channel, subscription = _find_with_channel(session, subscription_id)
        before = subscription.schedule
        stored.change(session, subscription, _changed(subscription, compiled, changes), now)
        if subscription.schedule:
            require_sent_to(channel)
        if subscription.schedule != before:
            follow_schedule(session, channel, subscription, due, now)
    wiring.announcer.announce()
    return subscription_view(subscription)


@blueprint.post("/<id:subscription_id>/send-digest")
def send_digest(subscription_id: str) -> ResponseReturnValue:
    """Tell now what waits for a digest of a subscription."""
    read(NoFields)
    wiring = services()
    due = due_now(wiring, None)
    with wiring.store.write() as session:
        channel, subscription = _find_with_channel(session, subscription_id)
        articles = tell_now(session, channel, subscription, due, due)
    return {"articles": articles, "due_at": timestamp(due)}, 202


@blueprint.delete("/<id:subscription_id>")
def delete(subscription_id: str) -> ResponseReturnValue:
    """Delete a subscription."""
    with services().store.write() as session:
        stored.remove(session, _find(session, subscription_id, lock=True))
    services().announcer.announce()
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
        "once_per_story": subscription.once_per_story,
        "schedule": schedule_view(subscription.schedule),
        "created_at": timestamp(subscription.created_at),
        "updated_at": timestamp(subscription.updated_at),
    }


def _new_subscription(compiled: CompiledQuery, wanted: NewSubscriptionInput) -> NewSubscription:
    return NewSubscription(
        query=compiled.text,
        canonical=compiled.canonical,
        topic=compiled.is_topic,
        sources=wanted.sources,
        languages=_tags(wanted.languages),
        updates=wanted.updates,
        once_per_story=wanted.once_per_story,
        schedule=wanted.schedule.schedule() if wanted.schedule else None,
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
        once_per_story=(changes.once_per_story if "once_per_story" in given else subscription.once_per_story),
        schedule=_schedule(subscription, changes),
    )


def _schedule(subscription: Subscription, changes: SubscriptionChange) -> DigestSchedule | None:
    if "schedule" in changes.model_fields_set:
        return changes.schedule.schedule() if changes.schedule else None
    return schedule_of(subscription.schedule) if subscription.schedule else None


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


def _find_with_channel(session: Session, subscription_id: str) -> tuple[Channel, Subscription]:
    """Return a subscription with its channel, both locked: the channel first, as whoever deletes one does."""
    found = _find(session, subscription_id)
    session.expunge(found)  # it may change while the channel is waited for
    channel = session.get(Channel, found.channel_id, with_for_update=True)
    subscription = _find(session, subscription_id, lock=True)
    if channel is None:
        raise not_found("subscription")
    return channel, subscription


def _find(session: Session, subscription_id: str, *, lock: bool = False) -> Subscription:
    subscription = stored.find(session, caller().account_id, subscription_id, lock=lock)
    if subscription is None:
        raise not_found("subscription")
    return subscription
