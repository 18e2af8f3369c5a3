"""The event that webhooks get of a digest: articles are shortened, and at last counted, to fit into 20 kB."""

import json
from collections.abc import Iterator
from typing import Any

from core.clock import rfc3339
from core.text import shorten
from notifiers.notice import BODY_LIMIT, QUERY_LIMIT, Notice

_SUMMARY_LIMITS = (1_000, 300, 100, 0)
_LEAST: dict[str, Any] = {"authors": [], "categories": [], "image": None}


def digest_body(notice: Notice) -> bytes:
    """Return the event as JSON under 20 kB, the same bytes for the same digest.

    Summaries are shortened first, then authors, categories and images left out, then articles counted only.
    """
    body = b""
    for body in _bodies(notice):
        if len(body) < BODY_LIMIT:
            break
    return body


def _bodies(notice: Notice) -> Iterator[bytes]:
    """Yield events that become shorter and shorter."""
    for limit in _SUMMARY_LIMITS:
        yield _encode(notice, [_article(one, limit) for one in notice.told], QUERY_LIMIT)
    least = [_article(one, 0) | _LEAST for one in notice.told]
    count = len(least)
    while count:
        yield _encode(notice, least[:count], QUERY_LIMIT // 4)
        count = count * 3 // 4
    yield _encode(notice, [least[0] | {"url": None}], 0)


def _article(notice: Notice, summary_limit: int) -> dict[str, Any]:
    summary = shorten(notice.article["summary"], summary_limit) if summary_limit else ""
    ids = [id_ for id_, _query in notice.subscriptions]
    return notice.article | {"summary": summary, "subscriptions": ids}


def _encode(notice: Notice, articles: list[dict[str, Any]], query_limit: int) -> bytes:
    subscriptions = [
        {"id": id_, "query": shorten(query, query_limit) if query_limit else ""}
        for id_, query in notice.subscriptions
    ]
    data = {
        "articles": articles,
        "articles_total": notice.total,
        "subscriptions": subscriptions,
        "subscriptions_total": notice.subscriptions_total,
    }
    event = {"type": notice.event, "timestamp": rfc3339(notice.created_at), "data": data}
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
