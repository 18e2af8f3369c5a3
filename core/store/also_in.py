"""Where else an article is told: other sources of its page, and other articles of its story."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from core.store.articles import newest_versions
from core.store.bulk import BulkStatement
from core.store.models import Appearance, Article
from core.store.stories import same_story

MOST_LISTED = 50


@dataclass(frozen=True)
class Elsewhere:
    """One more place; `uid` is None where it is the same article, not another of the same story."""

    uid: str | None
    source_id: str | None
    source_name: str | None
    url: str | None
    first_seen_at: datetime


def also_in(session: Session, article: Article, visible: ColumnElement[bool]) -> list[Elsewhere]:
    """Return the first 50 other places in the order in which they came; articles must be `visible`."""
    found = _other_sources(session, article) + _same_story(session, article, visible)
    return sorted(found, key=lambda place: place.first_seen_at)[:MOST_LISTED]


def from_source(source: str) -> ColumnElement[bool]:
    """Return the condition for articles that a source has, given its id or name."""
    appears = select(Appearance.article_id).where(
        Appearance.article_id == Article.id,
        or_(Appearance.source_id == source, Appearance.source_name == source),
    )
    return or_(Article.source_id == source, Article.source_name == source, appears.exists())


_NAMES = BulkStatement(
    "SELECT article_id, source_id, source_name FROM appearances WHERE article_id {among}",
    {"article_id": "text"},
)


def names_elsewhere(session: Session, article_ids: Sequence[str]) -> dict[str, list[str]]:
    """Return what the other sources of articles are called, of those that have any."""
    found: dict[str, list[str]] = {}
    for article_id, *names in _NAMES.run(session, [(id_,) for id_ in article_ids]):
        found.setdefault(article_id, []).extend(name for name in names if name)
    return found


def _other_sources(session: Session, article: Article) -> list[Elsewhere]:
    which = select(Appearance).where(Appearance.article_id == article.id)
    first = which.order_by(Appearance.first_seen_at).limit(MOST_LISTED)
    return [
        Elsewhere(None, one.source_id, one.source_name, one.url, one.first_seen_at)
        for one in session.execute(first).scalars()
    ]


def _same_story(session: Session, article: Article, visible: ColumnElement[bool]) -> list[Elsewhere]:
    if article.story is None:
        return []
    which = newest_versions().where(visible, same_story(article))
    first = which.order_by(Article.first_routed_at).limit(MOST_LISTED)
    return [
        Elsewhere(one.id, one.source_id, one.source_name, version.url, one.first_routed_at)
        for one, version in session.execute(first)
    ]
