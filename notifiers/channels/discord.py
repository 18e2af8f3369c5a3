"""Discord, by a webhook, with embeds."""

from collections.abc import Mapping
from typing import Any

from jinja2 import Environment

from notifiers import chat_text
from notifiers.chat import ChatKind, Post, rendered
from notifiers.chat_answers import Said, begins_as_object, json_object, number_of, text_of
from notifiers.chat_items import Item, Telling, units

TITLE_CHARACTERS, DESCRIPTION_CHARACTERS, FOOTER_CHARACTERS, TOTAL_CHARACTERS = 256, 4_096, 2_048, 6_000
COLOUR = 0x2F6FEB
# "JSON error codes" of Discord's documentation: unknown channel, guild and webhook; invalid webhook token.
GONE = {10003, 10004, 10015, 50027}
_GONE_STATUSES = frozenset({401, 404})


class Discord(ChatKind):
    """Thirty messages a minute and webhook, as Discord allows; nobody is mentioned."""

    name = "discord"
    rate_limit = 0.5

    def post(self, config: Mapping[str, Any]) -> Post:
        """Ask Discord to answer only once the message is there."""
        url = str(config["url"])
        return Post(url + ("&" if "?" in url else "?") + "wait=true")

    def payload(self, telling: Telling, templates: Environment) -> dict[str, Any]:
        """Return one embed: the article itself, or a list of articles."""
        alone = len(telling.items) == 1 and not telling.more
        embed = _article(telling.items[0]) if alone else _list(telling, templates)
        foot = _foot(telling)
        return {
            "embeds": [{**embed, "color": COLOUR, **({"footer": {"text": foot}} if foot else {})}],
            "allowed_mentions": {"parse": []},
        }

    def fits(self, payload: Mapping[str, Any], _size: int) -> bool:
        """Tell whether each part of the embed, and all of it, is short enough."""
        (embed,) = payload["embeds"]
        title, description = units(embed["title"]), units(embed["description"])
        footer = units(embed["footer"]["text"]) if "footer" in embed else 0
        return (
            title <= TITLE_CHARACTERS
            and description <= DESCRIPTION_CHARACTERS
            and footer <= FOOTER_CHARACTERS
            and title + description + footer <= TOTAL_CHARACTERS
        )

    def read(self, status: int, body: str) -> Said:
        """Read the message that was made, or an error with its code."""
        said = json_object(body)
        code, message = said.get("code"), text_of(said.get("message"))
        if status == 204 or (begins_as_object(body) and "code" not in said and message is None):
            return Said(accepted=True)
        return Said(
            code=message,
            gone=status in _GONE_STATUSES and code in GONE,
            wait_seconds=number_of(said.get("retry_after")),
        )


def _article(item: Item) -> dict[str, Any]:
    label = "Updated: " if item.updated else ""
    source = [chat_text.markdown(item.source)] if item.source else []
    return {
        "title": label + chat_text.markdown(item.title),
        "description": "\n".join([*([chat_text.markdown(item.summary)] if item.summary else []), *source]),
        **({"url": chat_text.markdown_url(item.url)} if item.url else {}),
        **({"timestamp": item.published_at} if item.published_at else {}),
    }


def _list(telling: Telling, templates: Environment) -> dict[str, Any]:
    lines = [
        rendered(
            templates,
            "markdown.txt",
            title=chat_text.markdown(item.title),
            source=chat_text.markdown(item.source),
            summary="",
            url=chat_text.markdown_url(item.url) if item.url else None,
            updated=item.updated,
        )
        for item in telling.items
    ]
    if telling.rest:
        rest = chat_text.markdown(telling.rest)
        lines.append(f"[{rest}]({chat_text.markdown_url(telling.link)})" if telling.link else rest)
    return {"title": telling.heading, "description": "\n".join(lines)}


def _foot(telling: Telling) -> str:
    # A footer is shown as it stands.
    return f"Matches: {telling.matches}" if telling.matches else ""


KIND = Discord()
