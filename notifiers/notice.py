"""What a channel is told: one article, why it matched, and the JSON form that webhooks get."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core.clock import rfc3339
from core.store.ledger import Claimed
from core.text import shorten

BODY_LIMIT = 20_000
QUERY_LIMIT = 200


@dataclass(frozen=True, slots=True)
class Notice:
    """One delivery's content; `article` is JSON-ready."""

    id: str
    event: str
    created_at: datetime
    article: dict[str, Any]
    subscriptions: list[list[str]]
    subscriptions_total: int


def notice_of(delivery: Claimed, article: dict[str, Any]) -> Notice:
    """Combine a ledger row with its article."""
    return Notice(
        id=delivery.id,
        event=delivery.event,
        created_at=delivery.created_at,
        article=json_ready(article),
        subscriptions=delivery.matched,
        subscriptions_total=delivery.matched_total,
    )


def json_ready(article: dict[str, Any]) -> dict[str, Any]:
    """Return an article with its times as RFC 3339 text."""
    return {key: rfc3339(value) if isinstance(value, datetime) else value for key, value in article.items()}


def webhook_body(notice: Notice) -> bytes:
    """Return the event as JSON under 20 kB, the same bytes for the same delivery.

    What does not fit is shortened: first the summary, then queries, then lists of the article.
    """
    attempts: tuple[Callable[[Notice], bytes], ...] = (
        lambda n: _encode(n, n.article, QUERY_LIMIT * 5),
        lambda n: _encode(n, _cut(n.article, 1_000), QUERY_LIMIT),
        lambda n: _encode(n, _cut(n.article, 200) | {"authors": [], "categories": []}, QUERY_LIMIT // 4),
    )
    for attempt in attempts:
        body = attempt(notice)
        if len(body) < BODY_LIMIT:
            return body
    bare = _cut(notice.article, 200) | {"authors": [], "categories": [], "image": None, "url": None}
    return _encode(notice, bare, 0)


def _cut(article: dict[str, Any], limit: int) -> dict[str, Any]:
    return article | {"summary": shorten(article["summary"], limit)}


def _encode(notice: Notice, article: dict[str, Any], query_limit: int) -> bytes:
    event = {
        "type": notice.event,
        "timestamp": rfc3339(notice.created_at),
        "data": {
            "article": article,
            "subscriptions": [
                {"id": id_, "query": shorten(query, query_limit) if query_limit else ""}
                for id_, query in notice.subscriptions
            ],
            "subscriptions_total": notice.subscriptions_total,
        },
    }
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
