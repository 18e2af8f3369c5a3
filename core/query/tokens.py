"""Words: how the text of articles and of queries is cut into the tokens that are compared."""

import re
import unicodedata

from core.text import storable

MAX_MARKS = 30
"""Combining marks kept on one character: the bound of the Stream-Safe Text Format (UAX #15, section 13).

Normalization sorts runs of marks in quadratic time, so a run from a stranger must not be long.
"""


def _character_class(codes: list[int]) -> str:
    """Return the inside of a `[…]` of a regular expression, as ranges."""
    ranges: list[list[int]] = []
    for code in codes:
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return "".join(f"{re.escape(chr(first))}-{re.escape(chr(last))}" for first, last in ranges)


def _codes(*blocks: tuple[int, int], categories: str) -> list[int]:
    codes = (code for first, last in blocks for code in range(first, last + 1))
    return [code for code in codes if unicodedata.category(chr(code))[0] in categories]


# Blocks without marks (Han, Hangul, Tangut) are left out, for they would double the time of an import. Those
# beyond U+FFFF stand apart, for a class without them is a bitmap.
_MARKS = _character_class(_codes((0x0300, 0x30FF), (0xA600, 0xABFF), (0xFB00, 0xFE2F), categories="M"))
_HIGH_MARKS = _character_class(_codes((0x10000, 0x16FFF), (0x1BC00, 0x1E9FF), categories="M"))
_MARK = rf"(?:[{_MARKS}]|(?=[\U00010000-\U0001ffff])[{_HIGH_MARKS}])"

# Scripts that put no spaces between words: Thai, Lao, Myanmar, Khmer, Hiragana, Katakana; then Han.
_SPACELESS = (
    _character_class(
        _codes((0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x3005, 0x3006), categories="L")
        + _codes((0x3040, 0x30FF), (0x31F0, 0x31FF), (0xA9E0, 0xA9FF), (0xAA60, 0xAA7F), categories="L")
    )
    + "\u3007\u3021-\u3029\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    + "\U0001aff0-\U0001b16f\U00020000-\U0003fffd"
)
_APOSTROPHES = "\u02bb\u02bc"  # letters by category, yet written for U+2019

# A word, `C++` and `C#` included; a plus that ends one is a token too (`Disney+` holds `Disney`, `A+` is not
# `A`); `.NET`. In most texts neither marks nor spaceless scripts are left after folding.
_PLAIN_TOKEN = re.compile(
    rf"[a-z]\#|[^\W_{_APOSTROPHES}]++(?:\+\+)?"
    rf"|(?<=[^\W_{_APOSTROPHES}])\+(?![^\W_])"
    r"|(?<![^\W_])(?<!\.)\.net(?![^\W_])"
)
_WORD = rf"[^\W_{_APOSTROPHES}{_SPACELESS}]"
_TOKEN = re.compile(
    rf"[a-z]\#|{_WORD}++(?:{_MARK}++{_WORD}*+)*+(?:\+\+)?"
    rf"|[{_SPACELESS}]{_MARK}*+"
    rf"|(?<=[^\W_{_APOSTROPHES}])\+(?![^\W_])"
    rf"|(?<![^\W_])(?<!\.)(?<!{_MARK})\.net(?![^\W_])(?!{_MARK})"
)
# Most texts are ASCII without `C++`, `C#` or `.NET`: their words are what stands between everything else.
_ASCII_SEPARATORS = {code: " " for code in range(128) if not chr(code).isalnum()}
_NOT_PLAIN = re.compile(
    "[\u0300-\u036f\u0483-\u0489\u0591-\u1cff\u1dc0-\u1dff\u20d0-\u20ff\u2c00-\uabff\uf900-\U0010ffff]"
)

# Default ignorable code points (UAX #44), which are invisible, but for U+200B, which ends a word; and the
# trademark signs, which compatibility normalization would turn into letters of the name they follow.
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200c-\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff\u2120\u2122]"
)
_TOO_MANY_MARKS = re.compile(rf"({_MARK}{{{MAX_MARKS}}}){_MARK}++")
_IS_SPACELESS = re.compile(rf"[{_SPACELESS}]")


def fold(text: str) -> str:
    """Return the form of `text` in which letters that differ only in case or encoding are equal.

    Source: NFKC_Casefold of the Unicode Standard, section 3.13, less the trademark signs.
    """
    if text.isascii():
        return text.lower()
    visible = _bound_marks(_INVISIBLE.sub("", text))
    caseless = unicodedata.normalize("NFKC", visible).casefold()
    return _bound_marks(unicodedata.normalize("NFKC", caseless))


def tokenize(text: str) -> list[str]:
    """Return the tokens of `text` in order, in time linear in its length."""
    folded = fold(text)
    if folded.isascii() and not ("+" in folded or "#" in folded or ".net" in folded):
        return folded.translate(_ASCII_SEPARATORS).split()
    pattern: re.Pattern[str] = _TOKEN if _NOT_PLAIN.search(folded) else _PLAIN_TOKEN
    return pattern.findall(folded)


def _bound_marks(text: str) -> str:
    return _TOO_MANY_MARKS.sub(r"\1", text) if _NOT_PLAIN.search(text) else text


def is_glued(left: str, right: str) -> bool:
    """Tell whether two neighbouring tokens stay the same two tokens when written without a space."""
    return right == "+" or bool(_IS_SPACELESS.match(left) and _IS_SPACELESS.match(right))


def comparable(text: str) -> str:
    """Return the form in which names (of sources, languages, categories) are compared as a whole."""
    return " ".join(fold(storable(text)).split())
