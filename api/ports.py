"""What the API asks of other rooms; wiring hands it in."""

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

from pydantic import BaseModel

from core.egress import EgressPolicy
from core.store.states import ChannelState


class ChannelKindPort(Protocol):
    """A kind of channel, as far as the API makes and shows channels."""

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


class SourceKindPort(Protocol):
    """A kind of source, as far as the API makes and shows sources."""

    @property
    def name(self) -> str:
        """What the API calls this kind."""

    @property
    def default_interval_seconds(self) -> int:
        """How often a source that does not say is polled."""

    def check(self, url: str) -> None:
        """Raise ValueError, in words for people, if `url` cannot be a source of this kind."""
