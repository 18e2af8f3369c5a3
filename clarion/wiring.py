"""The only composition root: which parts make up each role, and which backends they get."""

import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from importlib.metadata import version

import fetcher.sources
import notifiers.channels
from api.app import create_app, create_health_app
from api.services import Services
from clarion.process import leave_out_of_collections
from clarion.roles import ApiRole, FetcherRole, HealthRole, RouterRole, WorkerRole
from core.bus.backend import connect_bus
from core.bus.ports import Bus
from core.clock import SystemClock
from core.egress import EgressPolicy, Transfer, guarded_session
from core.errors import ConfigurationError
from core.ids import new_id
from core.mail_links import MailLinks
from core.registry import discover
from core.settings import Settings
from core.signing import MailTokens, SecretBox
from core.store import consents
from core.store.engine import Store, open_store
from core.store.instances import InstanceInfo
from core.store.partitions import ensure_partitions_ahead
from fetcher.discovery import FeedFinder
from fetcher.hosts import HostGate
from fetcher.leadership import Leadership
from fetcher.outbox import Outbox
from fetcher.parsing.sandbox import Sandbox
from fetcher.poller import Poller
from fetcher.pushed import PushedDocuments
from fetcher.scheduling import LeaderJob, Schedule
from fetcher.sources.base import PolledKind, SourceKind
from fetcher.websub import HubRequests
from notifiers.channels.base import ChannelKind, Transports
from notifiers.channels.email import Email
from notifiers.confirmation_mail import ConfirmationMails
from notifiers.delivery import DeliveryService, DeliverySettings
from notifiers.dkim_signing import dkim_signer
from notifiers.lines import Bounds
from notifiers.local_mailbox import LocalMailbox
from notifiers.mail_options import MailOptions
from notifiers.mailer import MailTransport, mail_transport
from notifiers.owner_notices import Installation, OwnerNotices
from notifiers.rendering import template_environment
from notifiers.sweep import Sweep
from notifiers.testing import ChannelTester
from router.service import Router
from router.subscriptions_index import SubscriptionsIndex
from router.upkeep import Upkeep

VERSION = version("clarion")
SWEEP_SECONDS = 0.5
OUTBOX_SECONDS = 1.0
NOTICES_SECONDS = 5.0
PUSHED_SECONDS = 1.0
HUBS_SECONDS = 10.0
CONFIRMATIONS_SECONDS = 1.0
PARTITIONS_SECONDS = 3_600.0
COMPILE_SECONDS = 10.0
FORGET_SECONDS = 3_600.0
CUT_SECONDS = 600.0
LONGEST_SPACING_OF_SEARCHES = 1.0  # while somebody waits


@dataclass(frozen=True)
class Wiring:
    """Makes the parts of one process, each once, from its settings."""

    settings: Settings
    role: str

    @cached_property
    def store(self) -> Store:
        """The database."""
        if self.settings.database_url is None:
            raise ConfigurationError("CLARION_DATABASE_URL: required, as in postgresql://user@host/clarion")
        return open_store(self.settings.database_url.get_secret_value())

    @cached_property
    def bus(self) -> Bus:
        """The broker."""
        if self.settings.broker_url is None:
            raise ConfigurationError("CLARION_BROKER_URL: required, as in amqp://user:password@host/")
        return connect_bus(self.settings.broker_url.get_secret_value())

    @cached_property
    def clock(self) -> SystemClock:
        """The time."""
        return SystemClock()

    @cached_property
    def box(self) -> SecretBox:
        """What encrypts secrets at rest."""
        if self.settings.secret_key is None:
            raise ConfigurationError("CLARION_SECRET_KEY: required")
        return SecretBox.from_setting(self.settings.secret_key.get_secret_value())

    @cached_property
    def egress(self) -> EgressPolicy:
        """What may be contacted for users."""
        return EgressPolicy(self.settings.egress_allow, self.settings.egress_ports)

    @cached_property
    def channel_kinds(self) -> dict[str, ChannelKind]:
        """Every kind of channel there is."""
        kinds: dict[str, ChannelKind] = discover(notifiers.channels, "KIND")
        return kinds | {"email": Email(ask_dns=self.settings.mail_ask_dns)}

    @cached_property
    def source_kinds(self) -> dict[str, SourceKind]:
        """Every kind of source there is."""
        return discover(fetcher.sources, "KIND")

    @property
    def polled_kinds(self) -> dict[str, PolledKind]:
        """Every kind of source that is asked for its articles."""
        return {name: kind for name, kind in self.source_kinds.items() if isinstance(kind, PolledKind)}

    @cached_property
    def instance(self) -> InstanceInfo:
        """What this process says of itself."""
        return InstanceInfo(new_id("ins"), self.role, socket.gethostname(), VERSION, self.clock.now())

    @property
    def readiness(self) -> dict[str, Callable[[], None]]:
        """What must answer for this process to do its work."""
        return {"database": self.store.ping, "broker": self.bus.ping}

    def api(self, host: str, port: int) -> ApiRole:
        """Return the role that serves HTTP."""
        served_at = f"http://{host}:{port}"
        services = Services(
            store=self.store,
            clock=self.clock,
            box=self.box,
            channel_kinds=self.channel_kinds,
            source_kinds=self.source_kinds,
            feed_finder=self._feed_finder(),
            egress=self.egress,
            publisher=self.bus.publisher(),
            announcer=self.bus.announcer(),
            channel_tester=ChannelTester(
                self.channel_kinds,
                lambda: Transfer(self.egress, self._user_agent),
                self._transports(served_at),
            ),
            mail_tokens=self.mail_tokens,
            mailbox=self._mailbox,
            readiness=self.readiness,
            public_url=self.settings.public_url or served_at,
            secret_overlap_seconds=self.settings.secret_overlap_seconds,
            version=VERSION,
        )
        return ApiRole(create_app(services), host, port)

    def fetcher(self, served_at: str = "") -> FetcherRole:
        """Return the role that campaigns for leadership and, leading, polls and sweeps.

        Links in mails lead to `served_at` where no public URL is set; raises ConfigurationError without both.
        """
        reign = Schedule(
            self.store,
            self._poller().poll,
            self._leader_jobs(served_at),
            frozenset(self.polled_kinds),
            self.clock,
            self.settings.poll_threads,
            at_end=self._sandbox.close,
        )
        return FetcherRole(Leadership(self.store, reign, self.instance.id, self.settings.lease_seconds))

    def _poller(self) -> Poller:
        key = self.settings.newsapi_key
        return Poller(
            self.store,
            guarded_session(self.egress, user_agent=self._user_agent),
            self.polled_kinds,
            self._outbox,
            self.clock,
            parse=self._sandbox.parse,
            secrets={"newsapi_key": key.get_secret_value()} if key else {},
            gate=HostGate(self.settings.host_spacing_seconds),
            backfill=self.settings.backfill,
            # Without a public URL no hub could reach us.
            seal=self._seal if self.settings.public_url else None,
        )

    def _feed_finder(self) -> FeedFinder:
        return FeedFinder(
            guarded_session(self.egress, user_agent=self._user_agent),
            self.polled_kinds["feed"],
            self.clock,
            HostGate(min(self.settings.host_spacing_seconds, LONGEST_SPACING_OF_SEARCHES)),
            run=self._sandbox.run,
        )

    @cached_property
    def _sandbox(self) -> Sandbox:
        return Sandbox(self.settings.parser_processes)

    @cached_property
    def _outbox(self) -> Outbox:
        return Outbox(self.store, self.bus.publisher(), self.clock)

    def _leader_jobs(self, served_at: str) -> list[LeaderJob]:
        sweep = Sweep(self.store, self.bus.task_queue(), self.clock)
        upkeep = Upkeep(self.store, self.clock)
        asking = ConfirmationMails(self.store, self._transports(served_at), self.box)
        return [
            LeaderJob("sweep", sweep, SWEEP_SECONDS),
            LeaderJob("outbox", self._outbox, OUTBOX_SECONDS),
            LeaderJob("notices", self._owner_notices(served_at), NOTICES_SECONDS),
            LeaderJob("pushed documents", self._pushed_documents(), PUSHED_SECONDS),
            *self._hub_requests(),
            LeaderJob("confirmations", asking, CONFIRMATIONS_SECONDS),
            LeaderJob("old confirmations", asking.forget_old, FORGET_SECONDS),
            LeaderJob("partitions", lambda _grant: ensure_partitions_ahead(self.store), PARTITIONS_SECONDS),
            LeaderJob("compiled queries", upkeep.compile_queries, COMPILE_SECONDS),
            LeaderJob("unused queries", upkeep.forget_queries, FORGET_SECONDS),
            LeaderJob("revision log", upkeep.cut_log, CUT_SECONDS),
        ]

    def _seal(self, secret: str) -> str:
        return self.box.encrypt(secret)

    def _pushed_documents(self) -> PushedDocuments:
        return PushedDocuments(self.store, self.polled_kinds, self._sandbox.parse, self._outbox, self.clock)

    def _hub_requests(self) -> list[LeaderJob]:
        if self.settings.public_url is None:
            return []
        send = Transfer(self.egress, self._user_agent).perform
        duty = HubRequests(self.store, send, self.egress, self.box, self.settings.public_url, self.clock)
        return [LeaderJob("hubs", duty, HUBS_SECONDS)]

    def _owner_notices(self, served_at: str) -> OwnerNotices:
        return OwnerNotices(
            self.store,
            self.channel_kinds,
            self._transports(served_at),
            self.box,
            Transfer(self.egress, self._user_agent).perform,
            Installation(self.settings.contact, self.settings.public_url),
        )

    def router(self) -> RouterRole:
        """Return the role that matches articles."""
        index = SubscriptionsIndex(loaded=leave_out_of_collections)
        router = Router(self.store, self.bus.task_queue(), self.clock, index)
        return RouterRole(router, self.bus.consumer(), self.bus.listener())

    def worker(self, served_at: str = "") -> WorkerRole:
        """Return the role that pushes; `served_at` as for `fetcher`."""
        service = DeliveryService(
            self.store,
            self.bus.task_queue(),
            self.channel_kinds,
            self._transports(served_at),
            self.box,
            instance=self.instance.id,
            settings=DeliverySettings(
                self.settings.retry_schedule,
                timedelta(days=self.settings.failing_days),
                Bounds(total=self.settings.worker_connections),
            ),
            clock=self.clock,
        )
        return WorkerRole(self.bus.task_broker, service, self.settings.worker_threads)

    def _transports(self, served_at: str) -> Transports:
        return Transports(
            mail=self._mail,
            mail_from=self.settings.mail_from or "",
            templates=template_environment(),
            egress=self.egress,
            clock=self.clock,
            user_agent=self._user_agent,
            public_url=self.settings.public_url,
            mail_options=self._mail_options(served_at),
        )

    @cached_property
    def _mail(self) -> MailTransport | None:
        url = self.settings.smtp_url
        return mail_transport(url.get_secret_value()) if url else None

    @property
    def _mailbox(self) -> LocalMailbox | None:
        return self._mail if isinstance(self._mail, LocalMailbox) else None

    @property
    def keeps_mail(self) -> bool:
        """Whether mail stays on this machine."""
        return self._mailbox is not None

    def _mail_options(self, served_at: str) -> MailOptions:
        public_url = self.settings.public_url or served_at
        if self.settings.smtp_url and not public_url:
            raise ConfigurationError(
                "CLARION_PUBLIC_URL: required with CLARION_SMTP_URL: links in mails lead there"
            )
        return MailOptions(
            reply_to=self.settings.mail_reply_to,
            bounce_address=self.settings.mail_bounces,
            links=MailLinks(public_url, self.mail_tokens),
            still_wanted=self._is_wanted,
            sign=self._dkim_signer,
        )

    @cached_property
    def mail_tokens(self) -> MailTokens:
        """What makes the links in mails."""
        if self.settings.secret_key is None:
            raise ConfigurationError("CLARION_SECRET_KEY: required")
        return MailTokens(self.settings.secret_key.get_secret_value())

    def _is_wanted(self, channel_id: str, target_hash: str) -> bool:
        with self.store.read() as session:
            return consents.is_wanted(session, channel_id, target_hash)

    @cached_property
    def _dkim_signer(self) -> Callable[[bytes], bytes] | None:
        domain, selector, key = (
            self.settings.dkim_domain,
            self.settings.dkim_selector,
            self.settings.dkim_key,
        )
        return dkim_signer(domain, selector, key.get_secret_value()) if domain and selector and key else None

    @property
    def _user_agent(self) -> str:
        about = f"; +{self.settings.public_url}" if self.settings.public_url else ""
        return f"Clarion/{VERSION} (news alerts{about})"

    def health(self, port: int) -> HealthRole:
        """Return the probes of a role that serves no API."""
        return HealthRole(create_health_app(self.readiness), "0.0.0.0", port)  # noqa: S104 (probes come from outside)

    def close(self) -> None:
        """Close what was opened."""
        for part in ("_sandbox", "_mail", "bus", "store"):
            if vars(self).get(part) is not None:
                getattr(self, part).close()
