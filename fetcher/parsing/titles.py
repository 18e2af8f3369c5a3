"""Headlines: plain text out of whatever feeds put into a title, without the publisher's name behind it."""

import html
import re

from core.headlines import without_publisher
from core.text import one_line, plain_text, shorten, storable

__all__ = ["plain_title", "title_from", "without_publisher"]

_SUMMARY_TITLE_LIMIT = 100
_MARKUP_LIMIT = 5_000

# In a title these are markup; other names in angle brackets, as in "The <video> element", are its words.
_MARKUP = re.compile(
    r"(?i)</(?:a|abbr|b|big|cite|code|del|div|em|font|h[1-6]|i|ins|mark|p|q|s|small|span|strike|strong|sub|sup"
    r"|tt|u|script|style|svg|iframe|object)\s*>|<(?:br|img|wbr)\b[^<>]*>|<[a-z][^<>]*[\s/\"']on[a-z]{3,20}\s*="
)


def plain_title(title: str) -> str:
    """Return a title as one line of text, without entities and markup."""
    text = storable(title[:_MARKUP_LIMIT])
    return one_line(plain_text(text) if _MARKUP.search(text) else html.unescape(text))


def title_from(summary: str, url: str | None) -> str:
    """Return what to show as the title of an item that has none: first words, else its address."""
    return shorten(summary, _SUMMARY_TITLE_LIMIT) or url or ""
