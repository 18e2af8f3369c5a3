"""What people may follow: the words and short phrases of older articles, as often as these use them."""

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from bench.news_articles import Article
from core.query import tokenize

Term = tuple[str, ...]

COMMONEST_SHARE = 0.05
SHORTEST = 3
PHRASE_SHARES = {2: 1.0, 3: 0.5}
"""How many of the phrases of so many words are taken, beside every word."""


class Vocabulary:
    """Terms by chance: words, and phrases that neither begin nor end with a word that is too common.

    Too common is a word of more than 5 % of the articles, or of less than three letters: `the`, `new`, and
    what the news of those months were all about. Nobody wants to be told of every twentieth article.
    """

    def __init__(self, training: Sequence[Article], seed: int) -> None:
        self._chance = random.Random(seed)
        texts = [(tokenize(one.title), tokenize(one.summary)) for one in training]
        self.frequency = Counter(word for both in texts for word in {*both[0], *both[1]})
        self._most = max(1, int(COMMONEST_SHARE * len(texts)))
        self._texts = [tokens for both in texts for tokens in both if any(map(self._is_apt, tokens))]
        self.sources = sorted({one.source[0] for one in training if one.source})
        self.languages = sorted({tag for one in training for tag in (one.language, one.language[:2])})

    def terms(self) -> list[Term]:
        """Return every term once, in the order in which chance has them first."""
        occurrences = list(self._occurrences())
        self._chance.shuffle(occurrences)
        return list(dict.fromkeys(occurrences))

    def words(self) -> list[str]:
        """Return apt words as often as they were used."""
        return [word for tokens in self._texts for word in tokens if self._is_apt(word)]

    def together(self, chance: random.Random) -> list[str]:
        """Return the apt words of some text, which may be looked for together."""
        return [word for word in chance.choice(self._texts) if self._is_apt(word)]

    def _is_apt(self, word: str) -> bool:
        return len(word) >= SHORTEST and self.frequency[word] <= self._most

    def _occurrences(self) -> Iterator[Term]:
        for tokens in self._texts:
            apt = [self._is_apt(word) for word in tokens]
            yield from _single(tokens, apt)
            for length, share in PHRASE_SHARES.items():
                yield from self._phrases(tokens, apt, length, share)

    def _phrases(self, tokens: list[str], apt: list[bool], length: int, share: float) -> Iterator[Term]:
        for start in range(len(tokens) - length + 1):
            if apt[start] and apt[start + length - 1] and self._chance.random() < share:
                yield tuple(tokens[start : start + length])


def _single(tokens: Iterable[str], apt: Iterable[bool]) -> Iterator[Term]:
    return ((word,) for word, is_apt in zip(tokens, apt, strict=True) if is_apt)
