"""What a digest tells, and in which order: grouped by topic, the best first, the rest counted."""

from collections.abc import Iterable, Sequence

from core.store.claims import Claimed
from notifiers.notice import Notice

MOST_LISTED = 50


def arranged(items: Iterable[Claimed]) -> list[Claimed]:
    """Return each article once, in its newest version: the 50 best grouped by topic, then all others.

    An article is the better the more of the channel's subscriptions it matches, and of several the one that
    came last. Its topic is the first subscription that it matches; topics stand in the order of their best.
    """
    newest: dict[str, Claimed] = {}
    for item in sorted(items, key=lambda one: one.version):
        newest[item.article_id] = item
    ranked = sorted(newest.values(), key=lambda one: (one.matched_total, one.id), reverse=True)
    groups: dict[str, list[Claimed]] = {}
    for item in ranked[:MOST_LISTED]:
        groups.setdefault(item.matched[0][0], []).append(item)
    return [item for group in groups.values() for item in group] + ranked[MOST_LISTED:]


def digest_notice(digest: Claimed, shown: Sequence[Notice], total: int, link: str | None) -> Notice:
    """Return what a digest tells: the articles shown, and how many there are in all.

    Raises LookupError where none can be shown, for then all were deleted.
    """
    return Notice(
        id=digest.id,
        event=digest.event,
        created_at=digest.digest_at or digest.created_at,
        article=shown[0].article,
        subscriptions=digest.matched,
        subscriptions_total=digest.matched_total,
        also=shown,
        more=total - len(shown),
        link=link,
        account_id=digest.account_id,
        channel_id=digest.channel_id,
    )
