"""`/v1/sources/import` and `/v1/sources/export`: sources as OPML."""

from collections import Counter

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue

from api.authentication import authenticate, owner_of_new
from api.opml import write_opml
from api.opml_reading import UnreadableOpml, read_opml
from api.problems import Problem, invalid
from api.services import services
from api.source_lists import import_outlines, outline_of
from core.store import sources

LIST_LIMIT = 5_000_000
MEDIA_TYPE = "text/x-opml"
STATUSES = ("added", "known", "refused")

blueprint = Blueprint("source_lists", __name__, url_prefix="/v1/sources")
blueprint.before_request(authenticate)


@blueprint.post("/import")
def import_() -> ResponseReturnValue:
    """Make a source of each outline that has an address; what is wrong with one is said of that one."""
    request.max_content_length = LIST_LIMIT
    if request.mimetype and not request.mimetype.endswith(("xml", "opml")):
        raise Problem(415, "The body must be OPML, with the content type text/x-opml.")
    try:
        given = read_opml(request.get_data())
    except UnreadableOpml as error:
        raise invalid("body", str(error)) from error
    reports = import_outlines(services(), owner_of_new(), given.outlines, services().clock.now())
    counts = Counter(report["status"] for report in reports)
    return {status: counts[status] for status in STATUSES} | {"damage": given.damage, "sources": reports}


@blueprint.get("/export")
def export() -> ResponseReturnValue:
    """Answer with the sources that the caller would make by importing the same list."""
    with services().store.read() as session:
        rows = sources.owned(session, owner_of_new())
    kinds = services().source_kinds
    polled = [
        row for row in rows if row.kind in kinds and kinds[row.kind].default_interval_seconds is not None
    ]
    document = write_opml(map(outline_of, polled), "Sources of Clarion", services().clock.now())
    headers = {"Content-Disposition": 'attachment; filename="clarion-sources.opml"'}
    return Response(document, headers=headers, content_type=f"{MEDIA_TYPE}; charset=utf-8")
