"""Making text from outside safe to store and to compare."""

import html
import re

import nh3

TITLE_LIMIT = 1_000
SUMMARY_LIMIT = 4_000
URL_LIMIT = 4_000

_SPACES = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")  # white space and all of Unicode's category Cc
_TAG = re.compile(r"<[A-Za-z/!?]")
_BLOCK = re.compile(
    r"(?i)<(?:br|/?(?:\w+:)?(?:p|div|li|ul|ol|tr|td|th|table|h[1-6]|blockquote|pre|section|article))\b[^<>]*>"
)
# A bracket that another follows before any closes: text, or an attack on parsers of attributes.
_UNCLOSED = re.compile(r"<(?=[^<>]*<)")
_UNCLOSED_BORNE = 50


def storable(text: str) -> str:
    """Drop NUL and replace lone surrogates, which PostgreSQL and UTF-8 refuse."""
    if "\0" in text:
        text = text.replace("\0", "")
    try:
        text.encode()
    except UnicodeEncodeError:
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def one_line(text: str) -> str:
    """Fold white space and control characters into single spaces, trimmed."""
    return _SPACES.sub(" ", text).strip()


def plain_text(markup: str) -> str:
    """Return the text of an HTML fragment, without scripts, styles or tags, in one line."""
    if len(_UNCLOSED.findall(markup)) > _UNCLOSED_BORNE:
        markup = _UNCLOSED.sub("&lt;", markup)
    if _TAG.search(markup):
        markup = nh3.clean(_BLOCK.sub(" ", markup), tags=set(), clean_content_tags={"script", "style"})
    return one_line(html.unescape(markup))


def shorten(text: str, limit: int) -> str:
    """Cut to at most `limit` characters, at a word where one is near, with an ellipsis when cut."""
    if len(text) <= limit:
        return text
    cut = text[: limit - 1]
    space = cut.rfind(" ")
    return (cut[:space] if space > limit * 0.8 else cut).rstrip() + "…"


def web_url(value: object) -> str | None:
    """Return `value` if it is an http or https URL of bearable length, else None."""
    if not isinstance(value, str):
        return None
    url = storable(value).strip()
    fits = len(url) <= URL_LIMIT and url.isprintable() and " " not in url
    return url if fits and url.lower().startswith(("http://", "https://")) else None
