"""`/v1/sources`: where articles come from."""

from datetime import timedelta
from typing import Annotated, Any

from flask import Blueprint
from flask.typing import ResponseReturnValue
from pydantic import Field
from sqlalchemy.orm import Session

from api.authentication import authenticate, caller
from api.inputs import Input, Name, NoFields, read, read_parameters
from api.paging import PageParameters, page_json
from api.ports import SourceKindPort
from api.problems import Problem, conflict, invalid, not_found
from api.services import services
from api.transactions import write_settled
from api.views import timestamp
from core.egress import BlockedUrl, Target, check_url_now
from core.store import listings
from core.store import sources as stored
from core.store.models import Source
from core.store.sources import PUSH, PUSH_SCHEME, NewSource

blueprint = Blueprint("sources", __name__, url_prefix="/v1/sources")
blueprint.before_request(authenticate)

SHORTEST_INTERVAL, LONGEST_INTERVAL = 60, 7 * 86_400

Interval = Annotated[int, Field(ge=SHORTEST_INTERVAL, le=LONGEST_INTERVAL)]


class NewSourceInput(Input):
    """A source to be polled."""

    url: Annotated[str, Field(min_length=1, max_length=4_000)]
    kind: Annotated[str, Field(min_length=1, max_length=100)] = "feed"
    name: Name | None = None
    interval_seconds: Interval | None = None


class SourceChange(Input):
    """Changes of a source; without an interval it is polled as often as its kind says."""

    name: Name | None = None
    interval_seconds: Interval | None = None


@blueprint.post("")
def create() -> ResponseReturnValue:
    """Make a source, or answer with the owner's one of the same URL."""
    wanted = read(NewSourceInput)
    target = _checked(wanted)
    now = services().clock.now()
    new = NewSource(wanted.kind, target.url, wanted.name or target.host, wanted.interval_seconds, now)
    source, is_new = write_settled(
        services().store, lambda session: stored.find_or_create(session, _owner(), new, now)
    )
    if source.kind != wanted.kind:
        raise conflict(f"The source {source.id} has the same URL, but is of the kind {source.kind}.")
    return source_view(source), 201 if is_new else 200, {"Location": f"/v1/sources/{source.id}"}


@blueprint.get("")
def index() -> ResponseReturnValue:
    """List the sources that the account sees: its own and the installation's."""
    given = read_parameters(PageParameters)
    with services().store.read() as session:
        page = listings.sources(session, caller().account_id, given.cursor, given.limit)
    return page_json(page, source_view)


@blueprint.get("/<id:source_id>")
def show(source_id: str) -> ResponseReturnValue:
    """Show one source."""
    with services().store.read() as session:
        source = stored.find_visible(session, caller().account_id, source_id)
    if source is None:
        raise not_found("source")
    return source_view(source)


@blueprint.patch("/<id:source_id>")
def change(source_id: str) -> ResponseReturnValue:
    """Change a source's name or interval."""
    changes = read(SourceChange)

    def apply(session: Session) -> Source:
        source = _own(session, source_id)
        _rename(source, changes)
        if "interval_seconds" in changes.model_fields_set:
            _respace(source, changes.interval_seconds)
        source.updated_at = services().clock.now()
        return source

    return source_view(write_settled(services().store, apply))


@blueprint.delete("/<id:source_id>")
def delete(source_id: str) -> ResponseReturnValue:
    """Delete a source; its articles stay."""
    with services().store.write() as session:
        session.delete(_own(session, source_id))
    return "", 204


@blueprint.post("/<id:source_id>/fetch")
def fetch(source_id: str) -> ResponseReturnValue:
    """Have the source polled now; the leader sees it within a second."""
    read(NoFields)
    with services().store.write() as session:
        source = _own(session, source_id)
        if source.kind == PUSH:
            raise conflict("Articles are pushed to this source: there is nothing to fetch.")
        source.next_poll_at = source.updated_at = services().clock.now()
    return source_view(source), 202


def source_view(source: Source) -> dict[str, Any]:
    """Return a source as it is shown."""
    kind = services().source_kinds.get(source.kind)
    usual = kind.default_interval_seconds if kind else None
    return {
        "id": source.id,
        "kind": source.kind,
        "url": source.url,
        "name": source.name,
        "owner": "installation" if source.account_id is None else "account",
        "interval_seconds": source.interval_seconds or usual,
        "last_success_at": timestamp(source.last_success_at),
        "last_error": source.last_error,
        "last_error_at": timestamp(source.last_error_at),
        "next_poll_at": timestamp(source.next_poll_at),
        "created_at": timestamp(source.created_at),
        "updated_at": timestamp(source.updated_at),
    }


def _owner() -> str | None:
    """Return who owns what the caller makes: the installation where it is an administrator."""
    return None if caller().administrator else caller().account_id


def _checked(wanted: NewSourceInput) -> Target:
    kind = _kind(wanted.kind)
    try:
        kind.check(wanted.url)
        return check_url_now(wanted.url, services().egress)
    except (ValueError, BlockedUrl) as error:
        raise invalid("url", str(error)) from error


def _kind(name: str) -> SourceKindPort:
    kinds = services().source_kinds
    if name not in kinds:
        raise invalid("kind", f"not a kind of source: there are {', '.join(sorted(kinds))}")
    return kinds[name]


def _own(session: Session, source_id: str) -> Source:
    """Return a source that the caller may change, locked; raises Problem 404, or 403 for others' shared."""
    source = stored.find_visible(session, caller().account_id, source_id, lock=True)
    if source is None:
        raise not_found("source")
    if source.account_id is None and not caller().administrator:
        raise Problem(403, "This source belongs to the installation: only an administrator may change it.")
    return source


def _rename(source: Source, changes: SourceChange) -> None:
    if changes.name is None:
        return
    source.name = changes.name
    if source.kind == PUSH:
        # A pushed article finds its source by name.
        source.url = f"{PUSH_SCHEME}{changes.name}"


def _respace(source: Source, interval_seconds: int | None) -> None:
    if source.kind == PUSH:
        raise invalid("interval_seconds", "articles are pushed to this source: there is nothing to poll")
    source.interval_seconds = interval_seconds
    if interval_seconds is not None and source.next_poll_at is not None:
        soonest = services().clock.now() + timedelta(seconds=interval_seconds)
        source.next_poll_at = min(source.next_poll_at, soonest)
