"""Webhooks as the Standard Webhooks specification 1.0 describes them."""

import re
import time
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import requests
from pydantic import BaseModel, ConfigDict, Field

from core.egress import BlockedUrl, EgressPolicy, TooLarge, check_url_now, classify, read_capped
from core.errors import FieldError
from core.signing import new_secret, parse_secret, sign
from core.store.states import ChannelState
from notifiers.channels.base import (
    CONNECT_SECONDS,
    RESPONSE_LIMIT,
    TRANSFER_SECONDS,
    Transports,
)
from notifiers.notice import Notice, webhook_body
from notifiers.outcome import Outcome, http_outcome

EXCERPT_BYTES = 4_096
OWNED_HEADERS = frozenset(
    {
        "host",
        "content-length",
        "content-type",
        "transfer-encoding",
        "connection",
        "expect",
        "te",
        "trailer",
        "upgrade",
        "proxy-authorization",
        "proxy-connection",
        "keep-alive",
        "user-agent",
        "accept-encoding",
    }
)
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")  # RFC 9110, section 5.6.2: token


class WebhookFields(BaseModel):
    """What an account says of a webhook."""

    model_config = ConfigDict(extra="forbid")

    url: Annotated[str, Field(min_length=1, max_length=2_048)]
    headers: Annotated[dict[str, str], Field(max_length=20)] = Field(default_factory=dict)
    secret: Annotated[str | None, Field(max_length=200)] = None


class Webhook:
    """A signed POST of JSON."""

    name: ClassVar[str] = "webhook"
    queue: ClassVar[str] = "webhook"
    initial_state: ClassVar[ChannelState] = ChannelState.ACTIVE
    fields: ClassVar[type[BaseModel]] = WebhookFields

    def configure(self, fields: Any, egress: EgressPolicy) -> dict[str, Any]:
        """Check URL, headers and secret; a secret is made where none is given."""
        try:
            check_url_now(fields.url, egress)
        except BlockedUrl as error:
            raise FieldError("url", str(error)) from error
        for header, value in fields.headers.items():
            _check_header(header, value)
        secret = fields.secret or new_secret()
        try:
            parse_secret(secret)
        except ValueError as error:
            raise FieldError("secret", str(error)) from error
        return {"url": fields.url, "headers": fields.headers, "secret": secret}

    def target(self, config: Mapping[str, Any]) -> str:
        """Return the URL."""
        return str(config["url"])

    def view(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return URL and the names of the headers; values may be secrets."""
        return {"url": config["url"], "headers": dict.fromkeys(config["headers"], "…")}

    def send(self, notice: Notice, config: Mapping[str, Any], transports: Transports) -> Outcome:
        """POST the event once."""
        body = webhook_body(notice)
        headers = {**config["headers"], **_signed_headers(notice.id, body, config, transports)}
        started = time.monotonic()
        try:
            with transports.http.post(
                config["url"],
                data=body,
                headers=headers,
                timeout=(CONNECT_SECONDS, TRANSFER_SECONDS),
                allow_redirects=False,
                stream=True,
            ) as response:
                return _outcome(response, started + TRANSFER_SECONDS)
        except (requests.RequestException, OSError, ValueError) as error:
            return Outcome(classify(error))


def _check_header(header: str, value: str) -> None:
    if not _HEADER_NAME.fullmatch(header):
        raise FieldError("headers", f"{header!r} is not a header name")
    if header.lower() in OWNED_HEADERS or header.lower().startswith("webhook-"):
        raise FieldError("headers", f"{header} is set by Clarion and cannot be changed")
    if len(value) > 2_000 or not (value.isascii() and value.isprintable()) or value != value.strip():
        raise FieldError(
            "headers",
            f"the value of {header} must be printable ASCII of at most 2,000 characters, "
            "without spaces around it",
        )


def _signed_headers(
    delivery_id: str, body: bytes, config: Mapping[str, Any], transports: Transports
) -> dict[str, str]:
    timestamp = int(transports.clock.now().timestamp())
    return {
        "Content-Type": "application/json",
        "webhook-id": delivery_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign(delivery_id, timestamp, body, [parse_secret(config["secret"])]),
    }


def _outcome(response: requests.Response, deadline: float) -> Outcome:
    try:
        content = read_capped(response, RESPONSE_LIMIT, deadline)
    except TooLarge:
        # The receiver has answered; that it answers at length is no reason to send again.
        return http_outcome(response.status_code)
    except (requests.RequestException, OSError) as error:
        return Outcome(classify(error), response.status_code)
    excerpt = content[:EXCERPT_BYTES].decode("utf-8", "replace").replace("\0", "")
    return http_outcome(response.status_code, excerpt or None)


KIND = Webhook()
