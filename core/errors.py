"""Errors that cross rooms, and the closed list of reasons for which a delivery did not succeed."""

from enum import StrEnum


class ClarionError(Exception):
    """Base of the errors that are meant for people: the message says what to do."""


class ConfigurationError(ClarionError):
    """A setting is missing or wrong; the message names its variable."""


class Unavailable(ClarionError):
    """A server that this process needs does not answer at present."""


class PublishError(Unavailable):
    """The broker did not confirm a message, so it must be published again."""


class UnreadableMessage(ClarionError):
    """A message from outside that can never be processed; `reason` says why, briefly."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason


class FieldError(ValueError):
    """A field of somebody's input that cannot be accepted; the message is in people's words."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class Reason(StrEnum):
    """Why an attempt or a delivery ended other than delivered; also the metric label."""

    DNS = "dns"
    REFUSED = "refused"
    RESET = "reset"
    TLS = "tls"
    TIMEOUT = "timeout"
    BLOCKED = "blocked"
    PROTOCOL = "protocol"
    STATUS_3XX = "status_3xx"
    STATUS_4XX = "status_4xx"
    STATUS_5XX = "status_5xx"
    GONE = "gone"
    FAILING = "failing"
    THROTTLED = "throttled"
    TOO_LARGE = "too_large"
    REJECTED = "rejected"
    BOUNCED = "bounced"
    MISCONFIGURED = "misconfigured"
    SUPERSEDED = "superseded"
    CHANNEL_DELETED = "channel_deleted"
    UNSUBSCRIBED = "unsubscribed"
    EMPTY = "empty"
    INTERNAL = "internal"
