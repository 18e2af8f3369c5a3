"""What a text says, apart from how it is written: the form in which cosmetic changes make no difference."""

import html
import re
import unicodedata

# Letters and digits count, signs that change what is said, and the vowel signs of scripts that have them.
_SIGNS = "?#+%$€£¥<>=°"
_VOWEL_SIGNS = "\u0591-\u05bd\u0610-\u061a\u064b-\u0670\u06d6-\u06ed\u0900-\u0963\u0966-\u1aff"
_OTHER = f"[^\\w{_SIGNS}{_VOWEL_SIGNS}]"
_NOISE = re.compile(f"{_OTHER}+")
_BETWEEN_DIGITS = re.compile(rf"(?<=\d){_OTHER}+(?=(\d+))")
_DASHES = re.compile("[-\u2010-\u2015\u2212]")
_DIACRITICS = re.compile("[\u0300-\u036f]")

_SUFFIX = re.compile(r"^(?P<title>.*\S)\s+[-–—|·•]\s+(?P<name>\S.*)$")
_NAME_LENGTH = 40
_NAME_WORDS = 5
_TITLE_WORDS = 3
_OUTLETS = frozenset(
    {
        "chronicle",
        "courier",
        "echo",
        "gazette",
        "herald",
        "journal",
        "mail",
        "mirror",
        "news",
        "observer",
        "online",
    }
    | {"post", "star", "sun", "telegraph", "times", "tribune"}
)


def wording(text: str) -> str:
    """Return `text` without what no reader would call a change.

    That is white space, quotes, dashes and other punctuation (except between digits, where it makes another
    number), case, diacritics, entities and pictographs.
    """
    plain = html.unescape(text)
    folded = _without_diacritics(plain).casefold() if not plain.isascii() else plain.lower()
    joined = _BETWEEN_DIGITS.sub(_number_separator, folded.replace("&", " and "))
    return _NOISE.sub("", joined)


def without_outlet(title: str) -> str:
    """Take what looks like a name, such as " - Gold Coast Bulletin", off the end of a title, whosever it is.

    Sister papers put their own names behind one article in turn, and aggregators leave them out. Good for
    comparing only: it may take off what belongs to a title.
    """
    while (match := _SUFFIX.match(title)) and _is_name(match["name"]):
        if len(match["title"].split()) < _TITLE_WORDS:
            break
        title = match["title"]
    return title


def _is_name(suffix: str) -> bool:
    words = suffix.split()
    if len(suffix) > _NAME_LENGTH or len(words) > _NAME_WORDS or not all(map(_is_capitalized, words)):
        return False
    # A single word may as well be a state of things: Updated, Live, Resolved.
    return len(words) > 1 or sum(map(str.isupper, suffix)) > 1 or suffix.casefold() in _OUTLETS


def _is_capitalized(word: str) -> bool:
    return not word[0].islower() or any(map(str.isupper, word))


def _without_diacritics(text: str) -> str:
    apart = unicodedata.normalize("NFKD", text)
    return unicodedata.normalize("NFKC", _DIACRITICS.sub("", apart))


def _number_separator(match: re.Match[str]) -> str:
    separator = match[0]
    if separator in (",", "'", "’") and len(match[1]) == 3:
        return ""  # of thousands
    sign = "-" if _DASHES.search(separator) else separator.strip()[:1] or " "
    return f"_{ord(sign)}_"
