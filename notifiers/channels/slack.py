"""Slack, by an incoming webhook, with Block Kit."""

from collections.abc import Mapping
from typing import Any

from jinja2 import Environment

from notifiers import chat_text
from notifiers.chat import ChatKind, rendered
from notifiers.chat_answers import Said
from notifiers.chat_items import Item, Telling

BLOCKS, SECTION_CHARACTERS, HEADER_CHARACTERS, TEXT_CHARACTERS = 50, 3_000, 150, 4_000
# "Handling errors" of Slack's documentation of incoming webhooks, and what its Web API says of tokens.
GONE = frozenset(
    {
        "no_service",
        "no_service_id",
        "no_active_hooks",
        "no_team",
        "team_disabled",
        "account_inactive",
        "invalid_token",
        "token_revoked",
        "user_not_found",
        "channel_not_found",
        "channel_is_archived",
        "is_archived",
        "action_prohibited",
        "posting_to_general_channel_denied",
    }
)
THROTTLED = frozenset({"rate_limited", "ratelimited", "message_limit_exceeded"})


class Slack(ChatKind):
    """One message a second and webhook, as Slack allows."""

    name = "slack"

    def payload(self, telling: Telling, templates: Environment) -> dict[str, Any]:
        """Return one section for each article, and a line about the rest."""
        alone = len(telling.items) == 1 and not telling.more
        header = [] if alone else [_header(telling.heading)]
        sections = [_section(_text(item, templates)) for item in telling.items]
        foot = _foot(telling, templates)
        return {
            "text": chat_text.slack(telling.brief),
            "blocks": [*header, *sections, *([_context(foot)] if foot else [])],
            "unfurl_links": False,
            "unfurl_media": False,
        }

    def fits(self, payload: Mapping[str, Any], _size: int) -> bool:
        """Tell whether there are at most 50 blocks, of at most 3,000 characters each."""
        texts = [_block_text(block) for block in payload["blocks"]]
        return (
            len(payload["blocks"]) <= BLOCKS
            and len(payload["text"]) <= TEXT_CHARACTERS
            and all(len(text) <= SECTION_CHARACTERS for text in texts)
        )

    def read(self, status: int, body: str) -> Said:
        """Read Slack's word for it: `ok`, or what is wrong."""
        word = body.strip()
        if word == "ok":
            return Said(accepted=True)
        return Said(code=word or None, gone=word in GONE, throttled=word in THROTTLED)


def _text(item: Item, templates: Environment) -> str:
    return rendered(
        templates,
        "slack.txt",
        title=chat_text.slack(item.title),
        summary=chat_text.slack(item.summary),
        source=chat_text.slack(item.source),
        url=chat_text.slack_url(item.url) if item.url else None,
        updated=item.updated,
    )


def _foot(telling: Telling, templates: Environment) -> str:
    return rendered(
        templates,
        "slack_foot.txt",
        rest=telling.rest,
        link=chat_text.slack_url(telling.link) if telling.link else None,
        matches=chat_text.slack(telling.matches),
    )


def _header(text: str) -> dict[str, Any]:
    return {"type": "header", "text": {"type": "plain_text", "text": text[:HEADER_CHARACTERS]}}


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": _mrkdwn(text)}


def _context(text: str) -> dict[str, Any]:
    return {"type": "context", "elements": [_mrkdwn(text)]}


def _mrkdwn(text: str) -> dict[str, Any]:
    # Verbatim: Slack makes no links or mentions of its own out of it.
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _block_text(block: Mapping[str, Any]) -> str:
    return str(block["elements"][0]["text"] if block["type"] == "context" else block["text"]["text"])


KIND = Slack()
