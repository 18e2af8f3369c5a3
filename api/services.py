"""Everything that the API stands on, handed to the application factory."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import cast

from flask import current_app

from api.ports import ChannelKindPort, SourceKindPort
from core.bus.ports import ArticlePublisher
from core.clock import Clock
from core.egress import EgressPolicy
from core.signing import SecretBox
from core.store.engine import Store

EXTENSION = "clarion"


@dataclass(frozen=True)
class Services:
    """The API's dependencies; each check of `readiness` raises Unavailable while its server is away."""

    store: Store
    clock: Clock
    box: SecretBox
    channel_kinds: Mapping[str, ChannelKindPort]
    source_kinds: Mapping[str, SourceKindPort]
    egress: EgressPolicy
    publisher: ArticlePublisher
    readiness: Mapping[str, Callable[[], None]] = field(default_factory=dict)
    public_url: str = ""
    version: str = ""


def services() -> Services:
    """Return the services of the application that handles the present request."""
    return cast(Services, current_app.extensions[EXTENSION])
