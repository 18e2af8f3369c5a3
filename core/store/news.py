"""What an account's subscriptions matched, article by article."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session, aliased

from core.store.articles import newest_versions
from core.store.listings import ArticleRow, Page
from core.store.matched import matched_one_of
from core.store.models import Article, Delivery, Subscription


@dataclass(frozen=True)
class NewsFilter:
    """Which news: of subscriptions to a topic (as it was written, or its canonical query), since when."""

    topic: str | None = None
    canonical: str | None = None
    since: datetime | None = None


def news(
    session: Session, account_id: str, which: NewsFilter, before: str | None, limit: int
) -> Page[ArticleRow]:
    """Return articles that an account's present subscriptions matched, latest match first, each once.

    What only deleted subscriptions matched is left out.
    """
    wanted = _subscriptions(account_id, which)
    later = aliased(Delivery)
    told_later = (
        select(later.id)
        .where(later.article_id == Delivery.article_id, later.article_day == Delivery.article_day)
        .where(later.account_id == account_id, later.id > Delivery.id)
        .where(matched_one_of(session, later, *wanted))
        .correlate(Delivery)
    )
    statement = (
        newest_versions()
        .add_columns(Delivery.id)
        .join(Delivery, Delivery.article_id == Article.id)
        .where(Delivery.account_id == account_id, matched_one_of(session, Delivery, *wanted))
        .where(~told_later.exists())
    )
    if which.since is not None:
        statement = statement.where(Delivery.created_at >= which.since)
    if before is not None:
        statement = statement.where(Delivery.id < before)
    rows = list(session.execute(statement.order_by(Delivery.id.desc()).limit(limit + 1)))
    shown = [(article, version) for article, version, _ in rows[:limit]]
    return Page(shown, rows[limit - 1][2] if len(rows) > limit else None)


def _subscriptions(account_id: str, which: NewsFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [Subscription.account_id == account_id]
    if which.topic is not None:
        written = Subscription.query == which.topic
        same = and_(Subscription.topic, Subscription.canonical == which.canonical)
        conditions.append(or_(written, same) if which.canonical else written)
    return conditions
