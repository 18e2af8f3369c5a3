"""`/v1/sources/discover`: the feeds of a web page."""

from typing import Annotated, Any

from flask import Blueprint
from flask.typing import ResponseReturnValue
from pydantic import Field

from api.authentication import authenticate
from api.inputs import Parameters, read_parameters
from api.ports import FoundFeed
from api.problems import Problem, invalid
from api.services import services
from api.views import timestamp
from core.egress import BlockedUrl, check_url_now
from core.errors import ClarionError

RETRY_AFTER_SECONDS = 10

blueprint = Blueprint("discovery", __name__, url_prefix="/v1/sources")
blueprint.before_request(authenticate)


class Page(Parameters):
    """Where to look."""

    url: Annotated[str, Field(min_length=1, max_length=4_000)]


@blueprint.get("/discover")
def discover() -> ResponseReturnValue:
    """Look for the feeds of a web page now, and answer with those that can be read, the best first."""
    url = _checked(read_parameters(Page).url)
    slots = services().search_slots
    if not slots.acquire(blocking=False):
        headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
        raise Problem(429, "Feeds of too many pages are being looked for at this moment.", headers=headers)
    try:
        return {"feeds": [_view(feed) for feed in services().feed_finder.find(url)]}
    except ClarionError as error:
        raise invalid("url", str(error)) from error
    finally:
        slots.release()


def _checked(url: str) -> str:
    try:
        return check_url_now(url, services().egress).url
    except BlockedUrl as error:
        raise invalid("url", str(error)) from error


def _view(feed: FoundFeed) -> dict[str, Any]:
    return {
        "url": feed.url,
        "title": feed.title,
        "kind": feed.kind,
        "format": feed.format,
        "items": feed.items,
        "newest_at": timestamp(feed.newest_at),
        "found_by": feed.found_by,
    }
