"""Matching, so plain that it can be seen to be right, and queries and articles to compare it with.

Queries here are trees of their own, which render themselves as text in any of the ways people write them, so
that the comparison covers the parser, the canonical form, the tokenizer and the index.
"""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from hypothesis import strategies as st

_SPACELESS_SCRIPTS = ("CJK UNIFIED", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR")


def plain_tokens(text: str) -> list[str]:
    """Cut text into tokens one character at a time."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    tokens: list[str] = []
    position = 0
    while position < len(folded):
        token = _token_at(folded, position)
        if token:
            tokens.append(token)
        position += len(token) or 1
    return tokens


def _is_mark(text: str, position: int) -> bool:
    return position < len(text) and unicodedata.category(text[position]).startswith("M")


def _is_letter(text: str, position: int) -> bool:
    return 0 <= position < len(text) and text[position].isalnum()


def _ends_word(text: str, position: int) -> bool:
    return position > 0 and (_is_letter(text, position - 1) or _is_mark(text, position - 1))


def _is_spaceless(character: str) -> bool:
    return unicodedata.name(character, "").startswith(_SPACELESS_SCRIPTS)


def _token_at(text: str, start: int) -> str:
    if text.startswith(".net", start) and not _is_letter(text, start + 4):
        return "" if _ends_word(text, start) or text[max(start - 1, 0) : start] == "." else ".net"
    if text[start] == "+" and _is_letter(text, start - 1) and not _is_letter(text, start + 1):
        return "+"
    if not _is_letter(text, start):
        return ""
    end = start + 1
    while _is_mark(text, end):
        end += 1
    if _is_spaceless(text[start]):
        return text[start:end]
    while _is_mark(text, end) or (_is_letter(text, end) and not _is_spaceless(text[end])):
        end += 1
    if text.startswith("++", end):
        return text[start : end + 2]
    if text.startswith("#", end) and end == start + 1 and "a" <= text[start] <= "z":
        return text[start : end + 1]
    return text[start:end]


@dataclass(frozen=True)
class Article:
    """What a matcher is given of an article."""

    title: str
    summary: str
    source: tuple[str, ...]
    language: str | None
    categories: tuple[str, ...]

    def sequences(self, title_only: bool) -> list[list[str]]:
        """Return the token lists that a phrase may lie in."""
        return [plain_tokens(text) for text in ((self.title,) if title_only else (self.title, self.summary))]


class Tree:
    """A query."""

    def render(self) -> str:
        """Return the query as somebody may write it."""
        raise NotImplementedError

    def holds(self, article: Article, title_only: bool = False) -> bool:
        """Tell whether the article matches."""
        raise NotImplementedError


@dataclass(frozen=True)
class Words(Tree):
    text: str
    is_quoted: bool
    is_prefix: bool

    def render(self) -> str:
        if self.is_prefix:
            return f"{self.text}*"
        return f'"{self.text}"' if self.is_quoted or " " in self.text or self.text == "AND" else self.text

    def holds(self, article: Article, title_only: bool = False) -> bool:
        return any(self._lies_in(tokens) for tokens in article.sequences(title_only))

    def _lies_in(self, tokens: list[str]) -> bool:
        wanted = plain_tokens(self.text)
        for start in range(len(tokens) - len(wanted) + 1):
            part = tokens[start : start + len(wanted)]
            if part == wanted or (
                self.is_prefix and part[:-1] == wanted[:-1] and part[-1].startswith(wanted[-1])
            ):
                return True
        return False


@dataclass(frozen=True)
class Title(Tree):
    operand: Tree

    def render(self) -> str:
        return f"title:{self.operand.render()}"

    def holds(self, article: Article, title_only: bool = False) -> bool:
        return self.operand.holds(article, title_only=True)


@dataclass(frozen=True)
class Named(Tree):
    field: str
    value: str

    def render(self) -> str:
        return f'{self.field}:"{self.value}"' if " " in self.value else f"{self.field}:{self.value}"

    def holds(self, article: Article, title_only: bool = False) -> bool:
        value = self.value.casefold()
        match self.field:
            case "source":
                return value in [name.casefold() for name in article.source]
            case "category":
                return value in [name.casefold() for name in article.categories]
            case _:
                return speaks(article, value)


def speaks(article: Article, language: str) -> bool:
    """Tell whether an article's language is the one, or a variety of it."""
    tag = (article.language or "").casefold()
    return language.casefold() in (tag, tag.split("-")[0])


@dataclass(frozen=True)
class Not(Tree):
    operand: Tree
    operator: str

    def render(self) -> str:
        return f"{self.operator}{self.operand.render()}"

    def holds(self, article: Article, title_only: bool = False) -> bool:
        return not self.operand.holds(article, title_only)


@dataclass(frozen=True)
class All(Tree):
    operands: tuple[Tree, ...]
    operator: str

    def render(self) -> str:
        return f"({self.operator.join(operand.render() for operand in self.operands)})"

    def holds(self, article: Article, title_only: bool = False) -> bool:
        return all(operand.holds(article, title_only) for operand in self.operands)


@dataclass(frozen=True)
class Any(Tree):
    operands: tuple[Tree, ...]

    def render(self) -> str:
        return f"({' OR '.join(operand.render() for operand in self.operands)})"

    def holds(self, article: Article, title_only: bool = False) -> bool:
        return any(operand.holds(article, title_only) for operand in self.operands)


@dataclass(frozen=True)
class Subscription:
    """A query with its filters."""

    tree: Tree
    sources: tuple[str, ...]
    languages: tuple[str, ...]

    def holds(self, article: Article) -> bool:
        """Tell whether the article passes the filters and matches the query."""
        named = {name.casefold() for name in article.source}
        from_one = not self.sources or any(name.casefold() in named for name in self.sources)
        in_one = not self.languages or any(speaks(article, language) for language in self.languages)
        return from_one and in_one and self.tree.holds(article)


class OracleMatcher:
    """A matcher that asks every subscription."""

    def __init__(self) -> None:
        self._subscriptions: dict[int, Subscription] = {}

    def __len__(self) -> int:
        return len(self._subscriptions)

    def add(self, subscription_id: int, subscription: Subscription) -> None:
        """Add or replace a subscription."""
        self._subscriptions[subscription_id] = subscription

    def discard(self, subscription_id: int) -> None:
        """Remove a subscription, if it is there."""
        self._subscriptions.pop(subscription_id, None)

    def match(self, article: Article) -> list[int]:
        """Return the ids of the subscriptions that match, in order."""
        found = (number for number, one in self._subscriptions.items() if one.holds(article))
        return sorted(found)


VOCABULARY = (
    *("ai", "AI-powered", "powered", "c", "C++", "C#", ".NET", "net", "ASP.NET", "node.js", "node", "don't"),
    *(
        "café",
        "CAFÉ",
        "cafe",
        "straße",
        "STRASSE",
        "हिन्दी",
        "हिन",
        "İstanbul",
        "東京",
        "東",
        "京都",
        "東京都",
    ),
    *("kube", "Kubernetes", "kubectl", "OpenAI", "OpenAI’s", "Disney+", "disney", "U.S.", "us", "AND", "or"),
    *("ไทย", "ใหม่", "ｆｕｌｌ", "full", "A+", "a"),
)
SOURCES = ("bbc", "BBC News", "the-verge", "c")
LANGUAGES = ("en", "en-US", "EN-gb", "de", "zh-Hant")
CATEGORIES = ("ai", "AI", "Machine Learning", "world", "c++")

_SEPARATORS = st.sampled_from((" ", ", ", "-", ". ", " – ", "\n", "/"))


def _joined(words: Iterable[tuple[str, str]]) -> str:
    return "".join(word + separator for word, separator in words)


_texts = st.lists(st.tuples(st.sampled_from(VOCABULARY), _SEPARATORS), max_size=8).map(_joined)

articles = st.builds(
    Article,
    title=_texts,
    summary=_texts,
    source=st.lists(st.sampled_from(SOURCES), max_size=2).map(tuple),
    language=st.none() | st.sampled_from(LANGUAGES),
    categories=st.lists(st.sampled_from(CATEGORIES), max_size=2).map(tuple),
)

_words = st.builds(Words, st.sampled_from(VOCABULARY), st.booleans(), st.just(False))
_phrases = st.builds(
    Words,
    st.lists(st.sampled_from(VOCABULARY), min_size=2, max_size=3).map(" ".join),
    st.just(True),
    st.just(False),
)
_prefixes = st.builds(
    Words, st.sampled_from(("k", "kube", "KUBEr", "c", "AI-po", "caf", "東")), st.just(False), st.just(True)
)
_named = st.one_of(
    st.builds(Named, st.just("source"), st.sampled_from(SOURCES)),
    st.builds(Named, st.just("lang"), st.sampled_from(LANGUAGES)),
    st.builds(Named, st.just("category"), st.sampled_from(CATEGORIES)),
)


def _all_of(positive: tuple[Tree, ...], excluded: tuple[Tree, ...], operators: tuple[str, str]) -> Tree:
    conjunction, negation = operators
    return All(positive + tuple(Not(tree, negation) for tree in excluded), conjunction)


def _groups(trees: st.SearchStrategy[Tree]) -> st.SearchStrategy[Tree]:
    """Groups that look for something, as every query must."""
    operators = st.tuples(st.sampled_from((" ", " AND ")), st.sampled_from(("-", "NOT ", "---")))
    several = st.lists(trees, min_size=1, max_size=3).map(tuple)
    excluded = st.lists(trees, max_size=2).map(tuple)
    return st.builds(_all_of, several, excluded, operators) | st.builds(Any, several)


_in_title = st.recursive(_words | _phrases | _prefixes, _groups, max_leaves=3).map(Title)
trees: st.SearchStrategy[Tree] = st.recursive(
    _words | _phrases | _prefixes | _named | _in_title, _groups, max_leaves=6
)
subscriptions = st.builds(
    Subscription,
    tree=trees,
    sources=st.just(()) | st.lists(st.sampled_from(SOURCES), max_size=2).map(tuple),
    languages=st.just(()) | st.lists(st.sampled_from(LANGUAGES), max_size=2).map(tuple),
)
