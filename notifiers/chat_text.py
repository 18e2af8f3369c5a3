"""Making text harmless in the markups of chats: nobody is called, and nothing is formatted, by a title."""

import re
from urllib.parse import quote

from core.egress.masking import MASK

_ZERO_WIDTH = "\u200b"
_CUT = 6
_SLACK_MARKS = re.compile(r"(?<!\w)[*_~`]|[*_~`](?!\w)")
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~:&])")
_CALLS = re.compile(r"@(?=\S)")
_KEPT = "!$%&'*+,/:;=?@~#"


def slack(text: str) -> str:
    """Escape for Slack's mrkdwn: `&<>` as entities, and marks of formatting kept from a word's edge.

    Source: "Formatting text for app surfaces" of Slack's documentation.
    """
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _SLACK_MARKS.sub(lambda mark: f"{_ZERO_WIDTH}{mark[0]}{_ZERO_WIDTH}", escaped)


def slack_url(url: str) -> str:
    """Spell a URL so that it stands within `<…|…>`."""
    return _spelled(url, "()[]").replace("&", "&amp;")


def markdown(text: str) -> str:
    """Escape for Markdown as Discord and Mattermost read it; `@name` calls nobody."""
    return _CALLS.sub(f"@{_ZERO_WIDTH}", _MARKDOWN.sub(r"\\\1", text))


def markdown_url(url: str) -> str:
    """Spell a URL so that it stands within `(…)`."""
    return _spelled(url)


def _spelled(url: str, also: str = "") -> str:
    return quote(url, safe=_KEPT + also)


def redacted(text: str, secrets: tuple[str, ...]) -> str:
    """Return text in which `…` stands for every secret, the beginning of one at its very end included."""
    for secret in secrets:
        text = text.replace(secret, MASK)
        cut = next((size for size in range(len(secret) - 1, _CUT - 1, -1) if text.endswith(secret[:size])), 0)
        text = text[:-cut] + MASK if cut else text
    return text
