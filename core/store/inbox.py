"""The inbox: deliveries of articles that came before the subscription which they match."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.store import ledger
from core.store.ledger import NewDelivery
from core.store.models import Article, Channel, Delivery, Subscription
from core.store.states import DeliveryState
from core.store.subscriptions import existing

PUBLISHED = "article.published"
SUBSCRIPTIONS_LISTED = 20


def put_earlier(
    session: Session, inbox: Channel, subscription: Subscription, articles: Iterable[Article], now: datetime
) -> None:
    """Make a subscription's inbox hold articles that were routed before it was made.

    Days that have no partition yet must be given one first (`ensure_partition`).
    """
    for article in articles:
        told = _told(session, inbox, article)
        if told is None:
            _make(session, inbox, subscription, article, now)
        else:
            _add(session, told, subscription)


def _told(session: Session, inbox: Channel, article: Article) -> Delivery | None:
    newest = (
        select(Delivery)
        .where(Delivery.article_id == article.id, Delivery.article_day == article.article_day)
        .where(Delivery.channel_id == inbox.id)
        .order_by(Delivery.version.desc())
        .limit(1)
    )
    return session.execute(newest.with_for_update()).scalar_one_or_none()


def _add(session: Session, told: Delivery, subscription: Subscription) -> None:
    """Name one more subscription in a row, in the place of those that were deleted."""
    living = existing(session, [id_ for id_, _query in told.matched]) - {subscription.id}
    others = [pair for pair in told.matched if pair[0] in living]
    told.matched = [*others, [subscription.id, subscription.query]][-SUBSCRIPTIONS_LISTED:]
    told.matched_total = max(told.matched_total, len(told.matched))


def _make(
    session: Session, inbox: Channel, subscription: Subscription, article: Article, now: datetime
) -> None:
    row = NewDelivery(
        channel_id=inbox.id,
        account_id=inbox.account_id,
        queue=inbox.queue,
        event=PUBLISHED,
        state=DeliveryState.DELIVERED,
        matched=[[subscription.id, subscription.query]],
        matched_total=1,
    )
    ledger.make(session, article.id, article.version, article.article_day, [row], now)
