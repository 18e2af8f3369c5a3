"""Which article a message is of: one of its own, or that of another source which showed the same page first.

The first source owns the article and its versions; what others show of the page appears in it. An address
that one source gives to several items tells none of them apart, so from then on nothing joins by it.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from core.message import ArticleMessage
from core.store import articles
from core.store.articles import EXTERNAL, Origin
from core.store.models import Appearance, Article
from core.urls import article_page

MOST_TRIES = 5
MOST_SOURCES = 50


@dataclass(frozen=True)
class Place:
    """An article, and the appearance in it that a message is of: None where the article is its own."""

    article: Article
    appearance: Appearance | None = None

    @property
    def holder(self) -> Article | Appearance:
        """Return the row that says which of the message's versions came, and how far their routing got."""
        return self.appearance or self.article


def place(session: Session, origin: Origin, message: ArticleMessage, now: datetime) -> Place:
    """Find the article of a message, or make it; its row stays locked until the transaction ends."""
    key = page_key(origin, message.url)
    for _ in range(MOST_TRIES):  # again only where what was in the way is deleted at this moment
        found = _known(session, origin, message.id)
        if found is None:
            articles.insert(session, origin, message, key, now)
            found = _own(session, origin, message.id) or _join(session, origin, message, key, now)
        if found is not None:
            return found
    raise RuntimeError("the row of an article can be neither made nor found")


def page_key(origin: Origin, url: str | None) -> str | None:
    """Return what articles of one page and one owner share; None for what joins no others.

    What names no source joins none: nobody knows how many producers there are behind it.
    """
    page = article_page(url) if origin.source_key != EXTERNAL else None
    if page is None:
        return None
    return hashlib.sha256(f"{origin.account_id or ''} {page}".encode()).hexdigest()[:32]


def mark_planned(session: Session, place: Place, version: int) -> None:
    """Note that every delivery of a version is in the ledger."""
    appearance = place.appearance
    if appearance is None:
        articles.mark_planned(session, place.article.id, version)
        return
    session.execute(
        update(Appearance)
        .where(
            Appearance.source_key == appearance.source_key,
            Appearance.producer_id == appearance.producer_id,
            Appearance.planned_version < version,
        )
        .values(planned_version=version)
        .execution_options(synchronize_session=False)
    )


def other_sources(session: Session, article_id: str) -> list[tuple[str, ...]]:
    """Return what subscriptions may call the other sources of an article, those that came first."""
    appearances = session.execute(
        select(Appearance.source_id, Appearance.source_name)
        .where(Appearance.article_id == article_id)
        .order_by(Appearance.first_seen_at)
        .limit(MOST_SOURCES)
    )
    return list(dict.fromkeys(tuple(name for name in names if name) for names in appearances))


def _known(session: Session, origin: Origin, producer_id: str) -> Place | None:
    return _own(session, origin, producer_id) or _appeared(session, origin, producer_id)


def _own(session: Session, origin: Origin, producer_id: str) -> Place | None:
    article = articles.by_identity(session, origin, producer_id)
    return Place(article) if article is not None else None


def _appeared(session: Session, origin: Origin, producer_id: str) -> Place | None:
    found = session.execute(
        select(Article, Appearance)
        .join(Appearance, Appearance.article_id == Article.id)
        .where(Appearance.source_key == origin.source_key, Appearance.producer_id == producer_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()
    return Place(found[0], found[1]) if found is not None else None


def _join(
    session: Session, origin: Origin, message: ArticleMessage, key: str | None, now: datetime
) -> Place | None:
    """Let a message appear in the article of its page, or give it one of its own; None if that is gone."""
    article = _of_page(session, key) if key is not None else None
    if article is None:
        return None
    # Another router may have been first with this very message while the row was waited for.
    known = _known(session, origin, message.id)
    if known is not None:
        return known
    if article.page_shared or _is_shown_by(session, article, origin):
        article.page_shared = True
        articles.insert(session, origin, message, None, now)
        return _own(session, origin, message.id)
    return Place(article, _appear(session, article, origin, message, now))


def _of_page(session: Session, key: str) -> Article | None:
    which = select(Article).where(Article.page_key == key)
    return session.execute(which.with_for_update()).scalar_one_or_none()


def _is_shown_by(session: Session, article: Article, origin: Origin) -> bool:
    """Tell whether a source shows the page already, as another item."""
    appearances = select(Appearance.producer_id).where(
        Appearance.article_id == article.id, Appearance.source_key == origin.source_key
    )
    return (
        article.source_key == origin.source_key or session.execute(appearances.limit(1)).first() is not None
    )


def _appear(
    session: Session, article: Article, origin: Origin, message: ArticleMessage, now: datetime
) -> Appearance:
    appearance = Appearance(
        source_key=origin.source_key,
        producer_id=message.id,
        article_id=article.id,
        source_id=origin.source_id,
        source_name=origin.source_name,
        url=message.url,
        version=0,
        planned_version=0,
        first_seen_at=now,
    )
    session.add(appearance)
    session.flush()
    return appearance
