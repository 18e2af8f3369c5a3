"""Webhooks and their subscriptions, thousands at a time, and the articles that they get."""

import random
from collections.abc import Iterator, Mapping, Sequence

from sqlalchemy import text

from core.clock import SystemClock
from core.ids import new_ids
from core.message import ArticleMessage
from core.query import canonical
from core.signing import SecretBox, new_secret
from core.store import accounts
from core.store.bulk import BulkStatement
from core.store.channels import seal, target_hash
from core.store.engine import Store

ACCOUNT = "bench"
AT_ONCE = 10_000
SUMMARY_PHRASES = 8
_PHRASES = (
    "Pods drain before their node goes,",
    "so less traffic fails",
    "while a cluster is upgraded.",
    "Disks keep what was written,",
    "although the power was lost.",
    "Servers notice that clocks agree again,",
    "and leaders keep their terms.",
    "Nobody was told of it twice;",
)

_CHANNELS = BulkStatement(
    """
    INSERT INTO channels (id, account_id, kind, queue, target_hash, sealed, state, created_at, updated_at)
    SELECT r.id, :account, 'webhook', 'webhook', r.target_hash, r.sealed, 'active', :now, :now FROM {rows}
    """,
    {"id": "text", "target_hash": "text", "sealed": "text"},
)
_SUBSCRIPTIONS = BulkStatement(
    """
    WITH made AS (
        INSERT INTO subscriptions (
            id, account_id, channel_id, query, topic, canonical, updates, created_at, updated_at)
        SELECT r.id, :account, r.channel_id, r.query, false, r.canonical, false, :now, :now FROM {rows}
        RETURNING number)
    INSERT INTO subscription_changes (number) SELECT number FROM made
    """,
    {"id": "text", "channel_id": "text", "query": "text", "canonical": "text"},
)


def populate(store: Store, secret_key: str, words: Mapping[str, Sequence[str]]) -> None:
    """Subscribe webhooks, given by their URLs, each to its words; PostgreSQL only.

    May be called again for others while routers run.
    """
    box = SecretBox.from_setting(secret_key)
    for urls in _parts(list(words)):
        _add(store, box, {url: words[url] for url in urls})
    with store.write() as session:
        session.execute(text("ANALYZE"))


def _add(store: Store, box: SecretBox, words: Mapping[str, Sequence[str]]) -> None:
    now = SystemClock().now()
    ids = dict(zip(words, new_ids("ch", len(words)), strict=True))
    channels = [(ids[url], target_hash("webhook", url), seal(box, _config(url))) for url in words]
    wanted = [(ids[url], word) for url, of_url in words.items() for word in of_url]
    forms = {word: canonical(word) for _channel, word in wanted}
    subscriptions = [
        (id_, channel, word, forms[word])
        for id_, (channel, word) in zip(new_ids("sub", len(wanted)), wanted, strict=True)
    ]
    with store.write() as session:
        account = accounts.ensure_account(session, ACCOUNT, now)
        _CHANNELS.run(session, channels, account=account, now=now)
        _SUBSCRIPTIONS.run(session, subscriptions, account=account, now=now)


def _config(url: str) -> dict[str, object]:
    return {"url": url, "headers": {}, "secret": new_secret()}


def _parts(urls: list[str]) -> Iterator[list[str]]:
    return (urls[start : start + AT_ONCE] for start in range(0, len(urls), AT_ONCE))


class Articles:
    """Makes articles, each with an id of its own and a summary by chance."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._made = 0

    def about(self, *words: str) -> ArticleMessage:
        """Return an article that the subscribers of these words get."""
        self._made += 1
        summary = " ".join(self._random.choices(_PHRASES, k=SUMMARY_PHRASES))
        return ArticleMessage(
            id=f"article-{self._made}",
            version=1,
            title=f"News for {' '.join(words)}",
            summary=summary,
            url="https://example.com/x",
        )

    def several(self, count: int, *words: str) -> list[ArticleMessage]:
        """Return that many such articles."""
        return [self.about(*words) for _ in range(count)]
