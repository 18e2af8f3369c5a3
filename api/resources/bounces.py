"""`/v1/bounces`: mail that came back, handed in by whoever receives it for this installation.

No key is needed: the signed address that a mail came from is what vouches for it.
"""

import structlog
from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from api.bounces import Bounce, read_json, read_message
from api.inputs import read_body
from api.problems import Problem, invalid
from api.services import services
from core.store import channel_health, confirmations
from core.store.models import Channel
from core.store.states import ChannelState

log = structlog.get_logger()

blueprint = Blueprint("bounces", __name__, url_prefix="/v1/bounces")

MESSAGE_TYPES = frozenset({"message/rfc822", "message/global", "multipart/report"})


@blueprint.post("")
def take() -> ResponseReturnValue:
    """Disable the channels whose mail came back for good; what is not signed is ignored."""
    handled = sum(_handle(bounce) for bounce in _read())
    return {"handled": handled}, 202


def _read() -> list[Bounce]:
    if request.mimetype in MESSAGE_TYPES:
        return read_message(request.get_data())
    # Amazon SNS says that its JSON is text.
    if request.mimetype not in {"", "text/plain", "application/json"}:
        raise Problem(415, "A bounce is JSON, or a message of the content type message/rfc822.")
    try:
        return read_json(read_body(any_type=True))
    except ValueError as error:
        raise invalid("body", str(error)) from error


def _handle(bounce: Bounce) -> bool:
    """Do what a bounce means; tell whether it is of one of our mails."""
    read = (services().mail_tokens.read_return_path(path) for path in bounce.return_paths)
    addressee = next((one for one in read if one is not None), None)
    if addressee is None:
        return False
    now = services().clock.now()
    with services().store.write() as session:
        channel = session.get(Channel, addressee.channel_id, with_for_update=True)
        if channel is None or not addressee.is_at(channel.target_hash):
            return False
        if bounce.permanent:
            channel_health.bounce(session, channel, now)
            if channel.state == ChannelState.UNVERIFIED:
                confirmations.note_bounce(session, channel)
    log.info("a mail came back", channel=addressee.channel_id, permanent=bounce.permanent)
    return True
