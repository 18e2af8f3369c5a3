"""`/v1/sources`: where articles come from."""

from datetime import timedelta
from typing import Any

from flask import Blueprint
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from api.authentication import authenticate, caller, owner_of_new
from api.inputs import Folder, Input, Name, NoFields, read, read_parameters
from api.new_sources import NOT_POLLED, Interval, NewSourceInput, checked_source
from api.paging import PageParameters, page_json
from api.problems import Problem, conflict, invalid, not_found
from api.services import services
from api.transactions import write_settled
from api.views import timestamp
from core.store import hubs, listings, source_states
from core.store import sources as stored
from core.store.models import HubSubscription, Source
from core.store.source_health import DEFAULT, YOURS, articles_per_week
from core.store.sources import PUSH, PUSH_SCHEME
from core.store.states import SourceState

blueprint = Blueprint("sources", __name__, url_prefix="/v1/sources")
blueprint.before_request(authenticate)


class SourceChange(Input):
    """Changes of a source; without an interval it is polled as often as its kind says."""

    name: Name | None = None
    folder: Folder | None = None
    interval_seconds: Interval | None = None


@blueprint.post("")
def create() -> ResponseReturnValue:
    """Make a source, or answer with the owner's one of the same URL."""
    wanted, now = read(NewSourceInput), services().clock.now()
    new = checked_source(services(), wanted, now)

    def find_or_create(session: Session) -> tuple[Source, bool]:
        source, is_new = stored.find_or_create(session, owner_of_new(), new, now)
        return source_states.survivor(session, source), is_new

    source, is_new = write_settled(services().store, find_or_create)
    if source.kind != wanted.kind:
        raise conflict(f"The source {source.id} has the same URL, but is of the kind {source.kind}.")
    return _shown(source), 201 if is_new else 200, {"Location": f"/v1/sources/{source.id}"}


@blueprint.get("")
def index() -> ResponseReturnValue:
    """List the sources that the account sees: its own and the installation's."""
    given = read_parameters(PageParameters)
    with services().store.read() as session:
        page = listings.sources(session, caller().account_id, given.cursor, given.limit)
        named = hubs.of_sources(session, [source.id for source in page.rows])
    return page_json(page, lambda source: source_view(source, named.get(source.id)))


@blueprint.get("/<id:source_id>")
def show(source_id: str) -> ResponseReturnValue:
    """Show one source."""
    with services().store.read() as session:
        source = stored.find_visible(session, caller().account_id, source_id)
    if source is None:
        raise not_found("source")
    return _shown(source)


@blueprint.patch("/<id:source_id>")
def change(source_id: str) -> ResponseReturnValue:
    """Change a source's name, folder or interval."""
    changes = read(SourceChange)

    def apply(session: Session) -> Source:
        source = _own(session, source_id)
        _rename(source, changes)
        if "folder" in changes.model_fields_set:
            source.folder = changes.folder
        if "interval_seconds" in changes.model_fields_set:
            _respace(source, changes.interval_seconds)
        source.updated_at = services().clock.now()
        return source

    return _shown(write_settled(services().store, apply))


@blueprint.delete("/<id:source_id>")
def delete(source_id: str) -> ResponseReturnValue:
    """Delete a source; its articles stay."""
    with services().store.write() as session:
        source_states.remove(session, _own(session, source_id))
    return "", 204


@blueprint.post("/<id:source_id>/fetch")
def fetch(source_id: str) -> ResponseReturnValue:
    """Have the source polled now; the leader sees it within a second."""
    read(NoFields)
    with services().store.write() as session:
        source = _own(session, source_id)
        if not _is_polled(source):
            raise conflict("Articles are pushed to this source: there is nothing to fetch.")
        _refuse_merged(source)
        if source.state == SourceState.DISABLED:
            raise conflict("The source is disabled: POST /v1/sources/{id}/enable polls it again.")
        source.next_poll_at = source.updated_at = services().clock.now()
    return _shown(source), 202


@blueprint.post("/<id:source_id>/enable")
def enable(source_id: str) -> ResponseReturnValue:
    """Poll a disabled source again, at once."""
    read(NoFields)
    with services().store.write() as session:
        source = _own(session, source_id)
        _refuse_merged(source)
        if source.state == SourceState.DISABLED:
            source_states.enable(source, services().clock.now())
    return _shown(source)


def _shown(source: Source) -> dict[str, Any]:
    with services().store.read() as session:
        return source_view(source, hubs.of_sources(session, [source.id]).get(source.id))


def source_view(source: Source, hub: HubSubscription | None) -> dict[str, Any]:
    """Return a source as it is shown, with the subscription at the hub that it names."""
    now, (seconds, because) = services().clock.now(), _interval(source)
    return {
        "id": source.id,
        "kind": source.kind,
        "state": source.state,
        "state_reason": source.state_reason,
        "merged_into": source.merged_into,
        "url": source.url,
        "name": source.name,
        "folder": source.folder,
        "owner": "installation" if source.account_id is None else "account",
        "interval_seconds": seconds,
        "interval_because": because,
        "articles_per_week": articles_per_week(source, now),
        "failures": source.failures,
        "last_success_at": timestamp(source.last_success_at),
        "last_error": source.last_error,
        "last_error_reason": source.last_error_reason,
        "last_error_at": timestamp(source.last_error_at),
        "next_poll_at": timestamp(source.next_poll_at),
        "websub": None if hub is None else _hub_view(hub),
        "created_at": timestamp(source.created_at),
        "updated_at": timestamp(source.updated_at),
    }


def _hub_view(hub: HubSubscription) -> dict[str, Any]:
    return {
        "hub": hub.hub,
        "state": hub.state,
        "lease_until": timestamp(hub.lease_until),
        "last_error": hub.last_error,
    }


def _interval(source: Source) -> tuple[int | None, str | None]:
    """Return how often a source is polled, and why."""
    if source.interval_seconds is not None:
        return source.interval_seconds, YOURS
    if source.used_interval_seconds is not None and source.used_interval_because != YOURS:
        return source.used_interval_seconds, source.used_interval_because
    kind = services().source_kinds.get(source.kind)
    usual = kind.default_interval_seconds if kind else None
    return usual, DEFAULT if usual is not None else None


def _refuse_merged(source: Source) -> None:
    if source.state == SourceState.MERGED:
        raise conflict(
            f"The source has moved to the address of {source.merged_into}, which goes on for both."
        )


def _is_polled(source: Source) -> bool:
    kind = services().source_kinds.get(source.kind)
    return kind is None or kind.default_interval_seconds is not None


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
    if not _is_polled(source):
        raise invalid("interval_seconds", NOT_POLLED)
    source.interval_seconds = interval_seconds
    if interval_seconds is not None and source.next_poll_at is not None:
        soonest = services().clock.now() + timedelta(seconds=interval_seconds)
        source.next_poll_at = min(source.next_poll_at, soonest)
