"""Microsoft Teams, by a workflow's webhook, with an Adaptive Card."""

import re
from collections.abc import Mapping
from typing import Any

from jinja2 import Environment

from notifiers.chat import ChatKind
from notifiers.chat_answers import Said, json_object, text_of
from notifiers.chat_items import Item, Telling

BODY_BYTES = 28_000
_GONE = re.compile(
    r"WorkflowNotFound|WorkflowTriggerNotFound|WorkflowTriggerIsNotEnabled|WorkflowDisabled|WorkflowSuspended"
    r"|InvalidSharedAccess|DirectApiAuthorizationRequired|AuthorizationFailed|SasTokenInvalid|FlowNotFound"
)
_THROTTLED = re.compile(r"HTTP error 429|TooManyRequests|WorkflowRunActionThrottled")
_TAKEN = frozenset({"", "1"})


class Teams(ChatKind):
    """One message a second; the card's texts are runs, in which nothing is formatted."""

    name = "teams"

    def payload(self, telling: Telling, _templates: Environment) -> dict[str, Any]:
        """Return a message with one card."""
        alone = len(telling.items) == 1 and not telling.more
        heading = [] if alone else [_paragraph(_run(telling.heading, size="Medium", weight="Bolder"))]
        articles = [_article(item) for item in telling.items]
        foot = [_run(text, isSubtle=True) for text in (telling.rest, _matches(telling)) if text]
        card = {
            "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
            "type": "AdaptiveCard",
            "version": "1.4",
            "msteams": {"width": "Full"},
            "body": [*heading, *articles, *(_paragraph(run) for run in foot)],
            "actions": _actions(telling),
        }
        attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None}
        return {"type": "message", "attachments": [attachment | {"content": card}]}

    def fits(self, _payload: Mapping[str, Any], size: int) -> bool:
        """Tell whether the message has at most 28 kB."""
        return size <= BODY_BYTES

    def read(self, status: int, body: str) -> Said:
        """Read nothing (or `1` of an older webhook) where it was taken, words where it was not."""
        word = body.strip()
        if word in _TAKEN or (status == 202 and _error(word) is None):
            return Said(accepted=True)
        found = _GONE.search(word)
        return Said(
            code=_error(word) or word or None, gone=found is not None, throttled=bool(_THROTTLED.search(word))
        )


def _error(body: str) -> str | None:
    error = json_object(body).get("error")
    return text_of(error.get("code")) if isinstance(error, dict) else None


def _article(item: Item) -> dict[str, Any]:
    link = {"selectAction": {"type": "Action.OpenUrl", "url": item.url}} if item.url else {}
    label = [_run("Updated: ")] if item.updated else []
    summary = [_run(f"\n{item.summary}")] if item.summary else []
    source = [_run(f"\n{item.source}", isSubtle=True)] if item.source else []
    return _paragraph(*label, _run(item.title, weight="Bolder", **link), *summary, *source)


def _run(text: str, **more: Any) -> dict[str, Any]:
    return {"type": "TextRun", "text": text, **more}


def _paragraph(*runs: dict[str, Any]) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": list(runs), "spacing": "Medium"}


def _matches(telling: Telling) -> str:
    return f"Matches: {telling.matches}" if telling.matches else ""


def _actions(telling: Telling) -> list[dict[str, Any]]:
    first = telling.items[0]
    if telling.more:
        return [{"type": "Action.OpenUrl", "title": "See all", "url": telling.link}] if telling.link else []
    alone = len(telling.items) == 1 and first.url
    return [{"type": "Action.OpenUrl", "title": "Read the article", "url": first.url}] if alone else []


KIND = Teams()
