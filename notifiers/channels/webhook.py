"""Webhooks as the Standard Webhooks specification 1.0 describes them."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar

from jinja2 import Environment
from pydantic import BaseModel, ConfigDict, Field

from core.egress import BlockedUrl, EgressPolicy, check_url_now, origin_of, spell_url
from core.egress.exchange import PushAnswer, PushRequest
from core.errors import FieldError
from core.signing import ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, SigningKey, sign
from core.store.states import ChannelState
from notifiers import webhook_keys
from notifiers.digest_event import digest_body
from notifiers.notice import Notice, webhook_body
from notifiers.outcome import Outcome, push_outcome
from notifiers.webhook_keys import SYMMETRIC, Scheme

OWNED_HEADERS = frozenset(
    {
        "host",
        "content-length",
        "content-type",
        "content-encoding",
        "transfer-encoding",
        "connection",
        "expect",
        "te",
        "trailer",
        "upgrade",
        "http2-settings",
        "proxy-authorization",
        "proxy-connection",
        "keep-alive",
        "user-agent",
        "accept-encoding",
    }
)
OWNED_PREFIX = "webhook-"
VALUE_LENGTH = 2_000
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")  # RFC 9110, section 5.6.2: token


class WebhookFields(BaseModel):
    """What an account says of a webhook."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    url: Annotated[str, Field(min_length=1, max_length=2_048)]
    headers: Annotated[dict[str, str], Field(max_length=20)] = Field(default_factory=dict)
    signature: Scheme = SYMMETRIC
    secret: Annotated[str | None, Field(max_length=200)] = None


class WebhookPusher:
    """A webhook with everything read that its messages have in common."""

    def __init__(
        self, url: str, headers: Sequence[str], keys: Sequence[tuple[SigningKey, datetime | None]]
    ) -> None:
        self._url, self._headers, self._keys = url, headers, keys
        self.origin = origin_of(url)

    def body(self, notice: Notice, _templates: Environment) -> bytes:
        """Return the event of a notice."""
        return digest_body(notice) if notice.is_digest else webhook_body(notice)

    def outcome(self, answer: PushAnswer, now: datetime) -> Outcome:
        """Say how a push ended, by its status alone."""
        return push_outcome(answer, now)

    def request(self, message_id: str, body: bytes, now: datetime) -> PushRequest:
        """Return the request of one message, signed as of `now` with each key that still signs then."""
        timestamp = int(now.timestamp())
        keys = [key for key, until in self._keys if until is None or now < until]
        headers = [
            *self._headers,
            f"{ID_HEADER}: {message_id}",
            f"{TIMESTAMP_HEADER}: {timestamp}",
            f"{SIGNATURE_HEADER}: {sign(message_id, timestamp, body, keys)}",
        ]
        return PushRequest(self._url, headers, body)


class Webhook:
    """A signed POST of JSON."""

    name: ClassVar[str] = "webhook"
    queue: ClassVar[str] = "webhook"
    initial_state: ClassVar[ChannelState] = ChannelState.ACTIVE
    fields: ClassVar[type[BaseModel]] = WebhookFields
    orderable: ClassVar[bool] = True

    def configure(self, fields: Any, egress: EgressPolicy) -> dict[str, Any]:
        """Check URL, headers and secret; a key is made where no secret is given."""
        try:
            check_url_now(fields.url, egress)
        except BlockedUrl as error:
            raise FieldError("url", str(error)) from error
        _check_headers(fields.headers)
        key = webhook_keys.new_key(fields.signature, fields.secret)
        return {"url": fields.url, "headers": fields.headers, **key}

    def target(self, config: Mapping[str, Any]) -> str:
        """Return the URL."""
        return str(config["url"])

    def view(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return URL, the names of the headers (values may be secrets), and how messages are verified."""
        public = webhook_keys.public_key(config)
        return {
            "url": config["url"],
            "headers": dict.fromkeys(config["headers"], "…"),
            "signature": webhook_keys.scheme_of(config),
            **({"public_key": public} if public else {}),
        }

    def rotate(
        self, config: Mapping[str, Any], secret: str | None, now: datetime, overlap: timedelta
    ) -> dict[str, Any]:
        """Return a configuration with a new key; the old one signs too until `overlap` has passed."""
        return webhook_keys.rotated(config, secret, now, overlap)

    def carry_keys(
        self, stored: Mapping[str, Any], config: Mapping[str, Any], now: datetime, overlap: timedelta
    ) -> dict[str, Any]:
        """Return a changed configuration with the stored one's keys, unless the scheme changes."""
        return webhook_keys.carried(stored, config, now, overlap)

    def open(self, config: Mapping[str, Any]) -> WebhookPusher:
        """Read a configuration; raises ValueError when it is not one of a webhook."""
        try:
            headers = [header_line(name, value) for name, value in config["headers"].items()]
            return WebhookPusher(
                spell_url(config["url"]),
                ["Content-Type: application/json", *headers],
                webhook_keys.keys_of(config),
            )
        except BlockedUrl as error:
            raise ValueError(f"the URL cannot be called: {error}") from None
        except (KeyError, TypeError, AttributeError):
            raise ValueError("this is not the configuration of a webhook") from None


def header_line(name: str, value: str) -> str:
    """Return a header as libcurl takes it, which wants `Name;` for one without a value.

    Raises ValueError for what is no header of printable ASCII, such as one with a line break.
    """
    if not _HEADER_NAME.fullmatch(name):
        raise ValueError("a header's name is 1 to 100 letters, digits and !#$%&'*+-.^_`|~")
    if len(value) > VALUE_LENGTH or not (value.isascii() and value.isprintable()) or value != value.strip():
        raise ValueError(
            f"the value of {name} must be printable ASCII of at most {VALUE_LENGTH:,} characters, "
            "without spaces around it"
        )
    return f"{name}: {value}" if value else f"{name};"


def _check_headers(headers: Mapping[str, str]) -> None:
    names: set[str] = set()
    for name, value in headers.items():
        try:
            header_line(name, value)
        except ValueError as error:
            raise FieldError("headers", str(error)) from None
        lower = name.lower()
        if lower in OWNED_HEADERS or lower.startswith(OWNED_PREFIX):
            raise FieldError("headers", f"{name} is set by Clarion and cannot be changed")
        if lower in names:
            raise FieldError("headers", f"{name} is given more than once, for case does not matter in names")
        names.add(lower)


KIND = Webhook()
