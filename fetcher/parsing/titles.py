"""Headlines: plain text out of whatever feeds put into a title, without the publisher's name behind it."""

import html
import re

from core.text import one_line, plain_text, shorten, storable

_SUMMARY_TITLE_LIMIT = 100
_SUFFIX_LIMIT = 60
_MARKUP_LIMIT = 5_000

# In a title these are markup; other names in angle brackets, as in "The <video> element", are its words.
_MARKUP = re.compile(
    r"(?i)</(?:a|abbr|b|big|cite|code|del|div|em|font|h[1-6]|i|ins|mark|p|q|s|small|span|strike|strong|sub|sup"
    r"|tt|u|script|style|svg|iframe|object)\s*>|<(?:br|img|wbr)\b[^<>]*>|<[a-z][^<>]*[\s/\"']on[a-z]{3,20}\s*="
)
_SUFFIX = re.compile(r"^(?P<title>.*\S)\s+[-–—|·•]\s+(?P<name>\S.*)$")
_TOP_LEVEL = re.compile(r"(?i)(?:\.(?:com?|net|org|gov|edu))?\.[a-z]{2,12}$")
_WORD = re.compile(r"[^\W_]+")


def plain_title(title: str) -> str:
    """Return a title as one line of text, without entities and markup."""
    text = storable(title[:_MARKUP_LIMIT])
    return one_line(plain_text(text) if _MARKUP.search(text) else html.unescape(text))


def title_from(summary: str, url: str | None) -> str:
    """Return what to show as the title of an item that has none: first words, else its address."""
    return shorten(summary, _SUMMARY_TITLE_LIMIT) or url or ""


def without_publisher(title: str, *names: str | None) -> str:
    """Take " - The Publisher" off the end of a title if that is one of `names` or a close variant.

    A name may be a host, such as `www.smh.com.au` for "Sydney Morning Herald".
    """
    # Again and again, since aggregators append it to titles that have it already.
    while (match := _SUFFIX.match(title)) and _is_publisher(match["name"], names):
        title = match["title"]
    return title


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
