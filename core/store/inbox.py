"""The inbox: deliveries of articles that came before the subscription which they match."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.store import ledger
from core.store.ledger import NewDelivery
from core.store.models import Article, Channel, Delivery, Subscription
from core.store.states import DeliveryState

PUBLISHED = "article.published"


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
        elif not any(pair[0] == subscription.id for pair in told.matched):
            told.matched = [*told.matched, [subscription.id, subscription.query]]
            told.matched_total += 1


def _told(session: Session, inbox: Channel, article: Article) -> Delivery | None:
    newest = (
        select(Delivery)
        .where(Delivery.article_id == article.id, Delivery.article_day == article.article_day)
        .where(Delivery.channel_id == inbox.id)
        .order_by(Delivery.version.desc())
        .limit(1)
    )
    return session.execute(newest.with_for_update()).scalar_one_or_none()


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
