"""The whole API over each kind of database, with the kinds of channels and sources that there are."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from ipaddress import ip_network
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

import fetcher.sources
import notifiers.channels
from api.app import create_app
from api.services import Services
from core.bus.ports import TaskQueue
from core.clock import ManualClock
from core.egress import EgressPolicy
from core.errors import ClarionError, PublishError, Unavailable
from core.message import ArticleMessage
from core.registry import discover
from core.signing import MailTokens, SecretBox
from core.store import accounts
from core.store.engine import Store
from fetcher.discovery import FoundFeed
from notifiers.testing import Trial
from router.service import Router

START = datetime.now(UTC).replace(microsecond=0)
_numbers = itertools.count(1)


class RecordingPublisher:
    """A broker's place: keeps what was published, or refuses it while it is `away`."""

    def __init__(self) -> None:
        self.away = False
        self.messages: list[ArticleMessage] = []

    def publish(self, message: ArticleMessage) -> None:
        if self.away:
            raise PublishError("the broker is away")
        self.messages.append(message)

    def publish_many(self, messages: Sequence[ArticleMessage]) -> list[PublishError | None]:
        for message in messages:
            self.publish(message)
        return [None] * len(messages)

    def close(self) -> None:
        """Nothing is held."""


class CountingAnnouncer:
    """Counts announcements, in none of which a transaction may be open."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.count = 0

    def announce(self) -> None:
        with self._store.write():
            self.count += 1

    def close(self) -> None:
        """Nothing is held."""


class ScriptedTester:
    """A channel tester's place: keeps what was tested, and answers with `result`."""

    def __init__(self) -> None:
        self.result = Trial(status=204, duration_ms=7)
        self.tested: list[tuple[str, str]] = []

    def test(self, kind_name: str, config: Mapping[str, Any]) -> Trial:
        self.tested.append((kind_name, config.get("url", "")))
        return self.result


class ScriptedFinder:
    """A feed finder's place: keeps what was looked for, and answers with `feeds` or `failure`."""

    def __init__(self) -> None:
        self.feeds: list[FoundFeed] = []
        self.failure: ClarionError | None = None
        self.asked: list[str] = []

    def find(self, url: str) -> list[FoundFeed]:
        self.asked.append(url)
        if self.failure:
            raise self.failure
        return self.feeds


class NoTasks:
    """Where batches go when no worker is part of the test."""

    def enqueue(self, kind: str, day: str, ids: Sequence[str]) -> None:
        """Leave the batch to the ledger."""


@dataclass
class Client:
    """Sends JSON with one key."""

    app: Flask
    key: str | None
    account_id: str = ""

    def call(self, method: str, path: str, json: Any = None, **more: Any) -> TestResponse:
        headers = dict(more.pop("headers", {}))
        if self.key is not None:
            headers.setdefault("Authorization", f"Bearer {self.key}")
        if json is not None:
            more["json"] = json
        return self.app.test_client().open(path, method=method, headers=headers, **more)

    def get(self, path: str, **more: Any) -> TestResponse:
        return self.call("GET", path, **more)

    def post(self, path: str, json: Any = None, **more: Any) -> TestResponse:
        return self.call("POST", path, json, **more)

    def put(self, path: str, json: Any = None, **more: Any) -> TestResponse:
        return self.call("PUT", path, json, **more)

    def patch(self, path: str, json: Any = None, **more: Any) -> TestResponse:
        return self.call("PATCH", path, json, **more)

    def delete(self, path: str, **more: Any) -> TestResponse:
        return self.call("DELETE", path, **more)


@dataclass
class Api:
    """An application with everything that a test may want to look at or turn."""

    app: Flask
    store: Store
    clock: ManualClock
    publisher: RecordingPublisher
    announcer: CountingAnnouncer
    tester: ScriptedTester = field(default_factory=ScriptedTester)
    finder: ScriptedFinder = field(default_factory=ScriptedFinder)
    failing: set[str] = field(default_factory=set)

    def account(self, *, administrator: bool = False, name: str | None = None) -> Client:
        """Return a client of a fresh account."""
        now = self.clock.now()
        with self.store.write() as session:
            account_id = accounts.ensure_account(session, name or f"account {next(_numbers)}", now)
            _, key = accounts.create_key(
                session, account_id, now, administrator=administrator, expires_at=None
            )
        return Client(self.app, key, account_id)

    def anonymous(self) -> Client:
        """Return a client without a key."""
        return Client(self.app, None)

    def route(self, tasks: TaskQueue | None = None) -> None:
        """Have everything that was published routed, as the router does."""
        router = Router(self.store, tasks or NoTasks(), self.clock)
        waiting, self.publisher.messages = self.publisher.messages, []
        for message in waiting:
            router.handle(message.encode())

    def check(self, name: str) -> None:
        """Be a readiness check."""
        if name in self.failing:
            raise Unavailable(f"secret words about {name}")


@pytest.fixture
def api(store: Store) -> Api:
    """The API on a fresh database."""
    clock, publisher = ManualClock(START), RecordingPublisher()
    made = Api(Flask("none"), store, clock, publisher, CountingAnnouncer(store))
    services = Services(
        store=store,
        clock=clock,
        box=SecretBox(["x" * 32]),
        channel_kinds=discover(notifiers.channels, "KIND"),
        channel_tester=made.tester,
        source_kinds=discover(fetcher.sources, "KIND"),
        feed_finder=made.finder,
        egress=EgressPolicy((ip_network("127.0.0.0/8"),)),
        publisher=publisher,
        announcer=made.announcer,
        mail_tokens=MailTokens("x" * 32),
        readiness={name: partial(made.check, name) for name in ("database", "broker")},
        public_url="http://127.0.0.1",
        version="1",
    )
    made.app = create_app(services)
    return made


@pytest.fixture
def admin(api: Api) -> Client:
    """An administrator."""
    return api.account(administrator=True, name="default")


@pytest.fixture
def client(api: Api) -> Client:
    """An account's client."""
    return api.account()


@pytest.fixture
def other(api: Api) -> Client:
    """Another account's client."""
    return api.account()
