"""What kinds of chats have in common: their fields, one POST, its deadlines and guard, and what it means.

A kind says where it POSTs, what, and what its service answers; the delivery engine does the rest.
"""

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, ClassVar
from urllib.parse import parse_qsl, unquote, urlsplit

from jinja2 import Environment
from pydantic import BaseModel, ConfigDict, Field

from core.egress import BlockedUrl, EgressPolicy, check_url_now, masked_url, origin_of, spell_url
from core.egress.exchange import PushAnswer, PushRequest
from core.errors import FieldError
from core.store.states import ChannelState
from core.store.turns import STRICT
from notifiers.chat_answers import Said, judge
from notifiers.chat_items import Telling, tellings
from notifiers.notice import Notice
from notifiers.outcome import Outcome

QUEUE = "chat"
COLLAPSE_SECONDS = 10.0
SECRET_LENGTH = 8
_TOKEN = re.compile(r"(?=.*[0-9]|.*[a-z].*[A-Z]|.*[A-Z].*[a-z]).{8,}")


class ChatFields(BaseModel):
    """What an account says of a chat that is reached by a URL of its own."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    url: Annotated[str, Field(min_length=1, max_length=2_048)]


@dataclass(frozen=True, slots=True)
class Post:
    """Where a message is POSTed, and what makes it get there: headers, and fields of its JSON."""

    url: str
    headers: Sequence[str] = ()
    fields: Mapping[str, Any] | None = None


class ChatKind(ABC):
    """A kind of chat: articles one by one, or collapsed where they come in bursts, always in order."""

    name: ClassVar[str]
    queue: ClassVar[str] = QUEUE
    initial_state: ClassVar[ChannelState] = ChannelState.ACTIVE
    fields: ClassVar[type[BaseModel]] = ChatFields
    orderable: ClassVar[bool] = True
    ordering: ClassVar[str] = STRICT
    rate_limit: ClassVar[float] = 1.0
    collapse_seconds: ClassVar[float] = COLLAPSE_SECONDS

    def configure(self, fields: Any, egress: EgressPolicy) -> dict[str, Any]:
        """Check the URL."""
        check_field("url", fields.url, egress)
        config = {name: value for name, value in fields.model_dump().items() if value is not None}
        self._check_post(config)
        return config

    def target(self, config: Mapping[str, Any]) -> str:
        """Return the URL."""
        return str(config["url"])

    def view(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return the URL without what is secret in it, which is nearly all that it says."""
        return {"url": masked_url(config["url"])}

    def open(self, config: Mapping[str, Any]) -> "ChatPusher":
        """Read a configuration; raises ValueError when it is not one of this kind."""
        try:
            post, secrets = self.post(config), self.secrets(config)
            return ChatPusher(self, Post(spell_url(post.url), post.headers, post.fields), secrets)
        except BlockedUrl as error:
            raise ValueError(f"the URL cannot be called: {error}") from None
        except (KeyError, TypeError, AttributeError):
            raise ValueError(f"this is not the configuration of a channel of the kind {self.name}") from None

    def post(self, config: Mapping[str, Any]) -> Post:
        """Say where messages are POSTed; raises ValueError where that cannot be said."""
        return Post(config["url"])

    def secrets(self, config: Mapping[str, Any]) -> tuple[str, ...]:
        """Return what must be in no error and no log."""
        return url_secrets(config["url"])

    @abstractmethod
    def payload(self, telling: Telling, templates: Environment) -> dict[str, Any]:
        """Return the JSON of a message."""

    @abstractmethod
    def fits(self, payload: Mapping[str, Any], size: int) -> bool:
        """Tell whether a message, of `size` bytes, is within the service's limits."""

    @abstractmethod
    def read(self, status: int, body: str) -> Said:
        """Read an answer."""

    def _check_post(self, config: Mapping[str, Any]) -> None:
        try:
            self.post(config)
        except ValueError as error:
            raise FieldError("url", str(error)) from error


class ChatPusher:
    """A chat with everything read that its messages have in common."""

    def __init__(self, kind: ChatKind, post: Post, secrets: tuple[str, ...]) -> None:
        self._kind, self._post, self._secrets = kind, post, secrets
        self._headers = ["Content-Type: application/json", *post.headers]
        self.origin = origin_of(post.url)

    def body(self, notice: Notice, templates: Environment) -> bytes:
        """Return the longest message about a notice that is within the service's limits."""
        body = b""
        for telling in tellings(notice):
            payload = {**self._kind.payload(telling, templates), **(self._post.fields or {})}
            body = json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()
            if self._kind.fits(payload, len(body)):
                break
        return body

    def request(self, _message_id: str, body: bytes, _now: datetime) -> PushRequest:
        """Return the request of one message."""
        return PushRequest(self._post.url, list(self._headers), body)

    def outcome(self, answer: PushAnswer, now: datetime) -> Outcome:
        """Say how a push ended, by its status and by what the service says."""
        body = answer.excerpt.decode("utf-8", "replace")
        return judge(self._kind.read(answer.status or 0, body), answer, now, self._secrets)


def check_field(name: str, url: str, egress: EgressPolicy) -> None:
    """Judge the URL of a field now; raises FieldError."""
    try:
        check_url_now(url, egress)
    except BlockedUrl as error:
        raise FieldError(name, str(error)) from error


def url_secrets(url: str) -> tuple[str, ...]:
    """Return what in a URL may be secret: tokens in its path, as they stand and decoded, and its query."""
    parts = urlsplit(url)
    segments = [segment for segment in parts.path.split("/") if _TOKEN.fullmatch(segment)]
    values = [value for _name, value in parse_qsl(parts.query) if len(value) >= SECRET_LENGTH]
    pairs = parts.query.split("&") if parts.query else []
    raw = [value for _name, _equals, value in (pair.partition("=") for pair in pairs)]
    found = {*segments, *map(unquote, segments), *values, *(one for one in raw if len(one) >= SECRET_LENGTH)}
    return tuple(sorted(found, key=len, reverse=True))


def rendered(templates: Environment, name: str, **words: Any) -> str:
    """Render a template of `templates/chat`, without the white space around it."""
    return templates.get_template(f"chat/{name}").render(words).strip()
