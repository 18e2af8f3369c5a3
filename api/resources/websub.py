"""`/websub/<callback>`: where hubs verify what was asked of them, and push (WebSub, sections 5.3 and 7).

The address itself is the secret; hubs have no key.
"""

import hmac
from datetime import timedelta

import structlog
from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from api.problems import Problem, not_found
from api.services import services
from core.signing import UndecryptableSecret
from core.store import hubs
from core.store.models import HubSubscription
from core.text import one_line, shorten, storable

log = structlog.get_logger()

blueprint = Blueprint("websub", __name__, url_prefix="/websub")

DOCUMENT_LIMIT = 8_000_000  # as much as the server reads of any body
CHALLENGE_LIMIT = 4_096
LEASE_UNLESS_TOLD = timedelta(days=10)
METHODS = frozenset({"sha1", "sha256", "sha384", "sha512"})
_REASON_LIMIT = 300
_LEASE_DIGITS = 9


@blueprint.get("/<callback>")
def verify(callback: str) -> ResponseReturnValue:
    """Echo a hub's challenge if it verifies what was asked; take note if it denies it."""
    mode = request.args.get("hub.mode", "")
    with services().store.write() as session:
        row = _subscription(session, callback)
        if mode == "denied":
            hubs.refuse(session, row, _reason(), services().clock.now())
            return "", 200
        if mode != "subscribe" or row.asked_at is None:
            raise not_found("subscription")
        challenge = _challenge()
        hubs.verify(row, _lease(), services().clock.now())
    return Response(challenge, mimetype="text/plain")


@blueprint.post("/<callback>")
def receive(callback: str) -> ResponseReturnValue:
    """Keep a pushed document for the leader; one whose signature is wrong is ignored, as section 8 asks."""
    request.max_content_length = DOCUMENT_LIMIT
    body = request.get_data()
    with services().store.write() as session:
        row = hubs.find(session, callback)
        if row is None:
            # What ends a subscription at the hub (section 7).
            raise Problem(410, "Nobody here wants this any more.")
        if not _is_signed(row, body):
            log.warning("a push with a wrong signature is ignored", source=row.source_id)
            return "", 202
        content_type = storable(request.headers.get("Content-Type", ""))[:200]
        if not hubs.keep(session, row.source_id, content_type, body, services().clock.now()):
            raise Problem(503, "Too many documents wait; push again later.")
    return "", 202


def _subscription(session: Session, callback: str) -> HubSubscription:
    """Return the subscription that a hub speaks of; raises Problem 404."""
    row = hubs.find(session, callback, lock=True)
    if row is None or request.args.get("hub.topic") != row.topic:
        raise not_found("subscription")
    return row


def _challenge() -> str:
    challenge = request.args.get("hub.challenge", "")
    if not challenge or len(challenge) > CHALLENGE_LIMIT:
        raise Problem(400, "hub.challenge is missing or too long.")
    return challenge


def _lease() -> timedelta:
    asked = request.args.get("hub.lease_seconds", "")
    if asked.isascii() and asked.isdigit() and len(asked) <= _LEASE_DIGITS:
        return timedelta(seconds=int(asked))
    return LEASE_UNLESS_TOLD


def _reason() -> str:
    said = shorten(one_line(storable(request.args.get("hub.reason", ""))), _REASON_LIMIT)
    return f"The hub denies the subscription{f': {said}' if said else ''}"


def _is_signed(row: HubSubscription, body: bytes) -> bool:
    method, _, signature = request.headers.get("X-Hub-Signature", "").partition("=")
    if method.lower() not in METHODS:
        return False
    try:
        secret = services().box.decrypt(row.secret)
    except UndecryptableSecret as error:
        raise Problem(503, "The secret of this subscription cannot be read at present.") from error
    expected = hmac.new(secret.encode(), body, method.lower()).hexdigest()
    return hmac.compare_digest(expected.encode(), signature.strip().lower().encode())
