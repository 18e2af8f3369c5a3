"""The long tail of services, by the library Apprise, where its optional extra is installed.

Apprise says only whether a message was taken, not why it was not, and sleeps between requests; it also opens
connections of its own. So it serves only services whose hosts are fixed, and only what has no kind here.
"""

import logging
import re
from collections.abc import Mapping
from importlib import import_module
from types import ModuleType
from typing import Any, ClassVar
from urllib.parse import parse_qsl

from jinja2 import Environment
from pydantic import BaseModel

from core.egress import EgressPolicy
from core.errors import FieldError, Reason
from core.store.states import ChannelState
from core.store.turns import STRICT
from notifiers.channels.base import Transports
from notifiers.chat import COLLAPSE_SECONDS, QUEUE, ChatFields, rendered
from notifiers.chat_items import tellings
from notifiers.notice import Notice
from notifiers.outcome import Outcome

# Services whose hosts stand in Apprise's own source: nobody can have it contact one of their choice.
SCHEMES = frozenset(
    {
        "dingtalk",
        "feishu",
        "flock",
        "guilded",
        "ifttt",
        "join",
        "lark",
        "line",
        "msgbird",
        "opsgenie",
        "pagerduty",
        "pbul",
        "pover",
        "prowl",
        "signl4",
        "spush",
        "twilio",
        "vonage",
        "wecombot",
        "wxteams",
    }
)
KNOWN = ", ".join(f"{scheme}://" for scheme in sorted(SCHEMES))
# Others could lift timeouts and the checking of certificates, or name files of this machine.
PARAMETERS = frozenset({"priority", "sound", "region", "to"})
SERVICE_SECONDS = 30.0
NOT_INSTALLED = "channels of this kind need the extra “apprise”, as in: pip install 'clarion[apprise]'"
_SCHEME = re.compile(r"([a-z0-9]+)://[!-~]+")
_log = logging.getLogger("apprise")


class AppriseKind:
    """A service that Apprise knows."""

    name: ClassVar[str] = "apprise"
    queue: ClassVar[str] = QUEUE
    initial_state: ClassVar[ChannelState] = ChannelState.ACTIVE
    fields: ClassVar[type[BaseModel]] = ChatFields
    orderable: ClassVar[bool] = True
    ordering: ClassVar[str] = STRICT
    rate_limit: ClassVar[float] = 1.0
    collapse_seconds: ClassVar[float] = COLLAPSE_SECONDS

    def configure(self, fields: Any, _egress: EgressPolicy) -> dict[str, Any]:
        """Check that the URL is one that Apprise takes, of a service that is open."""
        match = _SCHEME.fullmatch(fields.url)
        if match is None or match[1] not in SCHEMES:
            raise FieldError("url", f"must begin with one of: {KNOWN}")
        closed = {name for name, _value in _parameters(fields.url)} - PARAMETERS
        if closed:
            raise FieldError("url", f"may have no parameters but {', '.join(sorted(PARAMETERS))}")
        library = _library()
        if library is None:
            raise FieldError("kind", NOT_INSTALLED)
        if _service(library, fields.url) is None:
            raise FieldError("url", f"this is no URL that Apprise takes for {match[1]}://")
        return {"url": fields.url}

    def target(self, config: Mapping[str, Any]) -> str:
        """Return the URL."""
        return str(config["url"])

    def view(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return which service it is; the rest of the URL is made of keys."""
        return {"url": config["url"].partition("://")[0] + "://…"}

    def send(self, notice: Notice, config: Mapping[str, Any], transports: Transports) -> Outcome:
        """Hand a message to Apprise once."""
        library = _library()
        service = _service(library, config["url"]) if library else None
        if service is None:
            return Outcome(
                Reason.MISCONFIGURED, excerpt=NOT_INSTALLED if library is None else "no such service"
            )
        title, body = _texts(notice, transports.templates, service.title_maxlen or 250, service.body_maxlen)
        if service.notify(title=title, body=body):
            return Outcome()
        return Outcome(Reason.PROTOCOL, excerpt="the service has not taken it; Apprise does not say why")


def _parameters(url: str) -> list[tuple[str, str]]:
    return parse_qsl(url.partition("?")[2], keep_blank_values=True)


def _library() -> ModuleType | None:
    try:
        library = import_module("apprise")
    except ImportError:
        return None
    # What it logs may hold URLs, which are made of keys.
    _log.setLevel(logging.CRITICAL + 1)
    return library


def _service(library: ModuleType, url: str) -> Any:
    asset = library.AppriseAsset(
        app_id="Clarion", storage_mode="memory", secure_logging=True, service_timeout=SERVICE_SECONDS
    )
    return library.Apprise.instantiate(url, asset=asset)


def _texts(notice: Notice, templates: Environment, title_limit: int, body_limit: int) -> tuple[str, str]:
    """Return the longest title and text that the service takes."""
    title = body = ""
    for telling in tellings(notice):
        alone = len(telling.items) == 1 and not telling.more
        title = telling.brief if alone else telling.heading
        body = rendered(templates, "plain.txt", telling=telling, alone=alone) or title
        if len(title) <= title_limit and len(body) + len(title) <= body_limit:
            break
    return title[:title_limit], body


KIND = AppriseKind()
