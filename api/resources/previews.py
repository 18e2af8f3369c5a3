"""`/v1/subscriptions/preview`: what a subscription would have found."""

from typing import Annotated, Any

from flask import Blueprint
from flask.typing import ResponseReturnValue
from pydantic import Field

from api.authentication import authenticate, caller
from api.inputs import read
from api.paging import DEFAULT_LIMIT, LARGEST_LIMIT
from api.previews import Match, preview
from api.reasons import marks_view, terms_view
from api.services import services
from api.subscription_inputs import Wanted, compile_required
from api.views import article_view, timestamp
from core.query import limited, parse
from core.store import aliases

blueprint = Blueprint("previews", __name__, url_prefix="/v1/subscriptions")
blueprint.before_request(authenticate)


class PreviewInput(Wanted):
    """A subscription to be tried."""

    limit: Annotated[int, Field(ge=1, le=LARGEST_LIMIT)] = DEFAULT_LIMIT


@blueprint.post("/preview")
def show() -> ResponseReturnValue:
    """Show which recent articles a subscription would match, and why."""
    wiring, wanted = services(), read(PreviewInput)
    canonical = compile_required(wanted).canonical
    asked = limited(parse(canonical), wanted.sources, wanted.languages)
    with wiring.store.read() as session:
        found = preview(
            session, caller().account_id, asked, aliases.in_force(session), wanted.limit, wiring.clock.now()
        )
    return {
        "query": canonical,
        "looked_at": found.looked_at,
        "since": timestamp(found.since),
        "matched": found.matched,
        "per_day": None if found.per_day is None else round(found.per_day, 2),
        "data": [_match_view(match) for match in found.matches],
    }


def _match_view(match: Match) -> dict[str, Any]:
    article, version = match.row
    marks = marks_view(version.title, version.summary, match.terms)
    return article_view(article, version) | {"why": {"terms": terms_view(match.terms)} | marks}
