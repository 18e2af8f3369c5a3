"""ntfy, at ntfy.sh or a server of one's own, by publishing JSON."""

import re
from collections.abc import Mapping
from typing import Annotated, Any

from jinja2 import Environment
from pydantic import Field

from notifiers.chat import SECRET_LENGTH, ChatFields, ChatKind, Post, rendered, url_secrets
from notifiers.chat_answers import Said, begins_as_object, json_object, number_of, text_of
from notifiers.chat_items import Telling

EXAMPLE = "https://ntfy.sh/my-news"
MESSAGE_BYTES, TITLE_BYTES = 4_096, 1_024
_URL = re.compile(r"(https?://[^/?#]+(?:/[^?#]*)?)/([-_A-Za-z0-9]{1,64})")
_TOKEN = r"[!-~]{1,200}"  # noqa: S105 (a pattern)
_GONE_STATUSES = frozenset({401, 403})


class NtfyFields(ChatFields):
    """What an account says of a topic."""

    token: Annotated[str | None, Field(pattern=f"^{_TOKEN}$")] = None


class Ntfy(ChatKind):
    """One message a second; the text is shown as it stands."""

    name = "ntfy"
    fields = NtfyFields

    def view(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return the topic's URL, and whether there is a token."""
        return super().view(config) | {"token": "…" if config.get("token") else None}

    def post(self, config: Mapping[str, Any]) -> Post:
        """Split the URL into server and topic, for JSON goes to the server's root."""
        match = _URL.fullmatch(config["url"].rstrip("/"))
        if match is None:
            raise ValueError(f"this is no URL of a topic, which looks like {EXAMPLE}")
        token = config.get("token")
        headers = [f"Authorization: Bearer {token}"] if token else []
        return Post(f"{match[1]}/", headers, {"topic": match[2]})

    def secrets(self, config: Mapping[str, Any]) -> tuple[str, ...]:
        """Return what is a token in the URL, the topic, and the token."""
        topic = config["url"].rstrip("/").rpartition("/")[2]
        token = config.get("token")
        # A short topic is a word rather than a secret, and might stand in anything.
        topics = [topic] if len(topic) >= SECRET_LENGTH else []
        return (*url_secrets(config["url"]), *topics, *([token] if token else []))

    def payload(self, telling: Telling, templates: Environment) -> dict[str, Any]:
        """Return a title and a text; a tap opens the article, or the link to all."""
        first, alone = telling.items[0], len(telling.items) == 1 and not telling.more
        click = first.url if alone else telling.link
        return {
            "title": telling.brief if alone else telling.heading,
            "message": rendered(templates, "plain.txt", telling=telling, alone=alone) or first.title,
            **({"click": click} if click else {}),
        }

    def fits(self, payload: Mapping[str, Any], _size: int) -> bool:
        """Tell whether the text has at most 4,096 bytes, beyond which ntfy makes it a file."""
        title, message = payload["title"].encode(), payload["message"].encode()
        return len(message) <= MESSAGE_BYTES and len(title) <= TITLE_BYTES

    def read(self, status: int, body: str) -> Said:
        """Read the message that was made, or an error with its words."""
        said = json_object(body)
        words = text_of(said.get("error"))
        if words is None and begins_as_object(body) and "code" not in said:
            return Said(accepted=True)
        gone = words is not None and status in _GONE_STATUSES
        return Said(code=words, gone=gone, wait_seconds=number_of(said.get("retry_after")))


KIND = Ntfy()
