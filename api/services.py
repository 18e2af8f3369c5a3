"""Everything that the API stands on, handed to the application factory."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from threading import BoundedSemaphore, Semaphore
from typing import cast

from flask import current_app

from api.ports import ChannelKindPort, ChannelTester, FeedFinder, MailboxPort, SourceKindPort
from core.bus.ports import Announcer, ArticlePublisher
from core.clock import Clock
from core.egress import EgressPolicy
from core.signing import MailTokens, SecretBox
from core.store.engine import Store

EXTENSION = "clarion"
TESTS_AT_ONCE = 3
SEARCHES_AT_ONCE = 2


@dataclass(frozen=True)
class Services:
    """The API's dependencies; each check of `readiness` raises Unavailable while its server is away.

    A rotated secret goes on signing, beside the new one, for `secret_overlap_seconds`.
    """

    store: Store
    clock: Clock
    box: SecretBox
    channel_kinds: Mapping[str, ChannelKindPort]
    channel_tester: ChannelTester
    source_kinds: Mapping[str, SourceKindPort]
    feed_finder: FeedFinder
    egress: EgressPolicy
    publisher: ArticlePublisher
    announcer: Announcer
    mail_tokens: MailTokens
    readiness: Mapping[str, Callable[[], None]] = field(default_factory=dict)
    public_url: str = ""
    secret_overlap_seconds: int = 86_400
    version: str = ""
    mailbox: MailboxPort | None = None
    # Each test and each search holds a thread of the server for as long as others take to answer.
    test_slots: Semaphore = field(default_factory=lambda: BoundedSemaphore(TESTS_AT_ONCE))
    search_slots: Semaphore = field(default_factory=lambda: BoundedSemaphore(SEARCHES_AT_ONCE))

    @property
    def secret_overlap(self) -> timedelta:
        """How long a rotated secret goes on signing."""
        return timedelta(seconds=self.secret_overlap_seconds)


def services() -> Services:
    """Return the services of the application that handles the present request."""
    return cast(Services, current_app.extensions[EXTENSION])
