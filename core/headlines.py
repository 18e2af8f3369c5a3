"""Headlines: the publisher behind them taken off, and telling when two tell one story."""

import hashlib
import re

from core.query import tokenize

FEWEST_WORDS, FEWEST_LETTERS = 4, 12
"""What a headline must say to tell a story: words that mean something, and the letters of these."""

_LONGEST_NAME = 4  # words of a publisher that nobody has told us of

# Words of many English headlines, by which no story is known; then those of columns that appear every day.
_COMMON = """
    a about all an and are around as at be been before but by can could do does for from had has have how if
    in into is it its may more of on or our out over s t than that the their this to up was we were what when
    where which who why will with would you your
"""
_OF_COLUMNS = """
    breaking brief briefing briefings catch coverage daily day days evening explained friday glance guide
    headlines here highlights hour hourly hours know latest live monday month morning need news newsletter
    night now podcast preview quick quickly quiz recap review roundup saturday so far stories story summary
    sunday things thursday today top tuesday update updated updates watch wednesday week weekend weekly world
    year yesterday
"""
_SAYING_LITTLE = frozenset(f"{_COMMON} {_OF_COLUMNS}".split())

_SUFFIX_LIMIT = 60

_SUFFIX = re.compile(r"^(?P<title>.*\S)\s+[-–—|·•]\s+(?P<name>\S.*)$")
_TOP_LEVEL = re.compile(r"(?i)(?:\.(?:com?|net|org|gov|edu))?\.[a-z]{2,12}$")
_WORD = re.compile(r"[^\W_]+")


def without_publisher(title: str, *names: str | None) -> str:
    """Take " - The Publisher" off the end of a title if that is one of `names` or a close variant.

    A name may be a host, such as `www.smh.com.au` for "Sydney Morning Herald".
    """
    # Again and again, since aggregators append it to titles that have it already.
    while (match := _SUFFIX.match(title)) and _is_publisher(match["name"], names):
        title = match["title"]
    return title


def story_of(title: str, *publishers: str | None) -> str | None:
    """Return a fingerprint that headlines telling one story share, None for one that says too little.

    Case, punctuation, accents' encoding and the publisher behind it do not count, be that one of `publishers`
    or one to four words behind a dash. "Coronavirus latest: at a glance" says too little: one word.
    """
    words = tokenize(_without_any_publisher(without_publisher(title, *publishers)))
    telling = set(words) - _SAYING_LITTLE
    if len(telling) < FEWEST_WORDS or sum(map(len, telling)) < FEWEST_LETTERS:
        return None
    return hashlib.sha256(" ".join(words).encode()).hexdigest()[:32]


def _without_any_publisher(title: str) -> str:
    """Take a name off the end, where aggregators put one; lower case there goes on with the sentence."""
    match = _SUFFIX.match(title)
    if match is None or match["name"][0].islower() or len(match["name"]) > _SUFFIX_LIMIT:
        return title
    is_name = len(tokenize(match["name"])) <= _LONGEST_NAME
    return match["title"] if is_name and len(tokenize(match["title"])) >= FEWEST_WORDS else title


def _is_publisher(suffix: str, names: tuple[str | None, ...]) -> bool:
    words = _words(suffix) if len(suffix) <= _SUFFIX_LIMIT else []
    return any(_same_publisher(words, name) for name in names if name)


def _same_publisher(suffix: list[str], name: str) -> bool:
    is_host = " " not in name and "." in name
    words = _words(name)[-1:] if is_host else _words(name)
    if not suffix or not words:
        return False
    squashed, wanted = "".join(suffix), "".join(words)
    wanted = (wanted.removeprefix("the") or wanted) if is_host else wanted
    return (
        squashed == wanted
        or (len(wanted) >= 3 and squashed.startswith(wanted))
        or (len(squashed) >= 4 and wanted.endswith(squashed))
        or words[: len(suffix)] == suffix
        or wanted in _abbreviations(suffix)
        or squashed in _abbreviations(words)
        or (is_host and len(wanted) >= 3 and wanted in suffix)
    )


def _words(name: str) -> list[str]:
    words = _WORD.findall(_TOP_LEVEL.sub("", name.casefold().replace("'", "").replace("’", "")))
    return words[1:] if len(words) > 1 and words[0] == "the" else words


def _abbreviations(words: list[str]) -> set[str]:
    """Return forms such as `smh` and `nypost`: initials of the first words, then the others whole."""
    splits = range(2, len(words) + 1)
    return {"".join([*(word[0] for word in words[:split]), *words[split:]]) for split in splits}
