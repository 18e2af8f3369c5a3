"""Where in a text its tokens stand, through a folding that changes lengths."""

import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from core.query.tokens import fold, tokenize

# What composes with the letter before it without being a mark: vowels and final consonants of Hangul, whose
# syllables readers see as one, and a vowel sign of Kirat Rai.
_JOINING = frozenset(map(chr, (*range(0x1160, 0x1200), *range(0xD7B0, 0xD800), 0x16D67)))


class Place(NamedTuple):
    """A token, and the stretch of the original text that it was made of."""

    token: str
    start: int
    end: int


def places(text: str) -> list[Place]:
    """Return the tokens of `text`, the same as `tokenize` does, with their places.

    A place never begins or ends between a letter and its marks; tokens made of one character (`½`) share it.
    """
    folded, starts, ends = _folded(text)
    found, end = [], 0
    for token in tokenize(text):
        # No letter or digit stands between two tokens and a lone plus follows its word at once, so the first
        # occurrence is the one.
        start = folded.index(token, end)
        end = start + len(token)
        found.append(Place(token, starts[start], ends[end - 1]))
    return found


def _folded(text: str) -> tuple[str, Sequence[int], Sequence[int]]:
    """Return the folded text, and for each of its characters where what it was made of starts and ends."""
    if text.isascii():
        return fold(text), range(len(text)), range(1, len(text) + 1)
    parts: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    for start, end in pairwise([*_cuts(text), len(text)]):
        part = fold(text[start:end])
        parts.append(part)
        starts += [start] * len(part)
        ends += [end] * len(part)
    return "".join(parts), starts, ends


def _cuts(text: str) -> list[int]:
    """Return where `text` can be cut so that its parts, folded one by one, are the folded text."""
    return [at for at, character in enumerate(text) if not at or character < "\x80" or _begins(character)]


@lru_cache(4_096)
def _begins(character: str) -> bool:
    """Tell whether nothing before a character changes how it is folded, nor it what is before."""
    if not fold(character):
        return False
    first = unicodedata.normalize("NFKD", character)[0]
    return first not in _JOINING and not unicodedata.category(first).startswith("M")
