"""An engine whose results a test can wait for, and pushes for it."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment

from core.clock import SystemClock
from core.egress import EgressPolicy, PushAnswer, PushRequest, origin_of
from notifiers.engine import Push, Pushed, PushEngine
from notifiers.notice import Notice
from notifiers.outcome import Outcome, push_outcome
from tests.unit.core.loopback_servers import LOOPBACK_OPEN


@dataclass(frozen=True)
class Posting:
    """Pushes a body to a URL."""

    url: str

    @property
    def origin(self) -> str:
        """Where it goes."""
        return origin_of(self.url)

    def body(self, notice: Notice, templates: Environment) -> bytes:
        """Return nothing."""
        return b""

    def outcome(self, answer: PushAnswer, now: datetime) -> Outcome:
        """Go by the status."""
        return push_outcome(answer, now)

    def request(self, message_id: str, body: bytes, now: datetime) -> PushRequest:
        """Return the request, unsigned."""
        return PushRequest(self.url, [f"webhook-id: {message_id}"], body)


class Broken(Posting):
    """Fails to say what to push."""

    def request(self, message_id: str, body: bytes, now: datetime) -> PushRequest:
        """Raise."""
        raise ValueError("a pusher that nobody tested")


def push_to(url: str, job: str = "", channel: str | None = None, **more: Any) -> Push[str]:
    """Return a push, of a channel of its own unless told otherwise."""
    parts = urlsplit(url)
    origin = f"{parts.scheme}://{parts.netloc}"
    return Push(f"dlv_{job}", channel or url, origin, Posting(url), b"{}", job, **more)


class Results:
    """What an engine handed over."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._pushed: list[Pushed[str]] = []

    def __call__(self, pushed: Sequence[Pushed[str]]) -> None:
        """Take some, from the engine's thread."""
        with self._changed:
            self._pushed += pushed
            self._changed.notify_all()

    @property
    def all(self) -> list[Pushed[str]]:
        """Return what there is, in the order in which it came."""
        with self._changed:
            return list(self._pushed)

    def wait_for(self, count: int) -> list[Pushed[str]]:
        """Return all there is once that is `count`, in the order in which it came."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self._pushed) >= count, 60)
            return list(self._pushed)


@contextmanager
def running(
    policy: EgressPolicy = LOOPBACK_OPEN, **settings: Any
) -> Iterator[tuple[PushEngine[str], Results]]:
    """Run an engine, and cut off what is left at the end."""
    results = Results()
    engine = PushEngine(policy, results, SystemClock(), **({"user_agent": "Clarion/test"} | settings))
    engine.start()
    yield engine, results
    engine.stop(0)
