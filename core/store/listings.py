"""Lists a page at a time, newest first: ids sort by time of creation, so they say where a page begins."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, NamedTuple, TypeVar

from sqlalchemy import ColumnElement, Select, or_, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

from core.store.also_in import from_source
from core.store.articles import newest_versions
from core.store.digests import is_item
from core.store.matched import matched_by
from core.store.models import (
    Alias,
    Article,
    ArticleVersion,
    Attempt,
    Channel,
    Delivery,
    Key,
    Notice,
    Source,
    Subscription,
)
from core.store.sources import visible_to

Row = TypeVar("Row")

ArticleRow = tuple[Article, ArticleVersion]
DeliveryRow = tuple[Delivery, str | None]


@dataclass(frozen=True)
class Page(Generic[Row]):
    """Rows, and the id before which the next page begins (None on the last)."""

    rows: Sequence[Row]
    next_before: str | None


class ArticleText(NamedTuple):
    """What queries ask of an article's newest version, and when it came."""

    id: str
    version: int
    title: str
    summary: str
    source_id: str | None
    source_name: str | None
    language: str | None
    categories: list[str]
    published_at: datetime | None
    first_routed_at: datetime


@dataclass(frozen=True)
class DeliveryFilter:
    """Which deliveries of an account are listed."""

    channel_id: str | None = None
    subscription_id: str | None = None
    article_id: str | None = None
    state: str | None = None
    since: datetime | None = None


def channels(session: Session, account_id: str, before: str | None, limit: int) -> Page[Channel]:
    """Return channels of an account."""
    mine = select(Channel).where(Channel.account_id == account_id)
    return _scalars(session, mine, Channel.id, before, limit)


def subscriptions(
    session: Session, account_id: str, channel_id: str | None, before: str | None, limit: int
) -> Page[Subscription]:
    """Return subscriptions of an account, or of one of its channels."""
    mine = select(Subscription).where(Subscription.account_id == account_id)
    if channel_id is not None:
        mine = mine.where(Subscription.channel_id == channel_id)
    return _scalars(session, mine, Subscription.id, before, limit)


def sources(session: Session, account_id: str, before: str | None, limit: int) -> Page[Source]:
    """Return sources that an account sees, without those that go on in another."""
    which = select(Source).where(visible_to(account_id), Source.merged_into.is_(None))
    return _scalars(session, which, Source.id, before, limit)


def keys(session: Session, account_id: str, before: str | None, limit: int) -> Page[Key]:
    """Return keys of an account."""
    return _scalars(session, select(Key).where(Key.account_id == account_id), Key.id, before, limit)


def aliases(session: Session, before: str | None, limit: int) -> Page[Alias]:
    """Return aliases, which are everyone's."""
    return _scalars(session, select(Alias), Alias.id, before, limit)


def notices(
    session: Session, account_id: str, before: str | None, limit: int, *, installation: bool
) -> Page[Notice]:
    """Return notices of an account; with `installation` those of no account too."""
    mine = Notice.account_id == account_id
    which = or_(mine, Notice.account_id.is_(None)) if installation else mine
    return _scalars(session, select(Notice).where(which), Notice.id, before, limit)


def articles_visible_to(account_id: str) -> ColumnElement[bool]:
    """Return the condition for articles that an account may see."""
    return or_(Article.account_id.is_(None), Article.account_id == account_id)


def articles(
    session: Session,
    account_id: str,
    source: str | None,
    since: datetime | None,
    before: str | None,
    limit: int,
) -> Page[ArticleRow]:
    """Return articles that an account sees, with their newest version; `source` is an id or a name."""
    statement = newest_versions().where(articles_visible_to(account_id))
    if source is not None:
        statement = statement.where(from_source(source))
    if since is not None:
        statement = statement.where(Article.first_routed_at >= since)
    rows, next_before = _page(session, statement, Article.id, before, limit)
    return Page([(row[0], row[1]) for row in rows], next_before)


def latest_texts(session: Session, account_id: str, limit: int) -> list[ArticleText]:
    """Return the texts of the latest articles that an account sees, newest first."""
    columns = (
        Article.id,
        Article.version,
        ArticleVersion.title,
        ArticleVersion.summary,
        Article.source_id,
        Article.source_name,
        ArticleVersion.language,
        ArticleVersion.categories,
        ArticleVersion.published_at,
        Article.first_routed_at,
    )
    latest = newest_versions().with_only_columns(*columns).where(articles_visible_to(account_id))
    rows = session.execute(latest.order_by(Article.id.desc()).limit(limit))
    return [ArticleText._make(row) for row in rows]


def articles_with(session: Session, versions: Sequence[tuple[str, int]]) -> dict[str, ArticleRow]:
    """Return articles by id, each with the one version asked for, as far as they exist."""
    which = tuple_(ArticleVersion.article_id, ArticleVersion.version).in_(versions)
    joined = select(Article, ArticleVersion).join(ArticleVersion, ArticleVersion.article_id == Article.id)
    return {row[0].id: (row[0], row[1]) for row in session.execute(joined.where(which))}


def deliveries(
    session: Session, account_id: str, which: DeliveryFilter, before: str | None, limit: int
) -> Page[DeliveryRow]:
    """Return deliveries of an account, with the title of the version delivered."""
    statement = _with_title().where(Delivery.account_id == account_id, *_conditions(session, which))
    rows, next_before = _page(session, statement, Delivery.id, before, limit)
    return Page([(row[0], row[1]) for row in rows], next_before)


def delivery(session: Session, account_id: str, delivery_id: str) -> DeliveryRow | None:
    """Return one delivery of an account."""
    which = _with_title().where(Delivery.account_id == account_id, Delivery.id == delivery_id)
    row = session.execute(which).one_or_none()
    return (row[0], row[1]) if row else None


def told_by_digest(session: Session, digest: Delivery, most: int) -> list[DeliveryRow]:
    """Return what a digest tells, or what waits for it, newest first."""
    told = _with_title().where(
        Delivery.channel_id == digest.channel_id,
        Delivery.digest_at == digest.digest_at,
        Delivery.message_id.is_not_distinct_from(digest.message_id),
        is_item(),
    )
    rows = session.execute(told.order_by(Delivery.id.desc()).limit(most))
    return [(row[0], row[1]) for row in rows]


def attempts(session: Session, delivery: Delivery) -> Sequence[Attempt]:
    """Return the tries of a delivery, in order."""
    tries = select(Attempt).where(
        Attempt.delivery_id == delivery.id, Attempt.article_day == delivery.article_day
    )
    return session.execute(tries.order_by(Attempt.number)).scalars().all()


def _with_title() -> Select[Delivery, str | None]:
    same = (ArticleVersion.article_id == Delivery.article_id) & (ArticleVersion.version == Delivery.version)
    return select(Delivery, ArticleVersion.title).join(ArticleVersion, same, isouter=True)


def _conditions(session: Session, which: DeliveryFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    for column, value in (
        (Delivery.channel_id, which.channel_id),
        (Delivery.article_id, which.article_id),
        (Delivery.state, which.state),
    ):
        if value is not None:
            conditions.append(column == value)
    if which.subscription_id is not None:
        conditions.append(matched_by(session, which.subscription_id))
    if which.since is not None:
        conditions.append(Delivery.created_at >= which.since)
    return conditions


def _scalars(
    session: Session,
    statement: Select[*tuple[Any, ...]],
    key: InstrumentedAttribute[str],
    before: str | None,
    limit: int,
) -> Page[Any]:
    rows, next_before = _page(session, statement, key, before, limit)
    return Page([row[0] for row in rows], next_before)


def _page(
    session: Session,
    statement: Select[*tuple[Any, ...]],
    key: InstrumentedAttribute[str],
    before: str | None,
    limit: int,
) -> tuple[list[Any], str | None]:
    if before is not None:
        statement = statement.where(key < before)
    rows = list(session.execute(statement.order_by(key.desc()).limit(limit + 1)))
    shown = rows[:limit]
    return shown, getattr(shown[-1][0], key.key) if len(rows) > limit else None
