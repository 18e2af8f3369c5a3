"""WebSub (W3C Recommendation of 2018): asking hubs to push."""

from collections.abc import Callable
from datetime import timedelta
from urllib.parse import urlencode

import structlog

from core.clock import Clock
from core.egress import BlockedUrl, EgressPolicy, PushAnswer, PushRequest, check_url
from core.signing import SecretBox, UndecryptableSecret
from core.store import hubs
from core.store.engine import Store
from core.store.hubs import Asked
from core.store.leases import Grant, check
from core.text import one_line, shorten, storable

log = structlog.get_logger()

LEASE_WANTED = timedelta(days=10)
_EXCERPT = 200

Send = Callable[[PushRequest], PushAnswer]


class HubRequests:
    """The leader's duty to ask hubs to push, and to renew that in time (section 5.1)."""

    def __init__(
        self, store: Store, send: Send, egress: EgressPolicy, box: SecretBox, public_url: str, clock: Clock
    ) -> None:
        self._store, self._send, self._egress, self._box = store, send, egress, box
        self._callbacks = f"{public_url.rstrip('/')}/websub/"
        self._clock = clock

    def __call__(self, grant: Grant) -> None:
        """Send every request that is due."""
        with self._store.write() as session:
            check(session, grant)
            due = hubs.ask_due(session, self._clock.now())
        for asked in due:
            problem = self._ask(asked)
            if problem is not None:
                self._note(asked, problem, grant)

    def _ask(self, asked: Asked) -> str | None:
        """Send one request; return in words why the hub did not accept it."""
        try:
            target = check_url(asked.hub, self._egress)
        except BlockedUrl as error:
            return f"The hub's address may not be contacted: {error}"
        try:
            form = self._form(asked)
        except UndecryptableSecret as error:
            return str(error)
        headers = ["Content-Type: application/x-www-form-urlencoded"]
        answer = self._send(PushRequest(target.url, headers, form))
        if answer.status is None:
            return answer.detail or "The hub cannot be reached"
        return None if 200 <= answer.status < 300 else _refusal(answer.status, answer.excerpt)

    def _form(self, asked: Asked) -> bytes:
        fields = {
            "hub.mode": "subscribe",
            "hub.topic": asked.topic,
            "hub.callback": self._callbacks + asked.callback,
            "hub.lease_seconds": str(int(LEASE_WANTED.total_seconds())),
            "hub.secret": self._box.decrypt(asked.secret),
        }
        return urlencode(fields).encode()

    def _note(self, asked: Asked, problem: str, grant: Grant) -> None:
        log.warning("a hub was asked in vain", source=asked.source_id, problem=problem)
        with self._store.write() as session:
            check(session, grant)
            hubs.note_failure(session, asked, problem, self._clock.now())


def _refusal(status: int, excerpt: bytes) -> str:
    said = shorten(one_line(storable(excerpt.decode("utf-8", "replace"))), _EXCERPT)
    return f"The hub refused with status {status}{f': {said}' if said else ''}"
