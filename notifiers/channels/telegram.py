"""Telegram, by a bot of one's own."""

import re
from collections.abc import Mapping
from typing import Annotated, Any

from jinja2 import Environment
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from core.egress import EgressPolicy
from core.errors import FieldError
from notifiers.chat import ChatKind, Post, check_field, rendered
from notifiers.chat_answers import Said, json_object, number_of, text_of
from notifiers.chat_items import Telling, units

TEXT_CHARACTERS = 4_096
SERVER = "https://api.telegram.org"
_TOKEN = re.compile(r"[0-9]{1,20}:[A-Za-z0-9_-]{20,100}")
_CHAT = re.compile(r"-?[0-9]{1,20}|@[A-Za-z][A-Za-z0-9_]{3,31}")
_BOT_GONE = frozenset({401, 403, 404})
# Descriptions of errors 400 after which a chat takes no message of this bot any more.
_CHAT_GONE = re.compile(
    r"chat not found|user not found|upgraded to a supergroup|peer_id_invalid|chat_write_forbidden"
    r"|not enough rights|have no rights|topic_closed|message thread not found|group chat was deactivated",
    re.IGNORECASE,
)
_TAKEN = re.compile(r'\s*\{\s*"ok"\s*:\s*true\b')


def _as_text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


class TelegramFields(BaseModel):
    """What an account says of a Telegram chat."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    token: Annotated[str, Field(max_length=200)]
    chat_id: Annotated[str, BeforeValidator(_as_text), Field(min_length=1, max_length=100)]
    thread_id: Annotated[int | None, Field(ge=1)] = None
    server: Annotated[str, Field(min_length=1, max_length=1_000)] = SERVER


class Telegram(ChatKind):
    """One message a second and chat, in Telegram's HTML."""

    name = "telegram"
    fields = TelegramFields

    def configure(self, fields: Any, egress: EgressPolicy) -> dict[str, Any]:
        """Check the token's and the chat's form, and the server."""
        if not _TOKEN.fullmatch(fields.token):
            raise FieldError("token", "a bot's token looks like 123456789:AbC…, as @BotFather shows it")
        if not _CHAT.fullmatch(fields.chat_id):
            raise FieldError("chat_id", "a chat's id is a number, such as -1001234567890, or a @name")
        check_field("server", fields.server, egress)
        config = {"token": fields.token, "chat_id": fields.chat_id, "server": fields.server.rstrip("/")}
        return config if fields.thread_id is None else config | {"thread_id": fields.thread_id}

    def target(self, config: Mapping[str, Any]) -> str:
        """Return server, bot and chat; a bot stays the same when its token is renewed."""
        bot = config["token"].partition(":")[0]
        return f"{config['server']}/{bot}/{config['chat_id']}/{config.get('thread_id', '')}"

    def view(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return all but the secret half of the token."""
        return {
            "token": config["token"].partition(":")[0] + ":…",
            "chat_id": config["chat_id"],
            "thread_id": config.get("thread_id"),
            "server": config["server"],
        }

    def post(self, config: Mapping[str, Any]) -> Post:
        """Say to which chat."""
        thread = {"message_thread_id": config["thread_id"]} if "thread_id" in config else {}
        url = f"{config['server']}/bot{config['token']}/sendMessage"
        return Post(url, fields={"chat_id": config["chat_id"], **thread})

    def secrets(self, config: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the token, and its secret half by itself."""
        return config["token"], config["token"].partition(":")[2]

    def payload(self, telling: Telling, templates: Environment) -> dict[str, Any]:
        """Return the articles one below the other, a preview only of one that is alone."""
        alone = len(telling.items) == 1 and not telling.more
        return {
            "text": rendered(templates, "telegram.html", telling=telling, alone=alone),
            "parse_mode": "HTML",
            "link_preview_options": {"is_disabled": not alone},
        }

    def fits(self, payload: Mapping[str, Any], _size: int) -> bool:
        """Tell whether the text is short enough, its tags counted although Telegram does not."""
        return units(payload["text"]) <= TEXT_CHARACTERS

    def read(self, status: int, body: str) -> Said:
        """Read `"ok": true`, or an error with its description."""
        if _TAKEN.match(body):
            return Said(accepted=True)
        said = json_object(body)
        words = text_of(said.get("description"))
        code = said.get("error_code", status)
        parameters = said.get("parameters")
        wait = parameters.get("retry_after") if isinstance(parameters, dict) else None
        ours = "ok" in said
        return Said(
            code=words,
            gone=ours and (code in _BOT_GONE or bool(words and _CHAT_GONE.search(words))),
            throttled=ours and code == 429,
            wait_seconds=number_of(wait),
        )


KIND = Telegram()
