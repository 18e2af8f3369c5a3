"""Mattermost, by an incoming webhook, in Markdown."""

from collections.abc import Mapping
from typing import Any

from jinja2 import Environment

from notifiers import chat_text
from notifiers.chat import ChatKind, rendered
from notifiers.chat_answers import Said, json_object, text_of
from notifiers.chat_items import Telling

TEXT_CHARACTERS = 16_383
_HOOK = "web.incoming_webhook."
# Errors of incoming webhooks in Mattermost's own source, `i18n/en.json`.
GONE = frozenset(
    {
        f"{_HOOK}invalid.app_error",
        f"{_HOOK}disabled.app_error",
        f"{_HOOK}channel.app_error",
        f"{_HOOK}channel_locked.app_error",
        f"{_HOOK}permissions.app_error",
        f"{_HOOK}user.app_error",
        "store.sql_webhooks.get_incoming.app_error",
        "app.webhooks.get_incoming.app_error",
        "api.post.create_post.can_not_post_to_deleted.error",
    }
)


class Mattermost(ChatKind):
    """One message a second; nobody is mentioned."""

    name = "mattermost"

    def payload(self, telling: Telling, templates: Environment) -> dict[str, Any]:
        """Return the articles one below the other."""
        alone = len(telling.items) == 1 and not telling.more
        parts = [] if alone else [f"#### {telling.heading}"]
        parts += [
            rendered(
                templates,
                "markdown.txt",
                title=chat_text.markdown(item.title),
                source=chat_text.markdown(item.source),
                summary=chat_text.markdown(item.summary),
                url=chat_text.markdown_url(item.url) if item.url else None,
                updated=item.updated,
            )
            for item in telling.items
        ]
        if telling.rest:
            parts.append(_rest(telling))
        if telling.matches:
            parts.append(f"Matches: {chat_text.markdown(telling.matches)}")
        return {"text": "\n\n".join(parts)}

    def fits(self, payload: Mapping[str, Any], _size: int) -> bool:
        """Tell whether the text is short enough."""
        return len(payload["text"]) <= TEXT_CHARACTERS

    def read(self, status: int, body: str) -> Said:
        """Read `ok`, or an error with its id."""
        if body.strip() == "ok":
            return Said(accepted=True)
        said = json_object(body)
        id_ = text_of(said.get("id"))
        return Said(code=text_of(said.get("message")) or id_, gone=id_ in GONE)


def _rest(telling: Telling) -> str:
    rest = chat_text.markdown(telling.rest)
    return f"[{rest}]({chat_text.markdown_url(telling.link)})" if telling.link else rest


KIND = Mattermost()
