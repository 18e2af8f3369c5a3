"""Telling owners what has happened, on both databases, with a mail server and a webhook's receiver."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import ip_network

import pytest
from sqlalchemy import select, update
from structlog.testing import capture_logs

import notifiers.channels
from core.egress import EgressPolicy, Transfer
from core.egress.exchange import PushAnswer, PushRequest
from core.errors import Reason
from core.registry import discover
from core.signing import parse_secret, sign
from core.store import channels, leases, notices, source_states, sources
from core.store.channels import NewChannel
from core.store.engine import Store
from core.store.leases import Grant, LeaseLost
from core.store.models import Account, Channel, Lease, Notice, Source
from core.store.notices import TRIES, NoticeKind
from core.store.sources import NewSource
from core.store.states import ChannelState
from notifiers.channels.base import ChannelKind, Transports
from notifiers.mailer import mail_transport
from notifiers.owner_notices import Installation, OwnerNotices, Perform
from notifiers.rendering import template_environment
from tests.contract.world import NOON, SECRET, World
from tests.mailbox import DROP, Mailbox
from tests.receiver.answers import Respond
from tests.receiver.server import Receiver

LOOPBACK_OPEN = EgressPolicy((ip_network("127.0.0.0/8"),))
OPERATOR = "operator@example.com"
OWNER = "owner@example.org"
FAILING = "https://hooks.example.com/services/secret"


def post(request: PushRequest) -> PushAnswer:
    """Push as the leader does."""
    transfer = Transfer(LOOPBACK_OPEN, "Clarion test")
    try:
        return transfer.perform(request)
    finally:
        transfer.close()


@dataclass
class Owners(World):
    """A world whose owners are told."""

    mailbox: Mailbox = field(default_factory=Mailbox)

    def job(
        self, *, contact: str | None = OPERATOR, smtp: bool = True, perform: Perform = post
    ) -> OwnerNotices:
        """Return the leader's job."""
        transports = Transports(
            mail=mail_transport(self.mailbox.url) if smtp else None,
            mail_from="Clarion <news@example.com>",
            templates=template_environment(),
            egress=EgressPolicy(),
            clock=self.clock,
        )
        kinds: dict[str, ChannelKind] = discover(notifiers.channels, "KIND")
        installation = Installation(contact, "https://news.example.com")
        return OwnerNotices(self.store, kinds, transports, self.box, perform, installation)

    def owner(self, contact: str | None = None, name: str = "readers") -> str:
        """Make an account with a contact."""
        account = self.account(name)
        with self.store.write() as session:
            session.execute(update(Account).where(Account.id == account).values(contact=contact))
        return account

    def mail_channel(self, account: str, address: str, state: ChannelState = ChannelState.ACTIVE) -> str:
        """Make a mail channel."""
        new = NewChannel("email", "email", address, state, {"address": address})
        with self.store.write() as session:
            return channels.add(session, self.box, account, new, self.clock.now()).id

    def disable(self, account: str, channel: str, reason: Reason = Reason.GONE) -> str:
        """Disable a channel as a delivery does, recording the notice."""
        now = self.clock.now()
        with self.store.write() as session:
            session.get_one(Channel, channel).state = ChannelState.DISABLED
            return notices.record(
                session,
                account_id=account,
                channel_id=channel,
                kind=NoticeKind.CHANNEL_DISABLED,
                reason=reason,
                text="The receiver answered 410 Gone.",
                now=now,
            ).id

    def disabled(self, account: str, url: str = FAILING) -> str:
        """Make a webhook and disable it; return the notice's id."""
        return self.disable(account, self.webhook(account, url, state=ChannelState.ACTIVE))

    def notice(self, notice_id: str) -> Notice:
        """Return a notice as it is now."""
        with self.store.read() as session:
            return session.get_one(Notice, notice_id)

    def state_of(self, notice_id: str) -> tuple[datetime | None, datetime | None, str | None, int]:
        """Return (told, due, problem, tries)."""
        one = self.notice(notice_id)
        return one.told_at, one.due_at, one.problem, one.tries


@pytest.fixture
def owners(store: Store, mailbox: Mailbox) -> Owners:
    return Owners(store, mailbox=mailbox)


@pytest.fixture
def grant(store: Store) -> Grant:
    granted = leases.acquire(store, "leader", "me", 600)
    assert granted is not None
    return granted


def told_by_mail(owners: Owners) -> list[str]:
    return [recipient for mail in owners.mailbox.mails for recipient in mail.recipients]


def lost_source(owners: Owners, account: str | None) -> str:
    """Have a source disabled; return the notice's id."""
    new = NewSource("feed", "https://feeds.example.org/news", "The <Feed>", None, owners.clock.now())
    with owners.store.write() as session:
        source, _ = sources.find_or_create(session, account, new, owners.clock.now())
        source_states.disable(session, source, Reason.GONE, "It answered 410 Gone.", owners.clock.now())
        return session.execute(select(Notice.id)).scalar_one()


# --- recording


def test_what_is_recorded_is_one_line_that_every_database_takes(owners: Owners) -> None:
    with owners.store.write() as session:
        made = notices.record(
            session,
            account_id=None,
            channel_id=None,
            kind=NoticeKind.CHANNEL_DISABLED,
            reason=None,
            text="It said:\r\n\0\ud83d " + "x" * 2_000,
            now=NOON,
        )
    text = owners.notice(made.id).text
    assert text.startswith("It said: \ufffd x")
    assert len(text) == notices.TEXT_CHARACTERS


# --- whom


def test_the_accounts_address_is_told_once(owners: Owners, grant: Grant) -> None:
    notice = owners.disabled(owners.owner(OWNER))
    job = owners.job()
    with capture_logs() as logs:
        job(grant)
    job(grant)
    (mail,) = owners.mailbox.mails
    assert mail.recipients == (OWNER,)
    assert mail.message["Message-ID"] == f"<{notice}@example.com>"
    assert mail.message["Subject"] == "Channel disabled: webhook hooks.example.com"
    assert b"secret" not in mail.content
    assert owners.state_of(notice) == (NOON, None, None, 1)
    assert [(line["event"], line["notice"]) for line in logs] == [("owner told", notice)]


def test_without_a_contact_of_the_account_the_installations_is_told(owners: Owners, grant: Grant) -> None:
    owners.disabled(owners.owner())
    owners.job()(grant)
    assert told_by_mail(owners) == [OPERATOR]


def test_without_any_contact_it_is_kept_to_be_looked_at(owners: Owners, grant: Grant) -> None:
    notice = owners.disabled(owners.owner())
    with capture_logs() as logs:
        owners.job(contact=None)(grant)
    assert owners.state_of(notice) == (None, None, "no contact is set", 0)
    assert [(line["event"], line["notice"]) for line in logs] == [("owner not told", notice)]
    owners.job()(grant)
    assert owners.mailbox.mails == []


def test_a_webhook_gets_an_event_that_is_signed(owners: Owners, grant: Grant, receiver: Receiver) -> None:
    account = owners.account()
    owners.owner(owners.webhook(account, f"{receiver.url}/contact"))
    failing = owners.webhook(account, FAILING)
    notice = owners.disable(account, failing)
    owners.clock.advance(seconds=3)
    owners.job()(grant)

    (request,) = receiver.requests_for("/contact")
    assert request.header("webhook-id") == notice
    assert request.json() == {
        "type": "channel.disabled",
        "timestamp": "2026-03-01T12:00:00Z",
        "data": {
            "channel": {"id": failing, "kind": "webhook"},
            "reason": "gone",
            "text": "The receiver answered 410 Gone.",
        },
    }
    headers = {name.lower(): value for name, value in request.headers}
    timestamp, signature = headers["webhook-timestamp"], headers["webhook-signature"]
    signed = sign(notice, int(timestamp), request.body, [parse_secret(SECRET)])
    assert (int(timestamp), signature) == (int(owners.clock.now().timestamp()), signed)
    assert owners.mailbox.mails == []
    assert owners.state_of(notice) == (owners.clock.now(), None, None, 1)


def test_a_mail_channel_gets_a_mail(owners: Owners, grant: Grant) -> None:
    account = owners.account()
    owners.owner(owners.mail_channel(account, OWNER))
    owners.disabled(account)
    owners.job()(grant)
    assert told_by_mail(owners) == [OWNER]


@pytest.mark.parametrize("state", [ChannelState.UNVERIFIED, ChannelState.PAUSED, ChannelState.DISABLED])
def test_a_channel_that_is_not_active_is_passed_over(
    owners: Owners, grant: Grant, state: ChannelState
) -> None:
    account = owners.account()
    owners.owner(owners.mail_channel(account, OWNER, state))
    owners.disabled(account)
    owners.job()(grant)
    assert told_by_mail(owners) == [OPERATOR]


def test_the_channel_itself_is_not_told_of_its_end(owners: Owners, grant: Grant, receiver: Receiver) -> None:
    account = owners.account()
    failing = owners.webhook(account, f"{receiver.url}/failing")
    owners.owner(failing)
    owners.disable(account, failing)
    owners.job()(grant)
    assert receiver.requests == []
    assert told_by_mail(owners) == [OPERATOR]


def test_a_mail_channels_own_address_is_passed_over(owners: Owners, grant: Grant) -> None:
    account = owners.owner(OWNER)
    owners.disable(account, owners.mail_channel(account, OWNER), Reason.REJECTED)
    owners.job()(grant)
    (mail,) = owners.mailbox.mails
    assert mail.recipients == (OPERATOR,)
    assert mail.message["Subject"] == "Channel disabled: email o…@example.org"


def test_a_contact_that_was_deleted_is_passed_over(owners: Owners, grant: Grant) -> None:
    account = owners.owner("ch_deleted")
    owners.disabled(account)
    owners.job()(grant)
    assert told_by_mail(owners) == [OPERATOR]


def test_a_channel_that_was_deleted_meanwhile_is_nothing_to_tell(owners: Owners, grant: Grant) -> None:
    account = owners.owner(OWNER)
    notice = owners.disable(account, owners.webhook(account, FAILING))
    with owners.store.write() as session:
        session.delete(session.execute(select(Channel)).scalar_one())
    owners.job()(grant)
    assert owners.mailbox.mails == []
    told, due, problem, _ = owners.state_of(notice)
    assert (told, due) == (None, None)
    assert "deleted" in (problem or "")


# --- trying again


def test_a_mail_that_is_not_taken_is_tried_again_until_it_is(owners: Owners, grant: Grant) -> None:
    notice = owners.disabled(owners.owner(OWNER))
    owners.mailbox.answer("RCPT", "450 4.2.1 Mailbox of the owner is busy", times=2)
    job = owners.job()
    with capture_logs() as logs:
        job(grant)
    assert owners.state_of(notice) == (None, NOON + timedelta(minutes=1), "mail: throttled (status 450)", 1)
    assert [(line["event"], line["log_level"]) for line in logs] == [("owner not told", "warning")]

    owners.clock.advance(seconds=59)
    job(grant)
    assert owners.notice(notice).tries == 1
    owners.clock.advance(seconds=1)
    job(grant)
    assert owners.notice(notice).due_at == owners.clock.now() + timedelta(minutes=2)
    owners.clock.advance(minutes=2)
    job(grant)
    assert told_by_mail(owners) == [OWNER]
    assert owners.state_of(notice) == (owners.clock.now(), None, None, 3)


def test_what_cannot_be_told_is_given_up_and_says_why(owners: Owners, grant: Grant) -> None:
    notice = owners.disabled(owners.owner(OWNER))
    owners.mailbox.answer("MAIL", DROP)
    job, waits = owners.job(), []
    while (due := owners.notice(notice).due_at) is not None:
        waits.append(due - owners.clock.now())
        owners.clock.advance(seconds=(due - owners.clock.now()).total_seconds())
        job(grant)
    assert [wait.total_seconds() / 60 for wait in waits] == [0, 1, 2, 4, 8, 16, 32, 64, 128, 256]
    assert owners.state_of(notice) == (None, None, "mail: reset", TRIES)


def test_without_a_mail_server_it_says_so(owners: Owners, grant: Grant) -> None:
    notice = owners.disabled(owners.owner(OWNER))
    owners.job(smtp=False)(grant)
    assert owners.notice(notice).problem == "mail: misconfigured"


@pytest.mark.parametrize("status", [301, 404, 410, 503])
def test_only_a_2xx_is_a_webhook_that_was_told(
    owners: Owners, grant: Grant, receiver: Receiver, status: int
) -> None:
    account = owners.account()
    owners.owner(owners.webhook(account, receiver.script("/contact", Respond(status), Respond(204))))
    notice = owners.disabled(account)
    job = owners.job()
    job(grant)
    assert owners.notice(notice).problem == f"webhook: not accepted (status {status})"
    owners.clock.advance(minutes=1)
    job(grant)
    first, second = receiver.requests_for("/contact")
    assert (first.body, first.header("webhook-id")) == (second.body, second.header("webhook-id"))
    assert owners.state_of(notice) == (owners.clock.now(), None, None, 2)


def test_a_webhook_that_is_not_reached(owners: Owners, grant: Grant, receiver: Receiver) -> None:
    account = owners.account()
    owners.owner(owners.webhook(account, f"{receiver.url}/contact"))
    notice = owners.disabled(account)
    receiver.stop()
    owners.job()(grant)
    assert owners.notice(notice).problem == "webhook: refused"


# --- fairness and faults


def test_one_of_each_account_in_a_pass_and_the_longest_waiting_first(owners: Owners, grant: Grant) -> None:
    many, few = owners.owner("many@example.org", "many"), owners.owner("few@example.org", "few")
    for number in range(3):
        owners.disabled(many, f"{FAILING}/{number}")
        owners.clock.advance(seconds=1)
    owners.disabled(few)
    job = owners.job()
    job(grant)
    assert told_by_mail(owners) == ["many@example.org", "few@example.org"]
    job(grant)
    job(grant)
    job(grant)
    assert told_by_mail(owners).count("many@example.org") == 3
    assert len(owners.mailbox.mails) == 4


def test_a_pass_is_bounded(owners: Owners) -> None:
    for number in range(4):
        owners.disabled(owners.owner(OWNER, f"account {number}"))
        owners.clock.advance(seconds=1)
    with owners.store.write() as session:
        due = notices.take_due(session, owners.clock.now(), 3)
    assert [one.account.name for one in due if one.account] == ["account 0", "account 1", "account 2"]


def test_a_notice_that_breaks_keeps_no_other_from_being_told(owners: Owners, grant: Grant) -> None:
    broken = owners.disabled(owners.owner(OWNER, "broken"))
    with owners.store.write() as session:
        session.execute(update(Channel).values(sealed="not what was sealed"))
    owners.clock.advance(seconds=1)
    owners.disabled(owners.owner(OWNER, "sound"))
    with capture_logs() as logs:
        owners.job()(grant)
    assert told_by_mail(owners) == [OWNER]
    assert owners.notice(broken).problem == "internal: UndecryptableSecret"
    assert owners.notice(broken).due_at == owners.clock.now() + timedelta(minutes=1)
    assert "a notice failed" in [line["event"] for line in logs]


# --- who may


def depose(owners: Owners) -> None:
    with owners.store.write() as session:
        session.execute(update(Lease).values(expires_at=NOON.replace(year=2020)))
    assert leases.acquire(owners.store, "leader", "another", 600) is not None


def test_a_deposed_leader_tells_nobody(owners: Owners, grant: Grant) -> None:
    notice = owners.disabled(owners.owner(OWNER))
    depose(owners)
    with pytest.raises(LeaseLost):
        owners.job()(grant)
    assert owners.mailbox.mails == []
    assert owners.state_of(notice) == (None, NOON, None, 0)


def test_a_leader_that_is_deposed_while_it_sends_writes_nothing(
    owners: Owners, grant: Grant, receiver: Receiver
) -> None:
    account = owners.account()
    owners.owner(owners.webhook(account, f"{receiver.url}/contact"))
    notice = owners.disabled(account)

    def post_and_lose(request: PushRequest) -> PushAnswer:
        depose(owners)
        return post(request)

    with pytest.raises(LeaseLost):
        owners.job(perform=post_and_lose)(grant)
    assert owners.state_of(notice) == (None, NOON, None, 0)


# --- sources


def test_who_runs_the_installation_is_told_of_its_sources(owners: Owners, grant: Grant) -> None:
    notice = lost_source(owners, None)
    for _ in range(2):
        owners.job()(grant)
    (mail,) = owners.mailbox.mails
    assert mail.recipients == (OPERATOR,)
    body = mail.message.get_body(("plain",))
    assert body is not None
    text = body.get_content()
    assert "The <Feed>" in text
    assert "It answered 410 Gone." in text
    source = owners.notice(notice).source_id
    assert f"POST https://news.example.com/v1/sources/{source}/enable" in text
    assert owners.notice(notice).told_at == NOON


def test_an_account_is_told_of_its_own_source(owners: Owners, grant: Grant, receiver: Receiver) -> None:
    account = owners.owner()
    contact = owners.webhook(account, receiver.url + "/contact")
    with owners.store.write() as session:
        session.execute(update(Account).where(Account.id == account).values(contact=contact))
    notice = lost_source(owners, account)
    owners.job()(grant)
    (request,) = receiver.wait_for(1, path="/contact")
    event = request.json()
    assert (event["type"], event["data"]["reason"]) == ("source.disabled", "gone")
    assert event["data"]["source"] == {"id": owners.notice(notice).source_id, "kind": "feed"}
    assert owners.mailbox.mails == []


def test_a_source_that_was_deleted_meanwhile_is_nothing_to_tell(owners: Owners, grant: Grant) -> None:
    notice = lost_source(owners, None)
    with owners.store.write() as session:
        for source in session.query(Source):
            session.delete(source)
    owners.job()(grant)
    assert owners.state_of(notice)[1:3] == (None, "the source was deleted before its owner was told")
    assert owners.mailbox.mails == []
