"""What becomes of a message, decided by how its handler ends."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from core.bus.backoff import backoff
from core.bus.ports import Handler
from core.errors import Unavailable, UnreadableMessage
from core.text import shorten, storable

HANDLER_ERROR = "handler_error"
RETRIES = 3
_DETAIL_LIMIT = 300

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Taken:
    """The handler has committed its work: acknowledge."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """The message can never be processed: put it aside with `reason`, then acknowledge."""

    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Undecided:
    """Told to stop before the handler could finish: leave the message with the broker."""


Settlement = Taken | Rejected | Undecided


def settle(
    handler: Handler, body: bytes, stop: threading.Event, on_outage: Callable[[bool], None]
) -> Settlement:
    """Call `handler` until it is known what becomes of the message.

    A server that is away is waited for without limit; `on_outage` is told True when that begins and
    False when the handler has come through.
    """
    failures = outages = 0
    try:
        while True:
            try:
                handler(body)
                return Taken()
            except UnreadableMessage as error:
                return Rejected(error.reason, _brief(str(error)))
            except Unavailable as error:
                delay = backoff(outages, 0.2, 5.0)
                outages += 1
                on_outage(True)
                log.warning("message_kept", error=str(error), next_try_in=round(delay, 2))
            except Exception as error:
                if failures == RETRIES:
                    log.exception("message_failed", tries=failures + 1)
                    return Rejected(HANDLER_ERROR, type(error).__name__)
                delay = backoff(failures, 0.1, 1.0)
                failures += 1
                log.warning("message_tried_again", error=repr(error), next_try_in=round(delay, 2))
            if stop.wait(delay):
                return Undecided()
    finally:
        if outages:
            on_outage(False)


def _brief(text: str) -> str:
    return shorten(storable(text), _DETAIL_LIMIT)
