"""Rate limits: which moment each delivery of a channel may go out.

Every delivery is given a slot of its own, reserved in the channel's row, so workers that know nothing of one
another never exceed a limit together.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

# A slot may be used this much late. The distance of slots allows for that, so that in no second more arrive
# than the limit says, wherever the second begins.
TOLERANCE = timedelta(milliseconds=60)
_MARGIN_SECONDS = 0.08
LEAD = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class Slots:
    """The slot of each delivery, in order, and the first that is free afterwards."""

    given: list[datetime]
    next_free: datetime | None


def spacing(rate: float) -> timedelta:
    """Return the distance of two slots of a channel limited to `rate` deliveries a second."""
    return timedelta(seconds=1 / rate + _MARGIN_SECONDS / max(rate, 1.0))


def give_slots(
    reserved: Sequence[datetime | None], next_free: datetime | None, rate: float, now: datetime
) -> Slots:
    """Give each delivery the slot that it has reserved, or, where none or one that has passed, a new one."""
    distance, given = spacing(rate), []
    for slot in reserved:
        if slot is None or slot < now - TOLERANCE:
            slot = max(next_free or now, now)
            next_free = slot + distance
        given.append(slot)
    return Slots(given, next_free)
