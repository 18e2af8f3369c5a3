"""Articles and their versions: which is the newest, and how far its routing got."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, exists, select, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import Session

from core.errors import UnreadableMessage
from core.headlines import story_of
from core.ids import new_id
from core.message import ArticleMessage
from core.store.models import Article, ArticleVersion, Entry, Source
from core.urls import host_of

EXTERNAL = "external"
OWN_SOURCE_PREFIX = "src_"


@dataclass(frozen=True)
class Origin:
    """Whose article a message brings: the first half of its identity, and its owner."""

    source_key: str
    source_id: str | None
    source_name: str | None
    account_id: str | None
    also: tuple[str, ...] = ()

    @property
    def keys(self) -> tuple[str, ...]:
        """Return what a subscription may call this source: id and name, also of those merged into it."""
        return tuple(key for key in (self.source_id, self.source_name, *self.also) if key)


def origin_of(session: Session, message: ArticleMessage) -> Origin:
    """Find the source that a message names; other producers' belong to the installation.

    Raises UnreadableMessage for a source of ours that was deleted: whose it was is no longer known.
    """
    if message.source is None:
        return Origin(EXTERNAL, None, None, None)
    source = session.get(Source, message.source.id)
    if source is None and message.source.id.startswith(OWN_SOURCE_PREFIX):
        raise UnreadableMessage("unknown_source", message.source.id)
    if source is None:
        return Origin(f"{EXTERNAL}:{message.source.id}", message.source.id, message.source.name, None)
    named = message.source.name if message.source.name != source.id else source.name
    also = _merged_keys(session, source, message.id) if source.absorbed else ()
    return Origin(source.id, source.id, named or source.name, source.account_id, also)


def _merged_keys(session: Session, source: Source, producer_id: str) -> tuple[str, ...]:
    """Return ids and names of the sources merged into one, without those that told this themselves."""
    told = exists().where(Entry.source_id == Source.id, Entry.producer_id == producer_id)
    which = select(Source.id, Source.name).where(Source.merged_into == source.id, ~told)
    return tuple(key for row in session.execute(which.order_by(Source.id)) for key in row)


def by_identity(session: Session, origin: Origin, producer_id: str) -> Article | None:
    """Return the article that a producer knows under an id, locked until the transaction ends."""
    which = select(Article).where(Article.source_key == origin.source_key, Article.producer_id == producer_id)
    return session.execute(which.with_for_update()).scalar_one_or_none()


def insert(
    session: Session, origin: Origin, message: ArticleMessage, page_key: str | None, now: datetime
) -> None:
    """Make an article's row, unless its identity or its page has one."""
    dialect = session.get_bind().dialect.name
    statement = postgresql_insert(Article) if dialect == "postgresql" else sqlite_insert(Article)
    values = _new_article(session, origin, message, now) | {"page_key": page_key}
    session.execute(statement.values(values).on_conflict_do_nothing())


def _new_article(session: Session, origin: Origin, message: ArticleMessage, now: datetime) -> dict[str, Any]:
    announced = select(Entry.article_id).where(
        Entry.source_id == origin.source_key, Entry.producer_id == message.id
    )
    return {
        "id": session.execute(announced).scalar() or new_id("art"),
        "source_key": origin.source_key,
        "producer_id": message.id,
        "source_id": origin.source_id,
        "source_name": origin.source_name,
        "account_id": origin.account_id,
        "version": 0,
        "planned_version": 0,
        "article_day": now.date(),
        "story": story_of(message.title, origin.source_name, host_of(message.url)),
        "first_routed_at": now,
        "updated_at": now,
    }


def store_version(session: Session, article: Article, message: ArticleMessage, now: datetime) -> None:
    """Make a message the article's newest version."""
    session.add(
        ArticleVersion(
            article_id=article.id,
            version=message.version,
            title=message.title,
            summary=message.summary,
            url=message.url,
            published_at=message.published_at,
            language=message.language,
            categories=message.categories,
            authors=message.authors,
            image=message.image,
            routed_at=now,
        )
    )
    article.version = message.version
    article.updated_at = now


def newest_version(session: Session, article_id: str) -> int | None:
    """Return an article's newest version, None if it is gone; locks the row until the transaction ends."""
    newest = select(Article.version).where(Article.id == article_id).with_for_update()
    return session.execute(newest).scalar_one_or_none()


def mark_planned(session: Session, article_id: str, version: int) -> None:
    """Note that every delivery of a version is in the ledger."""
    session.execute(
        update(Article)
        .where(Article.id == article_id, Article.planned_version < version)
        .values(planned_version=version)
    )


def newest_versions() -> Select[Article, ArticleVersion]:
    """Return the query for articles with their newest version."""
    return select(Article, ArticleVersion).join(
        ArticleVersion,
        (ArticleVersion.article_id == Article.id) & (ArticleVersion.version == Article.version),
    )


def article_json(article: Article, version: ArticleVersion) -> dict[str, Any]:
    """Return an article as API, webhooks and pages show it; times stay `datetime`."""
    return {
        "id": article.producer_id,
        "uid": article.id,
        "version": version.version,
        "title": version.title,
        "summary": version.summary,
        "url": version.url,
        "source": source_json(article.source_id, article.source_name),
        "published_at": version.published_at,
        "language": version.language,
        "categories": version.categories,
        "authors": version.authors,
        "image": version.image,
        "first_seen_at": article.first_routed_at,
    }


def source_json(source_id: str | None, name: str | None) -> dict[str, Any] | None:
    """Return a source as articles show it."""
    return {"id": source_id, "name": name} if source_id or name else None
