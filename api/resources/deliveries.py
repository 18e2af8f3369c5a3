"""`/v1/deliveries`: what was sent where, and how that went."""

from typing import Any

from flask import Blueprint
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from api.authentication import authenticate, caller
from api.channel_changes import kind_of
from api.inputs import NoFields, Reference, Since, read, read_parameters
from api.paging import PageParameters, page_json
from api.problems import conflict, not_found
from api.reasons import delivery_reasons
from api.services import Services, services
from api.views import timestamp
from core.store import aliases, listings, recovery
from core.store.digests import DIGEST
from core.store.listings import DeliveryFilter, DeliveryRow
from core.store.models import Attempt, Channel, Delivery
from core.store.states import UNFINISHED, DeliveryState

blueprint = Blueprint("deliveries", __name__, url_prefix="/v1/deliveries")
blueprint.before_request(authenticate)

MOST_ARTICLES = 1_000


class ListParameters(PageParameters):
    """Which deliveries are listed."""

    channel_id: Reference = None
    subscription_id: Reference = None
    article_id: Reference = None
    state: DeliveryState | None = None
    since: Since = None


@blueprint.get("")
def index() -> ResponseReturnValue:
    """List the account's deliveries."""
    given = read_parameters(ListParameters)
    which = DeliveryFilter(
        given.channel_id, given.subscription_id, given.article_id, given.state, given.since
    )
    with services().store.read() as session:
        page = listings.deliveries(session, caller().account_id, which, given.cursor, given.limit)
    return page_json(page, delivery_view)


@blueprint.get("/<id:delivery_id>")
def show(delivery_id: str) -> ResponseReturnValue:
    """Show one delivery; its `attempts` are every try and what came back, `why` is what made it match.

    A digest has its `articles` instead.
    """
    wiring = services()
    with wiring.store.read() as session:
        row = listings.delivery(session, caller().account_id, delivery_id)
        if row is None:
            raise not_found("delivery")
        tries = listings.attempts(session, row[0])
        if row[0].event == DIGEST:
            told = listings.told_by_digest(session, row[0], MOST_ARTICLES)
            more: dict[str, Any] = {"articles": [_told_view(one) for one in told]}
        else:
            more = {"why": delivery_reasons(session, row[0], aliases.in_force(session))}
    return delivery_view(row) | {"attempts": [_attempt_view(attempt) for attempt in tries]} | more


@blueprint.post("/<id:delivery_id>/retry")
def retry(delivery_id: str) -> ResponseReturnValue:
    """Send a delivery again under the same id, or at once where it waits."""
    read(NoFields)
    wiring = services()
    with wiring.store.write() as session:
        row = listings.delivery(session, caller().account_id, delivery_id)
        if row is None:
            raise not_found("delivery")
        # The channel first, as whoever changes a channel locks it before its deliveries.
        channel = _channel_of(session, wiring, row[0])
        session.refresh(row[0], with_for_update=True)
        if row[0].state == DeliveryState.SENDING:
            raise conflict("The delivery is being sent at this moment.")
        _require_by_itself(row[0])
        recovery.retry_delivery(session, row[0], channel, wiring.clock.now())
    return delivery_view(row)


def _require_by_itself(delivery: Delivery) -> None:
    """Raise Problem 409 for what is sent when a digest is."""
    if delivery.digest_at is None:
        return
    waits = delivery.message_id is None and delivery.state in UNFINISHED
    if waits:
        raise conflict("This waits for its digest: POST /v1/subscriptions/{id}/send-digest sends that now.")
    if delivery.event != DIGEST:
        raise conflict(f"A digest tells this article: it is sent again with {delivery.message_id}.")


def _channel_of(session: Session, wiring: Services, delivery: Delivery) -> Channel:
    channel = session.get(Channel, delivery.channel_id, with_for_update=True)
    if channel is None:
        raise conflict("The channel of this delivery was deleted.")
    kind_of(wiring, channel)
    return channel


def delivery_view(row: DeliveryRow) -> dict[str, Any]:
    """Return a delivery as lists show it, where `attempts` is their number."""
    delivery, title = row
    return {
        "id": delivery.id,
        "channel_id": delivery.channel_id,
        "article_id": None if delivery.event == DIGEST else delivery.article_id,
        "article_title": title,
        "version": delivery.version,
        "event": delivery.event,
        "message_id": delivery.message_id,
        "digest_at": timestamp(delivery.digest_at),
        "state": delivery.state,
        "reason": delivery.reason,
        "attempts": delivery.attempts,
        "due_at": timestamp(delivery.due_at),
        "next_try_at": timestamp(delivery.due_at) if delivery.state == DeliveryState.PENDING else None,
        "created_at": timestamp(delivery.created_at),
        "finished_at": timestamp(delivery.finished_at),
        "subscriptions": [{"id": id_, "query": query} for id_, query in delivery.matched],
        "subscriptions_total": delivery.matched_total,
    }


def _told_view(row: DeliveryRow) -> dict[str, Any]:
    delivery, title = row
    return {
        "delivery_id": delivery.id,
        "article_id": delivery.article_id,
        "article_title": title,
        "version": delivery.version,
        "state": delivery.state,
    }


def _attempt_view(attempt: Attempt) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "started_at": timestamp(attempt.started_at),
        "duration_ms": attempt.duration_ms,
        "status": attempt.status,
        "reason": attempt.reason,
        "excerpt": attempt.excerpt,
        "next_try_at": timestamp(attempt.next_try_at),
    }
