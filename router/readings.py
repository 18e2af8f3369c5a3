"""What of an article is matched: its words, once under the names of each source that has it.

Each source is judged by itself, so a subscription that wants one source, or none of another's, is served as
if no other source had the article.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from core.message import ArticleMessage
from core.store.models import ArticleVersion

Names = tuple[str, ...]


@dataclass(frozen=True)
class Reading:
    """The words of a version, and what subscriptions may call the source that shows them."""

    title: str
    summary: str
    source: Names
    language: str | None
    categories: Sequence[str]


def of_version(message: ArticleMessage, owner: Names, others: Iterable[Names]) -> list[Reading]:
    """Return how an article's own version is read: by its owner, and by each other source of its page."""
    return [_reading(message, names) for names in dict.fromkeys((owner, *others))]


def of_appearance(message: ArticleMessage, source: Names, newest: ArticleVersion | None) -> list[Reading]:
    """Return how what another source shows is read: as it says it, and as the article has it."""
    return [_reading(one, source) for one in (message, newest) if one is not None]


def _reading(words: ArticleMessage | ArticleVersion, source: Names) -> Reading:
    return Reading(words.title, words.summary, source, words.language, words.categories)
