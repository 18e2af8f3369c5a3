"""The port that every kind of channel implements, and what it may use."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Protocol

from jinja2 import Environment
from pydantic import BaseModel

from core.clock import Clock
from core.egress import EgressPolicy
from core.egress.exchange import PushAnswer, PushRequest
from core.store.states import ChannelState
from notifiers.mail_options import MailOptions
from notifiers.mailer import MailTransport
from notifiers.notice import Notice
from notifiers.outcome import Outcome

CONNECT_SECONDS = 5.0
TRANSFER_SECONDS = 15.0


@dataclass(frozen=True)
class Transports:
    """The ways out of this process, and what rendering needs."""

    mail: MailTransport | None
    mail_from: str
    templates: Environment
    egress: EgressPolicy
    clock: Clock
    user_agent: str = "Clarion"
    public_url: str | None = None
    mail_options: MailOptions = MailOptions()  # noqa: RUF009 (frozen)


class ChannelKind(Protocol):
    """A kind of channel: its fields, and one try of sending."""

    name: ClassVar[str]
    queue: ClassVar[str]
    initial_state: ClassVar[ChannelState]
    fields: ClassVar[type[BaseModel]]

    def configure(self, fields: Any, egress: EgressPolicy) -> dict[str, Any]:
        """Return the configuration to seal; raises FieldError naming what is wrong."""

    def target(self, config: Mapping[str, Any]) -> str:
        """Return what makes two channels of this kind the same."""

    def view(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return what may be shown of a configuration."""


class Pusher(Protocol):
    """A channel opened for pushing: its configuration read once, so that each request is made quickly."""

    @property
    def origin(self) -> str:
        """Scheme, host and port that it is pushed to."""

    def body(self, notice: Notice, templates: Environment) -> bytes:
        """Return what is pushed of a notice, the same bytes on every try."""

    def request(self, message_id: str, body: bytes, now: datetime) -> PushRequest:
        """Return the request of one message, signed as of `now`."""

    def outcome(self, answer: PushAnswer, now: datetime) -> Outcome:
        """Say how a push ended."""


class PushKind(ChannelKind, Protocol):
    """A kind whose messages are POSTed by the delivery engine."""

    def open(self, config: Mapping[str, Any]) -> Pusher:
        """Read a configuration; raises ValueError when it is not one of this kind."""


class SendKind(ChannelKind, Protocol):
    """A kind that sends by itself, in a thread of its own."""

    def send(self, notice: Notice, config: Mapping[str, Any], transports: Transports) -> Outcome | None:
        """Try once, and say how it ended; never raises for what the other side does.

        None means that it was not tried, since it may not be sent as things are now: the ledger looks again.
        """
