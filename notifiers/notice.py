"""What a channel is told: one article, why it matched, and the JSON form that webhooks get."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Any

from core.clock import rfc3339
from core.store.claims import Claimed
from core.store.digests import DIGEST
from core.text import shorten

# The deliveries of one article are made at the same moment.
_timestamp = lru_cache(maxsize=256)(rfc3339)

BODY_LIMIT = 20_000
QUERY_LIMIT = 200


@dataclass(slots=True)
class Notice:
    """What one message tells; `article` is JSON-ready, `serialised` its JSON where that is known already.

    Where a burst was collapsed, `also` are further articles that the same message tells, and `more` counts
    those that are not even among them; they can be seen at `link`, if the installation has a public URL.
    Of a digest, `also` are all that it shows, `article` is the first of them, and `created_at` its instant.
    Of a sample, account and channel are empty.
    """

    id: str
    event: str
    created_at: datetime
    article: dict[str, Any]
    subscriptions: list[list[str]]
    subscriptions_total: int
    serialised: bytes | None = None
    also: Sequence["Notice"] = ()
    more: int = 0
    link: str | None = None
    account_id: str = ""
    channel_id: str = ""

    @property
    def is_digest(self) -> bool:
        """Tell whether this is a digest."""
        return self.event == DIGEST

    @property
    def told(self) -> Sequence["Notice"]:
        """All articles that the message shows, each as it would be told by itself."""
        return self.also if self.is_digest else [self, *self.also]

    @property
    def total(self) -> int:
        """How many articles there are, also those that are only counted."""
        return len(self.told) + self.more


def notice_of(delivery: Claimed, article: dict[str, Any], serialised: bytes | None = None) -> Notice:
    """Combine a ledger row with its article, which is JSON-ready, and that article's JSON."""
    return Notice(
        id=delivery.id,
        event=delivery.event,
        created_at=delivery.created_at,
        article=article,
        subscriptions=delivery.matched,
        subscriptions_total=delivery.matched_total,
        serialised=serialised,
        account_id=delivery.account_id,
        channel_id=delivery.channel_id,
    )


def json_ready(article: dict[str, Any]) -> dict[str, Any]:
    """Return an article with its times as RFC 3339 text."""
    return {key: rfc3339(value) if isinstance(value, datetime) else value for key, value in article.items()}


def webhook_body(notice: Notice) -> bytes:
    """Return the event as JSON under 20 kB, the same bytes for the same delivery.

    What does not fit is shortened: first the summary, then queries, then lists of the article.
    """
    body = _encode(notice, notice.serialised or article_bytes(notice.article), QUERY_LIMIT * 5)
    if len(body) < BODY_LIMIT:
        return body
    for summary_limit, query_limit, left_out in _SHORTER:
        shorter = notice.article | left_out
        shorter["summary"] = shorten(notice.article["summary"], summary_limit)
        body = _encode(notice, article_bytes(shorter), query_limit)
        if len(body) < BODY_LIMIT:
            break
    return body


_SHORTER: tuple[tuple[int, int, dict[str, Any]], ...] = (
    (1_000, QUERY_LIMIT, {}),
    (200, QUERY_LIMIT // 4, {"authors": [], "categories": []}),
    (200, 0, {"authors": [], "categories": [], "image": None, "url": None}),
)


def article_bytes(article: dict[str, Any]) -> bytes:
    """Return an article's JSON."""
    return json.dumps(article, ensure_ascii=False, separators=(",", ":")).encode()


def _encode(notice: Notice, article: bytes, query_limit: int) -> bytes:
    # Put together from parts, since the article's, by far the longest, is the same for all its deliveries.
    matched = [
        (id_, shorten(query, query_limit) if query_limit else "") for id_, query in notice.subscriptions
    ]
    subscriptions = ",".join(
        [f'{{"id":"{id_}","query":{encode_basestring(query)}}}' for id_, query in matched]
    )
    head = f'{{"type":"{notice.event}","timestamp":"{_timestamp(notice.created_at)}","data":{{"article":'
    tail = f',"subscriptions":[{subscriptions}],"subscriptions_total":{notice.subscriptions_total}}}}}'
    return b"".join((head.encode(), article, tail.encode()))
