"""Bursts: which articles of a channel go at once, and which are collapsed into one message.

A message opens a window. What comes within it waits for its end, and is told together then, by a message
that opens the next. What comes when no window is open goes at once.
"""

from datetime import datetime
from enum import Enum

from core.store.claims import Claimed

MOST_TOGETHER = 1_000


class Way(Enum):
    """How a claimed delivery is told."""

    BY_ITSELF = "an article of its own, as always where nothing collapses"
    AS_BEFORE = "by the message that it was put in"
    FIRST = "at once, opening a window"
    TOGETHER = "with all that waits behind it"
    LATER = "when the window ends"


def way_of(row: Claimed, seconds: float | None, until: datetime | None, now: datetime) -> Way:
    """Say how a delivery is told.

    `seconds` is how long its channel's windows are (None: nothing collapses), `until` the end of the latest.
    """
    if row.message_id is not None:
        return Way.AS_BEFORE
    if not seconds or row.sequence is None:
        return Way.BY_ITSELF
    if until is None or row.created_at >= until:
        return Way.FIRST
    return Way.LATER if now < until else Way.TOGETHER
