"""Who is told of an article: decided from what matched and what was told before."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from core.digest_schedule import DigestSchedule, earliest_due
from core.store.ledger import NewDelivery
from core.store.states import INBOX_QUEUE, ChannelState, DeliveryState
from core.store.subscriptions import Recipient
from core.store.turns import STRICT

SUBSCRIPTIONS_LISTED = 20
PUBLISHED, UPDATED = "article.published", "article.updated"


@dataclass(frozen=True)
class Plan:
    """Rows to make, and the channels whose older unfinished rows they replace."""

    deliveries: list[NewDelivery]
    superseded: list[str]


def by_channel(recipients: Iterable[Recipient]) -> dict[str, list[Recipient]]:
    """Group what matched by channel, in order, so that each channel is told once."""
    groups: dict[str, list[Recipient]] = {}
    for recipient in recipients:
        groups.setdefault(recipient.channel_id, []).append(recipient)
    return groups


def asking_once(groups: Mapping[str, Sequence[Recipient]], told: Mapping[str, int]) -> list[str]:
    """Return the channels whose being told depends on what else of the story they were told."""
    return [
        channel_id
        for channel_id, matched in groups.items()
        if channel_id not in told and any(recipient.once_per_story for recipient in matched)
    ]


def without_repeated_stories(
    groups: Mapping[str, Sequence[Recipient]], told: Mapping[str, int], story_told: Collection[str]
) -> dict[str, Sequence[Recipient]]:
    """Leave out subscriptions that want a story once, where another article of it was told to their channel.

    What a channel was told of this very article is followed all the same.
    """
    wanted = {
        channel_id: [one for one in matched if not one.once_per_story]
        if channel_id in story_told and channel_id not in told
        else matched
        for channel_id, matched in groups.items()
    }
    return {channel_id: matched for channel_id, matched in wanted.items() if matched}


def plan(
    groups: Mapping[str, Sequence[Recipient]],
    told: Mapping[str, int],
    version: int,
    now: datetime,
    *,
    only_untold: bool = False,
) -> Plan:
    """Decide the deliveries of one version of an article.

    `told` holds the newest version that each channel has a row for. A channel without a row gets one; a
    channel with one gets a newer version only where a matching subscription asked for updates, and none with
    `only_untold`. Where all that matched are digests it waits for the first of them that is due after `now`.
    """
    deliveries: list[NewDelivery] = []
    superseded: list[str] = []
    for channel_id, matched in groups.items():
        if matched[0].channel_state == ChannelState.UNVERIFIED:
            continue
        before = told.get(channel_id)
        if before is None:
            deliveries.append(_delivery(matched, PUBLISHED, now))
        elif not only_untold and before < version and any(recipient.updates for recipient in matched):
            deliveries.append(_delivery(matched, UPDATED, now))
            superseded.append(channel_id)
    return Plan(deliveries, superseded)


def _delivery(matched: Sequence[Recipient], event: str, now: datetime) -> NewDelivery:
    first = matched[0]
    schedules = digest_schedules(matched)
    active = first.channel_state == ChannelState.ACTIVE
    return NewDelivery(
        channel_id=first.channel_id,
        account_id=first.account_id,
        queue=first.queue,
        event=event,
        state=DeliveryState.PENDING if active else DeliveryState.HELD,
        matched=[[recipient.id, recipient.query] for recipient in matched[:SUBSCRIPTIONS_LISTED]],
        matched_total=len(matched),
        strict=first.ordering == STRICT and not schedules,
        digest_at=earliest_due(schedules, now) if schedules else None,
        schedules=schedules,
    )


def digest_schedules(matched: Sequence[Recipient]) -> list[DigestSchedule]:
    """Return the schedules by which a channel is told what matched; none where it is told at once.

    One subscription without a schedule is enough for that, and so is that nothing is sent to the channel.
    """
    schedules = [recipient.schedule for recipient in matched if recipient.schedule]
    at_once = len(schedules) < len(matched) or matched[0].queue == INBOX_QUEUE
    return [] if at_once else list(dict.fromkeys(schedules))
