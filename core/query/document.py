"""An article as queries see it."""

from collections.abc import Iterable

from core.query.tokens import comparable, tokenize

_BREAK = "\n"  # in no token, so that no phrase reaches from the title into the summary


def language_tag(text: str) -> str:
    """Return the form in which language tags are compared; `en_US` is written for `en-US`."""
    return comparable(text).replace("_", "-")


class Document:
    """An article's tokens, and the names of its source, language and categories, ready to be compared.

    `text` and `title_text` hold the tokens with one space around each, so a phrase is a substring.
    """

    __slots__ = ("categories", "languages", "sources", "text", "title_text", "title_words", "words")

    def __init__(
        self,
        title: str,
        summary: str = "",
        source: str | Iterable[str] | None = None,
        language: str | None = None,
        categories: str | Iterable[str] = (),
    ) -> None:
        title_tokens, summary_tokens = tokenize(title), tokenize(summary)
        self.title_words = frozenset(title_tokens)
        self.words = self.title_words.union(summary_tokens)
        self.title_text = f" {' '.join(title_tokens)} "
        self.text = f"{self.title_text}{_BREAK} {' '.join(summary_tokens)} "
        self.sources = names(source)
        self.languages = _with_primary(language)
        self.categories = names(categories)


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
