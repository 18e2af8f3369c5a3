"""Searching recent articles with a query, a bounded number at a time."""

from datetime import datetime

from sqlalchemy.orm import Session

from api.queries import document_of
from core.query import Node
from core.store import aliases, listings
from core.store.also_in import names_elsewhere
from core.store.listings import ArticleRow, Page

CHUNK = 200
LOOKED_AT = 2_000


def search(
    session: Session,
    account_id: str,
    query: Node,
    source: str | None,
    since: datetime | None,
    before: str | None,
    limit: int,
) -> Page[ArticleRow]:
    """Return up to `limit` articles that match as they would a subscription, newest first.

    At most 2,000 articles are looked at, so a page may be short although more pages follow.
    """
    asked = aliases.in_force(session).expand(query)
    found: list[ArticleRow] = []
    for _ in range(LOOKED_AT // CHUNK):
        page = listings.articles(session, account_id, source, since, before, CHUNK)
        elsewhere = names_elsewhere(session, [article.id for article, _ in page.rows])
        for article, version in page.rows:
            if not asked.matches(document_of(article, version, elsewhere.get(article.id, ()))):
                continue
            found.append((article, version))
            if len(found) == limit:
                return Page(found, None if _is_last(page, article.id) else article.id)
        before = page.next_before
        if before is None:
            break
    return Page(found, before)


def _is_last(page: Page[ArticleRow], article_id: str) -> bool:
    return page.next_before is None and page.rows[-1][0].id == article_id
