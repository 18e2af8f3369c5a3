"""The port that every kind of channel implements, and what it may use."""

import smtplib
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import requests
from jinja2 import Environment
from pydantic import BaseModel

from core.clock import Clock
from core.egress import EgressPolicy
from core.store.states import ChannelState
from notifiers.notice import Notice
from notifiers.outcome import Outcome

CONNECT_SECONDS = 5.0
TRANSFER_SECONDS = 15.0
RESPONSE_LIMIT = 64 * 1024


@dataclass(frozen=True)
class Transports:
    """The ways out of this process, and what rendering needs."""

    http: requests.Session
    mail: Callable[[], AbstractContextManager[smtplib.SMTP]] | None
    mail_from: str
    templates: Environment
    egress: EgressPolicy
    clock: Clock


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

    def send(self, notice: Notice, config: Mapping[str, Any], transports: Transports) -> Outcome:
        """Try once, and say how it ended; never raises for what the other side does."""
