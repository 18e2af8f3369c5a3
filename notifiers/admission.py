"""Which claimed deliveries may go now: rate limits and strict order, decided under locks of the channels."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from core.store import claims, turns
from core.store.claims import Claimed, Finished
from core.store.engine import Store
from core.store.leases import database_now
from core.store.models import Channel
from core.store.turns import STRICT
from notifiers.finishing import put_back
from notifiers.opened import ChannelRow
from notifiers.pacing import LEAD, give_slots


@dataclass(slots=True)
class Admitted:
    """A delivery that goes out: at once, or at its slot (monotonic seconds)."""

    claimed: Claimed
    not_before: float | None = None


def is_restricted(channel: ChannelRow) -> bool:
    """Tell whether deliveries of a channel must be admitted one by one."""
    return channel.rate_limit is not None or channel.ordering == STRICT


def admit(
    store: Store, claim_id: str, rows: Sequence[Claimed], channels: Mapping[str, ChannelRow]
) -> list[Admitted]:
    """Return what may go now or within two seconds, and put the rest back into the ledger.

    Raises Unavailable while the database is away, and then nothing was decided.
    """
    restricted = [row for row in rows if is_restricted(channels[row.channel_id])]
    if not restricted:
        return [Admitted(row) for row in rows]
    with store.write() as session:
        locked = turns.lock(session, (row.channel_id for row in restricted))
        now, started = database_now(session), time.monotonic()
        kept, back = _in_turn(session, claim_id, restricted, locked)
        slots, later = _in_slots(claim_id, kept, {channel.id: channel for channel in locked}, now)
        claims.finish(session, back + later, now)
        if len(back) + len(later) == len(rows):
            claims.end(session, [claim_id])
    free = [Admitted(row) for row in rows if not is_restricted(channels[row.channel_id])]
    return free + [
        Admitted(row, None if slot is None else started + (slot - now).total_seconds()) for row, slot in slots
    ]


def _in_turn(
    session: Session, claim_id: str, rows: Sequence[Claimed], locked: Sequence[Channel]
) -> tuple[list[Claimed], list[Finished]]:
    """Part what is at the head of its line, or in none, from what must wait until it is called."""
    heads = turns.heads(session, [channel.id for channel in locked if channel.ordering == STRICT])
    kept, parked = [], []
    for row in rows:
        if row.sequence is None or row.sequence <= heads.get(row.channel_id, row.sequence):
            kept.append(row)
        else:
            parked.append(put_back(row, claim_id, None))
    return kept, parked


def _in_slots(
    claim_id: str, rows: Sequence[Claimed], channels: Mapping[str, Channel], now: datetime
) -> tuple[list[tuple[Claimed, datetime | None]], list[Finished]]:
    """Part what has a slot within two seconds, or needs none, from what has one later."""
    soon: list[tuple[Claimed, datetime | None]] = []
    later: list[Finished] = []
    of_channel: dict[str, list[Claimed]] = {}
    for row in rows:
        of_channel.setdefault(row.channel_id, []).append(row)
    for channel_id, waiting in of_channel.items():
        channel = channels.get(channel_id)
        if channel is None or channel.rate_limit is None:
            soon += [(row, None) for row in waiting]
            continue
        slots = give_slots([row.slot_at for row in waiting], channel.next_slot_at, channel.rate_limit, now)
        channel.next_slot_at = slots.next_free
        for row, slot in zip(waiting, slots.given, strict=True):
            if slot <= now + LEAD:
                soon.append((row, slot))
            else:
                later.append(put_back(row, claim_id, slot, enqueue_after=slot - LEAD, slot_at=slot))
    return soon, later
