"""Making text from outside safe to store and to compare."""

import html
import re
import unicodedata

import nh3

_SPACES = re.compile(r"\s+")
_TAG = re.compile(r"<[A-Za-z/!?]")
_BLOCK = re.compile(
    r"(?i)<(?:br|/?(?:p|div|li|ul|ol|tr|td|th|table|h[1-6]|blockquote|pre|section|article))\b[^<>]*>"
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
    visible = "".join(" " if unicodedata.category(c) == "Cc" else c for c in text)
    return _SPACES.sub(" ", visible).strip()


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
