"""Aliases: other names for the same thing, so that `k8s` also finds Kubernetes and the other way round."""

from collections.abc import Iterator, Mapping
from itertools import islice, product

from core.query.compiled import compiled, decompiled, texts
from core.query.errors import QueryError
from core.query.nodes import Node, Phrase, disjunction, phrases, with_phrases
from core.query.tokens import tokenize

_MAX_VARIANTS = 64

Tokens = tuple[str, ...]


class Aliases:
    """Names and their meanings, each a word or a phrase; names of one meaning mean each other.

    Raises QueryError for a name or a meaning without a word.
    """

    def __init__(self, meanings: Mapping[str, str]) -> None:
        self._groups: dict[Tokens, list[Tokens]] = {}
        for name, meaning in meanings.items():
            self._join(_tokens(name), _tokens(meaning))
        self._longest = max(map(len, self._groups), default=0)
        self._words = frozenset(word for tokens in self._groups for word in tokens)
        self._encoded = frozenset(word.encode() for word in self._words)

    def expand(self, node: Node) -> Node:
        """Return the tree with every alias in its words and phrases as alternatives; prefixes stay."""
        return with_phrases(node, self._alternatives) if self._concern(node) else node

    def expand_compiled(self, code: bytes) -> bytes:
        """Do the same to a compiled query; raises ValueError for bytes that are none, where it reads them."""
        if not self._groups or self._surely_leave(code):
            return code
        node = decompiled(code)
        return compiled(self.expand(node)) if self._concern(node) else code

    def alike(self, text: str) -> int:
        """Return how many names mean the same as `text`, itself included; raises QueryError for no word."""
        tokens = _tokens(text)
        return len(self._groups.get(tokens, (tokens,)))

    def _surely_leave(self, code: bytes) -> bool:
        found = texts(code)
        return found is not None and self._encoded.isdisjoint(found)

    def _concern(self, node: Node) -> bool:
        found = (word for phrase in phrases(node) for word in phrase.tokens)
        return bool(self._groups) and not self._words.isdisjoint(found)

    def _join(self, name: Tokens, meaning: Tokens) -> None:
        left, right = self._groups.get(name, [name]), self._groups.get(meaning, [meaning])
        joined = list(dict.fromkeys([*left, *right]))
        self._groups.update((tokens, joined) for tokens in joined)

    def _alternatives(self, phrase: Phrase) -> Node:
        if phrase.is_prefix:
            return phrase
        variants = islice(product(*self._segments(phrase.tokens)), _MAX_VARIANTS)
        return disjunction(Phrase(sum(variant, ()), in_title=phrase.in_title) for variant in variants)

    def _segments(self, tokens: Tokens) -> Iterator[list[Tokens]]:
        """Cut a phrase into the longest aliases, from the left, and the tokens between them."""
        start = 0
        while start < len(tokens):
            size, names = self._longest_at(tokens, start)
            yield names
            start += size

    def _longest_at(self, tokens: Tokens, start: int) -> tuple[int, list[Tokens]]:
        for size in range(min(self._longest, len(tokens) - start), 0, -1):
            own = tokens[start : start + size]
            if own in self._groups:
                return size, [own, *(name for name in self._groups[own] if name != own)]
        return 1, [tokens[start : start + 1]]


def alias_key(text: str) -> str:
    """Return what names that queries cannot tell apart have in common; raises QueryError without a word."""
    return " ".join(_tokens(text))


def _tokens(text: str) -> Tokens:
    tokens = tuple(tokenize(text))
    if not tokens:
        raise QueryError("an alias with a letter or a digit", 0)
    return tokens
