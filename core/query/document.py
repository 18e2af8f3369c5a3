"""An article as queries see it."""

from collections.abc import Iterable
from functools import cached_property

from core.query.tokens import comparable, tokenize

_BREAK = "\n"  # in no token, so that no phrase reaches from the title into the summary


def language_tag(text: str) -> str:
    """Return the form in which language tags are compared; `en_US` is written for `en-US`."""
    return comparable(text).replace("_", "-")


class Document:
    """An article's tokens, and the names of its source, language and categories, ready to be compared."""

    def __init__(
        self,
        title: str,
        summary: str = "",
        source: str | Iterable[str] | None = None,
        language: str | None = None,
        categories: str | Iterable[str] = (),
    ) -> None:
        self.title_tokens, self.summary_tokens = tokenize(title), tokenize(summary)
        self.sources = names(source)
        self.languages = _with_primary(language)
        self.categories = names(categories)

    @cached_property
    def title_words(self) -> frozenset[str]:
        """The distinct tokens of the title."""
        return frozenset(self.title_tokens)

    @cached_property
    def words(self) -> frozenset[str]:
        """The distinct tokens of the title and the summary."""
        return self.title_words.union(self.summary_tokens)

    @cached_property
    def title_text(self) -> str:
        """The title's tokens with one space around each, so that a phrase is a substring."""
        return f" {' '.join(self.title_tokens)} "

    @cached_property
    def text(self) -> str:
        """The tokens of the title and of the summary in the same way."""
        return f"{self.title_text}{_BREAK} {' '.join(self.summary_tokens)} "


def names(values: str | Iterable[str] | None) -> frozenset[str]:
    """Return one name, several or none in the form in which they are compared."""
    if values is None:
        return frozenset()
    return frozenset(map(comparable, (values,) if isinstance(values, str) else values))


def _with_primary(language: str | None) -> frozenset[str]:
    if not language:
        return frozenset()
    tag = language_tag(language)
    return frozenset((tag, tag.partition("-")[0]))
