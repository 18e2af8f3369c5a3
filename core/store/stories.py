"""Stories: articles of different sources under one headline, told at one time."""

from collections.abc import Sequence
from datetime import date, timedelta

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from core.store import ledger
from core.store.models import Article

WINDOW = timedelta(hours=48)
MOST_ARTICLES = 50


def told(session: Session, article: Article, channel_ids: Sequence[str]) -> set[str]:
    """Return, of the given channels, those with a row for another article of the story.

    Routers that ask this of one story wait for each other until their transactions end; otherwise two that
    have one article each would not see what the other is about to tell.
    """
    if article.story is None or not channel_ids:
        return set()
    _lock(session, article.story)
    found: set[str] = set()
    for article_id, day in _others(session, article):
        found |= ledger.channels_told(session, article_id, day, channel_ids).keys()
    return found


def same_story(article: Article) -> ColumnElement[bool]:
    """Return the condition for other articles of the story, first routed within 48 hours of this one.

    They are of another source or, in a source of many publishers, of another publisher: what one publisher
    puts under one headline again and again is a column.
    """
    return and_(
        Article.story == article.story,
        Article.first_routed_at.between(article.first_routed_at - WINDOW, article.first_routed_at + WINDOW),
        Article.id != article.id,
        or_(
            Article.source_key != article.source_key,
            Article.source_name.is_distinct_from(article.source_name),
        ),
    )


def _lock(session: Session, story: str) -> None:
    if session.get_bind().dialect.name == "postgresql":  # SQLite has one writer at a time
        session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(story, 0))))


def _others(session: Session, article: Article) -> Sequence[tuple[str, date]]:
    newest_first = select(Article.id, Article.article_day).where(same_story(article))
    rows = session.execute(newest_first.order_by(Article.first_routed_at.desc()).limit(MOST_ARTICLES))
    return [(row.id, row.article_day) for row in rows]
