"""What a query would have found: the latest articles judged, and how often it matches."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from api.queries import document_of_text
from core.query import Aliases, Node, Term, terms
from core.store import listings
from core.store.also_in import names_elsewhere
from core.store.listings import ArticleRow, ArticleText

LOOKED_AT = 2_000
SHORTEST_SPAN = timedelta(hours=1)
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Match:
    """An article that matches, and the terms that make it."""

    row: ArticleRow
    terms: list[Term]


@dataclass(frozen=True)
class Preview:
    """What came of a query: articles looked at, when the oldest of them came, and those that match."""

    looked_at: int
    since: datetime | None
    matched: int
    per_day: float | None
    matches: list[Match]


def preview(
    session: Session, account_id: str, query: Node, aliases: Aliases, limit: int, now: datetime
) -> Preview:
    """Judge the 2,000 latest articles that an account sees, and return the newest `limit` that match."""
    texts = listings.latest_texts(session, account_id, LOOKED_AT)
    elsewhere = names_elsewhere(session, [text.id for text in texts])
    expanded = aliases.expand(query)
    matching = [
        text for text in texts if expanded.matches(document_of_text(text, elsewhere.get(text.id, ())))
    ]
    since = min((text.first_routed_at for text in texts), default=None)
    return Preview(
        looked_at=len(texts),
        since=since,
        matched=len(matching),
        per_day=None if since is None else per_day(matching, since, now),
        matches=list(_matches(session, query, aliases, matching[:limit], elsewhere)),
    )


def per_day(matching: Sequence[ArticleText], since: datetime, now: datetime) -> float | None:
    """Return how many articles a day match, from those published since the oldest looked at came.

    What was older when it came, as the past of a new source is, says nothing about days to come. None where
    too little is known: less than an hour, or nothing but such a past.
    """
    span = now - since
    recent = sum((text.published_at or text.first_routed_at) >= since for text in matching)
    if span < SHORTEST_SPAN or (matching and not recent):
        return None
    return recent / (span / _DAY)


def _matches(
    session: Session,
    query: Node,
    aliases: Aliases,
    shown: Sequence[ArticleText],
    elsewhere: Mapping[str, Sequence[str]],
) -> Iterable[Match]:
    rows = listings.articles_with(session, [(text.id, text.version) for text in shown])
    for text in shown:
        found = terms(query, document_of_text(text, elsewhere.get(text.id, ())), aliases)
        if found is not None and text.id in rows:
            yield Match(rows[text.id], found)
