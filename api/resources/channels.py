"""`/v1/channels`: where an account's deliveries go."""

from collections.abc import Callable
from typing import Annotated, Any

from flask import Blueprint
from flask.typing import ResponseReturnValue
from pydantic import Field
from sqlalchemy.orm import Session

from api import channel_changes
from api.authentication import authenticate, caller
from api.channel_setup import (
    FoundChannel,
    channel_view,
    find_or_create,
    found_view,
    listed_view,
    locked_channel,
    read_spec,
)
from api.channel_testing import trial_view, try_channel
from api.inputs import Input, Moment, NoFields, read, read_body, read_parameters
from api.paging import PageParameters, page_json
from api.problems import invalid, not_found
from api.services import Services, services
from api.transactions import write_settled
from api.views import timestamp
from core.store import channels as stored
from core.store import confirmations, listings
from core.store.models import Channel

blueprint = Blueprint("channels", __name__, url_prefix="/v1/channels")
blueprint.before_request(authenticate)


class Rotation(Input):
    """A secret to take instead of one that is made."""

    secret: Annotated[str, Field(min_length=1, max_length=200)] | None = None


Change = Callable[[Session, Services, Channel], object]


class RecoverFields(Input):
    """Since when deliveries are sent again."""

    since: Moment


@blueprint.post("")
def create() -> ResponseReturnValue:
    """Make a channel, or answer with the one that is the same."""
    wiring, account_id = services(), caller().account_id
    spec = read_spec(wiring, read_body())
    found = write_settled(wiring.store, lambda session: find_or_create(session, wiring, account_id, spec))
    location = {"Location": f"/v1/channels/{found.channel.id}"}
    return found_view(wiring, found), 201 if found.is_new else 200, location


@blueprint.get("")
def index() -> ResponseReturnValue:
    """List the account's channels."""
    wiring, parameters = services(), read_parameters(PageParameters)
    with wiring.store.read() as session:
        page = listings.channels(session, caller().account_id, parameters.cursor, parameters.limit)
    return page_json(page, lambda channel: listed_view(wiring, channel))


@blueprint.get("/<id:channel_id>")
def show(channel_id: str) -> ResponseReturnValue:
    """Show one channel, with what became of the mail that asks for its reader's consent."""
    return _shown(_channel(channel_id))


@blueprint.patch("/<id:channel_id>")
def change(channel_id: str) -> ResponseReturnValue:
    """Change a channel's fields."""
    wiring = services()
    checked = channel_changes.read_change(wiring, _channel(channel_id), read_body())

    def apply(session: Session) -> FoundChannel:
        channel = locked_channel(session, caller().account_id, channel_id)
        secret = channel_changes.apply_change(session, wiring, channel, checked)
        return FoundChannel(channel, is_new=False, secret=secret)

    return found_view(wiring, write_settled(wiring.store, apply))


@blueprint.delete("/<id:channel_id>")
def delete(channel_id: str) -> ResponseReturnValue:
    """Delete a channel and its subscriptions; what was not sent yet is cancelled."""
    wiring = services()
    with wiring.store.write() as session:
        channel = locked_channel(session, caller().account_id, channel_id)
        stored.remove(session, channel, wiring.clock.now())
    wiring.announcer.announce()
    return "", 204


@blueprint.post("/<id:channel_id>/pause")
def pause(channel_id: str) -> ResponseReturnValue:
    """Hold what is for the channel from now on."""
    return _changed(channel_id, channel_changes.pause)


@blueprint.post("/<id:channel_id>/resume")
def resume(channel_id: str) -> ResponseReturnValue:
    """Send what was held while the channel was paused, and what comes."""
    return _changed(channel_id, channel_changes.resume)


@blueprint.post("/<id:channel_id>/enable")
def enable(channel_id: str) -> ResponseReturnValue:
    """Send to a disabled channel again; an administrator may vouch for an unverified one."""
    vouched = caller().administrator
    return _changed(
        channel_id,
        lambda session, wiring, channel: channel_changes.enable(session, wiring, channel, vouched=vouched),
    )


@blueprint.post("/<id:channel_id>/send-confirmation")
def send_confirmation(channel_id: str) -> ResponseReturnValue:
    """Ask the channel's address once more whether it wants what is sent."""
    read(NoFields)
    wiring = services()
    with wiring.store.write() as session:
        channel = locked_channel(session, caller().account_id, channel_id)
        channel_changes.ask_again(session, wiring, channel)
    return _shown(channel), 202


@blueprint.post("/<id:channel_id>/recover")
def recover(channel_id: str) -> ResponseReturnValue:
    """Send again what failed, or was cancelled by a 410, since a time; a disabled channel becomes active."""
    wiring, since = services(), read(RecoverFields).since
    if since > wiring.clock.now():
        raise invalid("since", "must not lie in the future")
    with wiring.store.write() as session:
        channel = locked_channel(session, caller().account_id, channel_id)
        return {"recovered": channel_changes.recover(session, wiring, channel, since)}


@blueprint.post("/<id:channel_id>/test")
def test(channel_id: str) -> ResponseReturnValue:
    """Send a sample now, and answer with what came back."""
    read(NoFields)
    return trial_view(try_channel(services(), _channel(channel_id)))


@blueprint.post("/<id:channel_id>/rotate-secret")
def rotate_secret(channel_id: str) -> ResponseReturnValue:
    """Give the channel a new secret, shown only here; the old one signs too for a while."""
    wiring, secret = services(), read(Rotation).secret
    with wiring.store.write() as session:
        channel = locked_channel(session, caller().account_id, channel_id)
        return channel_changes.rotate_secret(session, wiring, channel, secret)


def _changed(channel_id: str, change: Change) -> ResponseReturnValue:
    read(NoFields)
    wiring = services()
    with wiring.store.write() as session:
        channel = locked_channel(session, caller().account_id, channel_id)
        change(session, wiring, channel)
    return channel_view(wiring, channel)


def _shown(channel: Channel) -> dict[str, Any]:
    view = channel_view(services(), channel)
    with services().store.read() as session:
        asked = confirmations.latest(session, channel.id)
    if asked is None:
        return view
    return view | {
        "confirmation": {
            "requested_at": timestamp(asked.requested_at),
            "sent_at": timestamp(asked.sent_at),
            "confirmed_at": timestamp(asked.confirmed_at),
            "problem": asked.problem,
        }
    }


def _channel(channel_id: str) -> Channel:
    with services().store.read() as session:
        channel = session.get(Channel, channel_id)
    if channel is None or channel.account_id != caller().account_id:
        raise not_found("channel")
    return channel
