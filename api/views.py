"""Pieces that several answers share."""

from datetime import datetime
from typing import Any

from core.clock import rfc3339
from core.store.articles import article_json
from core.store.models import Article, ArticleVersion


def timestamp(moment: datetime | None) -> str | None:
    """Return a time as RFC 3339."""
    return rfc3339(moment) if moment else None


def json_ready(values: dict[str, Any]) -> dict[str, Any]:
    """Return an object with its times as RFC 3339."""
    return {key: rfc3339(value) if isinstance(value, datetime) else value for key, value in values.items()}


def article_view(article: Article, version: ArticleVersion) -> dict[str, Any]:
    """Return an article as lists show it."""
    return json_ready(article_json(article, version))
