"""WebSub from the feed that names a hub to the article, with a scripted hub, over both databases."""

import hmac
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from sqlalchemy import select, update
from werkzeug.test import TestResponse

import fetcher.sources
from core.egress import GuardedSession, Transfer, guarded_session
from core.registry import discover
from core.signing import SecretBox
from core.store import hubs, leases, sources
from core.store.hubs import HubState
from core.store.leases import Grant, LeaseLost
from core.store.models import HubSubscription, Lease, PushedDocument, Source
from core.store.sources import NewSource
from fetcher.hosts import HostGate
from fetcher.outbox import Outbox
from fetcher.poller import Poller
from fetcher.pushed import PushedDocuments
from fetcher.sources.base import Document, FeedHints, ParsedDocument, PolledKind
from fetcher.websub import HubRequests
from tests.contract.api.answers import ok
from tests.contract.api.conftest import Api, Client
from tests.contract.desk import OPEN, ConfirmingPublisher, Post, feed, posts, rss
from tests.receiver import Receiver, Respond

PUBLIC_URL = "http://news.example/clarion"


@dataclass
class Feed:
    """The kind `feed`, of which every document names the hub that a test chose."""

    hints: FeedHints
    kind: Any

    def __getattr__(self, name: str) -> Any:
        return getattr(self.kind, name)

    def parse(self, *given: Any) -> ParsedDocument:
        read: ParsedDocument = self.kind.parse(*given)
        return ParsedDocument(read.items, read.title, read.language, read.more, self.hints)


@dataclass
class Desk:
    """A leader with one source, its hub, and the API that the hub calls."""

    api: Api
    receiver: Receiver
    poller: Poller
    pushed: PushedDocuments
    feed: Feed
    publisher: ConfirmingPublisher
    grant: Grant
    box: SecretBox
    source: str
    reader: Client

    def poll(self) -> None:
        self.poller.poll(self.source, self.grant)

    def ask(self) -> dict[str, str]:
        """Ask every hub that is due; return the form that arrived last."""
        send = Transfer(OPEN, "Clarion test").perform
        HubRequests(self.api.store, send, OPEN, self.box, PUBLIC_URL, self.api.clock)(self.grant)
        asked = self.receiver.requests_for("/hub")
        return dict(parse_qsl(asked[-1].body.decode())) if asked else {}

    def verify(self, form: dict[str, str], **changed: str) -> TestResponse:
        """Call back as the hub does; names without `hub.` before them."""
        given = {
            "mode": "subscribe",
            "topic": form["hub.topic"],
            "challenge": "c 1",
            "lease_seconds": "86400",
        }
        query = {f"hub.{name}": value for name, value in (given | changed).items()}
        return self.api.app.test_client().get(path_of(form), query_string=query)

    def push(self, form: dict[str, str], body: bytes, signature: str | None = None) -> TestResponse:
        """Push as the hub does, signed unless a signature is given."""
        signed = hmac.new(form["hub.secret"].encode(), body, "sha256").hexdigest()
        headers = {"Content-Type": "application/rss+xml", "X-Hub-Signature": signature or f"sha256={signed}"}
        return self.api.app.test_client().post(path_of(form), data=body, headers=headers)

    def take(self) -> list[tuple[str, int]]:
        """Take what was pushed; return what was told."""
        self.pushed(self.grant)
        return self.publisher.take()

    def row(self) -> HubSubscription:
        with self.api.store.read() as session:
            return session.get_one(HubSubscription, self.source)

    def is_pushed(self) -> bool:
        with self.api.store.read() as session:
            return hubs.is_pushed(session, self.source, self.api.clock.now())

    def shown(self) -> dict[str, Any]:
        """Return the source as the API shows it."""
        shown: dict[str, Any] = ok(self.reader.get(f"/v1/sources/{self.source}"))
        return shown

    def subscribed(self) -> dict[str, str]:
        """Poll, ask and verify; return the form that the hub got."""
        self.poll()
        self.publisher.take()
        form = self.ask()
        assert self.verify(form).status_code == 200
        return form

    def pass_time(self, **span: float) -> datetime:
        self.api.clock.advance(**span)
        return self.api.clock.now()


def parse(kind: PolledKind, document: Document, now: datetime) -> ParsedDocument:
    """Read without a process for it."""
    return kind.parse(document, now)


def path_of(form: dict[str, str]) -> str:
    return urlsplit(form["hub.callback"]).path.removeprefix("/clarion")


@pytest.fixture
def session() -> Iterator[GuardedSession]:
    with guarded_session(OPEN, user_agent="Clarion test") as guarded:
        yield guarded


@pytest.fixture
def desk(api: Api, receiver: Receiver, session: GuardedSession) -> Desk:
    store, clock, publisher = api.store, api.clock, ConfirmingPublisher()
    url = receiver.script("/feed", feed(posts(2)))
    receiver.script("/hub", Respond(202))
    with store.write() as transaction:
        new = NewSource("feed", url, "", None, clock.now())
        source = sources.find_or_create(transaction, None, new, clock.now())[0].id
    grant = leases.acquire(store, "leader", "me", 600)
    assert grant is not None
    box = api.app.extensions["clarion"].box
    kinds: dict[str, Any] = discover(fetcher.sources, "KIND")
    hinting = Feed(FeedHints(hub=f"{receiver.url}/hub", self_url="http://feed.example/topic"), kinds["feed"])
    kinds["feed"], outbox = hinting, Outbox(store, publisher, clock)
    poller = Poller(
        store,
        session,
        kinds,
        outbox,
        clock,
        parse=parse,
        secrets={},
        gate=HostGate(0),
        backfill=10,
        seal=box.encrypt,
    )
    pushed = PushedDocuments(store, kinds, parse, outbox, clock)
    return Desk(api, receiver, poller, pushed, hinting, publisher, grant, box, source, api.account())


def test_a_named_hub_is_asked_once(desk: Desk) -> None:
    desk.poll()
    form = desk.ask()
    assert form["hub.mode"] == "subscribe"
    assert form["hub.topic"] == "http://feed.example/topic"
    assert form["hub.callback"].startswith(f"{PUBLIC_URL}/websub/")
    assert len(form["hub.secret"]) == 64
    desk.poll()
    desk.ask()
    assert len(desk.receiver.requests_for("/hub")) == 1
    assert not desk.is_pushed()


def test_the_challenge_is_echoed_for_what_was_asked_and_for_nothing_else(desk: Desk) -> None:
    desk.poll()
    form = desk.ask()
    assert desk.verify(form, topic="http://other.example/").status_code == 404
    assert desk.verify(form, mode="unsubscribe").status_code == 404
    assert desk.verify({**form, "hub.callback": f"{PUBLIC_URL}/websub/guessed"}).status_code == 404
    assert desk.verify(form, challenge="").status_code == 400
    assert desk.row().state == HubState.WANTED
    answer = desk.verify(form, challenge="<b>1</b>")
    assert (answer.status_code, answer.text, answer.mimetype) == (200, "<b>1</b>", "text/plain")
    assert desk.is_pushed()
    assert desk.verify(form).status_code == 404  # nothing is asked any more


def test_what_is_pushed_is_told_once_however_it_comes(desk: Desk) -> None:
    form = desk.subscribed()
    fresh = [Post("new", "Just in"), *posts(2)]
    assert desk.push(form, rss(fresh)).status_code == 202
    assert desk.push(form, rss(fresh)).status_code == 202
    assert desk.take() == [("new", 1)]
    desk.receiver.script("/feed", feed(fresh))
    desk.poll()
    assert desk.publisher.take() == []
    assert desk.push(form, rss([Post("new", "Just in, corrected entirely")])).status_code == 202
    assert desk.take() == [("new", 2)]


@pytest.mark.parametrize("signature", ["sha256=00", "md5=00", "sha256", "x", "sha256=é"])
def test_a_wrong_signature_is_ignored_with_success(desk: Desk, signature: str) -> None:
    form = desk.subscribed()
    assert desk.push(form, rss([Post("forged", "Forged")]), signature).status_code == 202
    assert desk.take() == []


@pytest.mark.parametrize("method", ["sha1", "sha384", "SHA512"])
def test_every_method_of_the_recommendation_is_understood(desk: Desk, method: str) -> None:
    form, body = desk.subscribed(), rss([Post("new", "Just in")])
    signature = hmac.new(form["hub.secret"].encode(), body, method.lower()).hexdigest()
    desk.push(form, body, f"{method}={signature}")
    assert desk.take() == [("new", 1)]


def test_a_push_to_nobody_ends_it_at_the_hub(desk: Desk) -> None:
    form = {"hub.callback": f"{PUBLIC_URL}/websub/unknown", "hub.secret": "s"}
    assert desk.push(form, b"x").status_code == 410


def test_a_pushed_document_that_is_no_feed_hurts_nothing(desk: Desk) -> None:
    form = desk.subscribed()
    desk.push(form, b"<html>login</html>")
    desk.push(form, rss([Post("new", "Just in")]))
    assert desk.take() == [("new", 1)]
    with desk.api.store.read() as session:
        assert session.execute(select(PushedDocument)).all() == []


def test_too_many_waiting_documents_are_refused_for_now(desk: Desk) -> None:
    form = desk.subscribed()
    with desk.api.store.write() as session:
        for _ in range(hubs.MOST_WAITING):
            assert hubs.keep(session, desk.source, "", rss([]), desk.api.clock.now())
    assert desk.push(form, rss([Post("new", "Just in")])).status_code == 503
    assert desk.take() == []
    assert desk.push(form, rss([Post("new", "Just in")])).status_code == 202


def test_a_lease_is_renewed_before_it_ends(desk: Desk) -> None:
    form = desk.subscribed()
    desk.pass_time(hours=17)
    desk.ask()
    assert len(desk.receiver.requests_for("/hub")) == 1
    desk.pass_time(hours=2)
    renewed = desk.ask()
    assert renewed == form
    assert desk.is_pushed()
    assert desk.verify(renewed).status_code == 200
    assert desk.row().lease_until == desk.api.clock.now() + timedelta(days=1)


def test_while_a_hub_pushes_a_source_is_polled_daily(desk: Desk) -> None:
    desk.subscribed()
    desk.poll()
    due = desk.shown()["next_poll_at"]
    assert desk.shown()["interval_because"] == "pushed"
    assert timedelta(days=1) <= datetime.fromisoformat(due) - desk.api.clock.now() <= timedelta(days=1.1)


def test_a_lease_that_nobody_renews_ends_and_the_source_is_polled(desk: Desk) -> None:
    desk.subscribed()
    desk.poll()
    desk.receiver.script("/hub", Respond(500))
    for _ in range(12):
        desk.pass_time(hours=2)
        desk.ask()
    assert not desk.is_pushed()
    assert desk.row().state == HubState.WANTED
    assert datetime.fromisoformat(desk.shown()["next_poll_at"]) <= desk.api.clock.now()


def test_a_hub_that_refuses_is_asked_again_later_and_says_why(desk: Desk) -> None:
    desk.receiver.script("/hub", Respond(400, b"unknown topic"), Respond(500), Respond(202))
    desk.poll()
    waits = []
    for _ in range(2):
        desk.ask()
        row = desk.row()
        waits.append(row.next_step_at - desk.api.clock.now())
        desk.pass_time(seconds=waits[-1].total_seconds())
    assert waits == [timedelta(minutes=10), timedelta(minutes=20)]
    assert desk.row().last_error == "The hub refused with status 500"
    assert desk.verify(desk.ask()).status_code == 200
    assert (desk.row().last_error, desk.row().failures) == (None, 0)


def test_a_hub_that_never_verifies_is_asked_again(desk: Desk) -> None:
    desk.poll()
    desk.ask()
    desk.pass_time(minutes=61)
    desk.ask()
    assert len(desk.receiver.requests_for("/hub")) == 2
    assert "did not verify" in (desk.row().last_error or "")


def test_a_denied_subscription_is_asked_for_a_day_later(desk: Desk) -> None:
    form = desk.subscribed()
    assert desk.verify(form, mode="denied", reason="too\nmany").status_code == 200
    row = desk.row()
    assert (row.state, row.last_error) == (HubState.REFUSED, "The hub denies the subscription: too many")
    assert not desk.is_pushed()
    assert ok(desk.reader.get("/v1/sources"))["data"] == [desk.shown()]
    shown = desk.shown()["websub"]
    assert (shown["state"], shown["lease_until"], shown["last_error"]) == ("refused", None, row.last_error)
    desk.pass_time(days=1)
    assert desk.verify(desk.ask()).status_code == 200


def test_another_hub_is_asked_anew_and_none_ends_it(desk: Desk) -> None:
    form = desk.subscribed()
    desk.feed.hints = FeedHints(hub=f"{desk.receiver.url}/hub", self_url="http://feed.example/other")
    desk.poll()
    changed = desk.ask()
    assert changed["hub.callback"] != form["hub.callback"]
    assert changed["hub.secret"] != form["hub.secret"]
    assert desk.push(form, rss([])).status_code == 410
    desk.feed.hints = FeedHints()
    desk.poll()
    assert desk.push(changed, rss([])).status_code == 410


def test_a_hub_inside_is_not_contacted(desk: Desk) -> None:
    desk.feed.hints = FeedHints(hub="http://10.0.0.1/hub", self_url="http://feed.example/topic")
    desk.poll()
    assert desk.ask() == {}
    assert "may not be contacted" in (desk.row().last_error or "")


def test_a_secret_of_another_key_keeps_no_other_hub_from_being_asked(desk: Desk) -> None:
    desk.poll()
    desk.box = SecretBox.from_setting("another key of thirty-two letters")
    assert desk.ask() == {}
    assert "cannot be decrypted" in (desk.row().last_error or "")


def test_a_deposed_leader_takes_nothing(desk: Desk) -> None:
    form = desk.subscribed()
    desk.push(form, rss([Post("new", "Just in")]))
    with desk.api.store.write() as session:
        session.execute(update(Lease).values(expires_at=desk.api.clock.now() - timedelta(days=9_000)))
    assert leases.acquire(desk.api.store, "leader", "another", 600) is not None
    with pytest.raises(LeaseLost):
        desk.take()
    assert desk.publisher.take() == []


def test_a_deleted_source_takes_its_hub_along(desk: Desk) -> None:
    form = desk.subscribed()
    desk.push(form, rss([Post("new", "Just in")]))
    with desk.api.store.write() as session:
        session.delete(session.get_one(Source, desk.source))
    assert desk.take() == []
    assert desk.push(form, rss([])).status_code == 410
