"""A notice as the tests of channels send it."""

from datetime import UTC, datetime
from typing import Any

from core.message import ArticleMessage, SourceRef
from notifiers.notice import Notice, json_ready

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def article_of(message: ArticleMessage) -> dict[str, Any]:
    """Return a message as the store gives its article to channels."""
    fields = message.model_dump(exclude={"schema_"})
    return fields | {"uid": "art_01JD0000000000000000000000", "first_seen_at": NOON}


def notice(
    title: str = "Kubernetes news",
    *,
    event: str = "article.published",
    queries: tuple[str, ...] = ("kubernetes",),
    **fields: Any,
) -> Notice:
    """Make a notice of one article."""
    known: dict[str, Any] = {
        "id": "a1",
        "version": 1,
        "summary": "About pods.",
        "url": "https://example.com/a?b=1&c=2",
        "source": SourceRef(id="src_1", name="The Times of Testing"),
        "published_at": NOON,
        "language": "en",
    }
    message = ArticleMessage.model_validate(known | {"title": title} | fields)
    return Notice(
        id="dlv_01JD0000000000000000000000",
        event=event,
        created_at=NOON,
        article=json_ready(article_of(message)),
        subscriptions=[[f"sub_{number}", query] for number, query in enumerate(queries)],
        subscriptions_total=len(queries),
    )
