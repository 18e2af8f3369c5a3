"""Google Chat, by a space's webhook, with a card: a plain text could mention people, a card cannot."""

import re
from collections.abc import Mapping
from typing import Any

from jinja2 import Environment

from notifiers.chat import ChatKind, rendered
from notifiers.chat_answers import Said, json_object, text_of
from notifiers.chat_items import Telling

CARD_BYTES, TEXT_CHARACTERS = 32_000, 4_096
# google.rpc.Code: what a webhook is told whose space, key or token is not there any more.
GONE = frozenset({"NOT_FOUND", "PERMISSION_DENIED", "UNAUTHENTICATED", "FAILED_PRECONDITION"})
_BAD_KEY = re.compile(r"API key not valid|API_KEY_INVALID|API key expired", re.IGNORECASE)
_TAKEN = re.compile(r'\s*\{\s*"name"\s*:\s*"spaces/')
_CALLS = re.compile(r"[<>]")


class GoogleChat(ChatKind):
    """One message a second and space, as Google allows."""

    name = "googlechat"

    def payload(self, telling: Telling, templates: Environment) -> dict[str, Any]:
        """Return a card with one paragraph for each article."""
        alone = len(telling.items) == 1 and not telling.more
        paragraphs = [rendered(templates, "googlechat.html", item=item) for item in telling.items]
        foot = rendered(templates, "googlechat_foot.html", telling=telling)
        widgets = [{"textParagraph": {"text": text}} for text in (*paragraphs, foot) if text]
        header = {} if alone else {"header": {"title": telling.heading}}
        return {
            "fallbackText": _CALLS.sub(" ", telling.brief),
            "cardsV2": [{"cardId": "clarion", "card": {**header, "sections": [{"widgets": widgets}]}}],
        }

    def fits(self, payload: Mapping[str, Any], size: int) -> bool:
        """Tell whether the message has at most 32 kB."""
        return size <= CARD_BYTES and len(payload["fallbackText"]) <= TEXT_CHARACTERS

    def read(self, status: int, body: str) -> Said:
        """Read the message that was made, or an error with its status."""
        if _TAKEN.match(body):
            return Said(accepted=True)
        error = json_object(body).get("error")
        if not isinstance(error, dict):
            return Said()
        code, message = text_of(error.get("status")), text_of(error.get("message"))
        return Said(
            code=message or code,
            gone=code in GONE or bool(_BAD_KEY.search(message or "")),
            throttled=code == "RESOURCE_EXHAUSTED",
        )


KIND = GoogleChat()
