"""`/v1/notices`: what an account is told of its own, and whether that has worked."""

from typing import Any

from flask import Blueprint
from flask.typing import ResponseReturnValue

from api.authentication import authenticate, caller
from api.inputs import read_parameters
from api.paging import PageParameters, page_json
from api.services import services
from api.views import timestamp
from core.store import listings
from core.store.models import Notice

blueprint = Blueprint("notices", __name__, url_prefix="/v1/notices")
blueprint.before_request(authenticate)


@blueprint.get("")
def index() -> ResponseReturnValue:
    """List the account's notices; for an administrator the installation's too."""
    given, who = read_parameters(PageParameters), caller()
    with services().store.read() as session:
        page = listings.notices(
            session, who.account_id, given.cursor, given.limit, installation=who.administrator
        )
    return page_json(page, _notice_view)


def _notice_view(notice: Notice) -> dict[str, Any]:
    return {
        "id": notice.id,
        "kind": notice.kind,
        "channel_id": notice.channel_id,
        "source_id": notice.source_id,
        "reason": notice.reason,
        "text": notice.text,
        "created_at": timestamp(notice.created_at),
        "told_at": timestamp(notice.told_at),
        "tries": notice.tries,
        "next_try_at": timestamp(notice.due_at),
        "problem": notice.problem,
    }
