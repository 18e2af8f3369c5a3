"""Which claimed deliveries may go now: rate limits and strict order, decided under locks of the channels."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from core.errors import Reason
from core.ids import new_id
from core.store import claims, collapsed, digests, turns
from core.store.claims import Claimed, Finished
from core.store.digests import DIGEST
from core.store.engine import Store
from core.store.leases import database_now
from core.store.models import Channel
from core.store.states import DeliveryState
from core.store.subscriptions import existing
from core.store.turns import STRICT
from notifiers.collapsing import MOST_TOGETHER, Way, way_of
from notifiers.digesting import arranged
from notifiers.finishing import put_back
from notifiers.opened import ChannelRow
from notifiers.pacing import LEAD, give_slots


@dataclass(slots=True)
class Admitted:
    """A delivery that goes out, at once or at its slot (monotonic seconds), and what is told with it."""

    claimed: Claimed
    not_before: float | None = None
    also: Sequence[Claimed] = ()


def is_restricted(channel: ChannelRow) -> bool:
    """Tell whether deliveries of a channel must be admitted one by one."""
    return channel.rate_limit is not None or channel.ordering == STRICT


def admit(
    store: Store, claim_id: str, rows: Sequence[Claimed], channels: Mapping[str, ChannelRow], moment: datetime
) -> list[Admitted]:
    """Return what may go now or within two seconds, and put the rest back into the ledger.

    Slots are in the database's time; windows of bursts are in that of `moment`, as due times are. Raises
    Unavailable while the database is away, and then nothing was decided.
    """
    restricted = [row for row in rows if row.event == DIGEST or is_restricted(channels[row.channel_id])]
    if not restricted:
        return [Admitted(row) for row in rows]
    with store.write() as session:
        locked = _locked(session, restricted, channels)
        now, started = database_now(session), time.monotonic()
        by_id = {channel.id: channel for channel in locked}
        kept, back = _in_turn(session, claim_id, restricted, locked)
        kept, waiting = _in_windows(claim_id, kept, by_id, moment)
        slots, later = _in_slots(claim_id, kept, by_id, now)
        claims.finish(session, back + waiting + later, now)
        also = _company(session, [row for row, _slot in slots], by_id, moment)
        empty = [_empty(row, claim_id) for row, _slot in slots if row.event == DIGEST and not also[row.id]]
        claims.finish(session, empty, now)
        slots = [(row, slot) for row, slot in slots if row.event != DIGEST or also[row.id]]
        if len(slots) == 0 and len(restricted) == len(rows):
            claims.end(session, [claim_id])
    decided = {row.id for row in restricted}
    return [Admitted(row) for row in rows if row.id not in decided] + [
        Admitted(row, None if slot is None else started + (slot - now).total_seconds(), also[row.id])
        for row, slot in slots
    ]


def _locked(
    session: Session, rows: Sequence[Claimed], channels: Mapping[str, ChannelRow]
) -> Sequence[Channel]:
    """Lock the channels of deliveries in one order; return those that restrict what is sent to them."""
    if any(row.event == DIGEST for row in rows):
        turns.lock_brief(session, {row.channel_id for row in rows})
    return turns.lock(session, (row.channel_id for row in rows if is_restricted(channels[row.channel_id])))


def _company(
    session: Session, rows: Sequence[Claimed], channels: Mapping[str, Channel], moment: datetime
) -> dict[str, Sequence[Claimed]]:
    """Return by the id of each delivery what is told with it, or in it."""
    by_digest = _digested(session, [row for row in rows if row.event == DIGEST], moment)
    return {
        row.id: by_digest[row.id]
        if row.event == DIGEST
        else _told_with(session, row, channels.get(row.channel_id), moment)
        for row in rows
    }


def _digested(session: Session, rows: Sequence[Claimed], moment: datetime) -> dict[str, Sequence[Claimed]]:
    """Return what digests tell, in order; of new ones that is decided and written down here."""
    if not rows:
        return {}
    new = [row for row in rows if row.message_id is None]
    if new:
        digests.collect(session, new, moment)
    found = digests.items(session, rows)
    told = _without_unwanted(session, [item for one in found.values() for item in one], moment)
    wanted: dict[str, Sequence[Claimed]] = {
        id_: arranged(item for item in one if item.id in told) for id_, one in found.items()
    }
    digests.mark(session, [(row, wanted[row.id]) for row in new if wanted[row.id]])
    return wanted


def _empty(row: Claimed, claim_id: str) -> Finished:
    """Write off a digest that has nothing to tell: another told it, or nobody is subscribed any more."""
    return Finished(row.id, row.article_day, claim_id, DeliveryState.CANCELLED, Reason.EMPTY, step=row.step)


def _without_unwanted(session: Session, told: Sequence[Claimed], moment: datetime) -> set[str]:
    """Cancel what nobody is subscribed to any more; return the ids of the rest."""
    living = existing(session, {id_ for one in told for id_, _query in one.matched})
    collapsed.leave_out(session, [one for one in told if not one.is_wanted(living)], moment)
    return {one.id for one in told if one.is_wanted(living)}


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


def _in_windows(
    claim_id: str, rows: Sequence[Claimed], channels: Mapping[str, Channel], moment: datetime
) -> tuple[list[Claimed], list[Finished]]:
    """Part what may be told now from what waits for the end of a burst's window."""
    kept, later = [], []
    for row in rows:
        channel = channels.get(row.channel_id)
        if channel is not None and _way(row, channel, moment) is Way.LATER:
            later.append(put_back(row, claim_id, channel.collapse_until))
        else:
            kept.append(row)
    return kept, later


def _told_with(
    session: Session, row: Claimed, channel: Channel | None, moment: datetime
) -> Sequence[Claimed]:
    """Return what is told with a delivery; of a new message that is decided and written down here."""
    if channel is None:
        return ()
    way = _way(row, channel, moment)
    if way is Way.BY_ITSELF:
        return ()
    if way is not Way.AS_BEFORE:
        collapsed.begin(session, row, new_id("msg"))
        channel.collapse_until = moment + timedelta(seconds=channel.collapse_seconds or 0)
    if way is Way.FIRST:
        return ()
    if way is Way.TOGETHER:
        collapsed.join(session, row, MOST_TOGETHER - 1)
    others = collapsed.others(session, row)
    wanted = _without_unwanted(session, others, moment)
    return [other for other in others if other.id in wanted]


def _way(row: Claimed, channel: Channel, moment: datetime) -> Way:
    return way_of(row, channel.collapse_seconds, channel.collapse_until, moment)


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
