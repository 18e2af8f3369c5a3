"""Nobody gets news who has not agreed, and whoever has may leave: over the API, by mail and on pages."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import ip_network

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

import notifiers.channels
from core.egress import EgressPolicy
from core.errors import Unavailable
from core.mail_links import MailLinks
from core.registry import discover
from core.signing import MailTokens, SecretBox
from core.store import confirmations, consents, leases
from core.store.engine import Store
from core.store.leases import Grant
from core.store.models import Attempt, Channel, Confirmation, Delivery
from core.store.partitions import ensure_partition
from notifiers.channels.base import Transports
from notifiers.confirmation_mail import ConfirmationMails
from notifiers.delivery import DeliveryService, DeliverySettings
from notifiers.mail_options import MailOptions
from notifiers.mailer import mail_transport
from notifiers.rendering import template_environment
from tests.contract.api.answers import ok, problem
from tests.contract.api.conftest import Api, Client
from tests.contract.world import RecordingTasks
from tests.mailbox import Mailbox

READER = "reader@example.org"
EMAIL = {"kind": "email", "address": READER}
LINK = re.compile(r"http://clarion\.test(/mail/(\w+)/\S+)")


@dataclass
class Post:
    """The API with a leader that asks and a worker that sends, to a mailbox."""

    api: Api
    mailbox: Mailbox
    transports: Transports
    tasks: RecordingTasks = field(default_factory=RecordingTasks)

    def ask(self) -> None:
        """Run the leader's job once."""
        granted = leases.acquire(self.api.store, "leader", "me", 600)
        assert granted is not None
        self._job(granted)

    def forget_old(self) -> None:
        """Run the leader's other job once."""
        granted = leases.acquire(self.api.store, "leader", "me", 600)
        assert granted is not None
        ConfirmationMails(self.api.store, self.transports, SecretBox(["x" * 32])).forget_old(granted)

    def _job(self, grant: Grant) -> None:
        ConfirmationMails(self.api.store, self.transports, SecretBox(["x" * 32]))(grant)

    def link(self, purpose: str, recipient: str = READER) -> str:
        """Return the path of the newest link of a kind that a reader was sent."""
        for mail in reversed(self.mailbox.mails_for(recipient)):
            body = mail.message.get_body(("plain",))
            assert body is not None
            for path, kind in LINK.findall(body.get_content()):
                if kind == purpose:
                    return str(path)
        raise AssertionError(f"no link to {purpose}")

    @property
    def browser(self) -> FlaskClient:
        """Somebody without a key or a cookie."""
        return self.api.app.test_client(use_cookies=False)

    def publish(self, client: Client, id_: str = "a1", title: str = "Kubernetes") -> None:
        """Publish an article and have it routed."""
        ok(client.post("/v1/articles", {"id": id_, "version": 1, "title": title}), 201)
        self.api.route(self.tasks)

    def deliver(self, between: "Interruption | None" = None) -> None:
        """Have everything sent that was enqueued."""
        transports = self.transports
        if between is not None:
            transports = between.into(transports)
        service = DeliveryService(
            self.api.store,
            self.tasks,
            discover(notifiers.channels, "KIND"),
            transports,
            SecretBox(["x" * 32]),
            instance="ins_1",
            settings=DeliverySettings((10,)),
            clock=self.api.clock,
        )
        service.start()
        waiting, self.tasks.batches = self.tasks.batches, []
        for _kind, batch_id, ids in waiting:
            service.deliver(batch_id, ids)
        assert service.wait_until_idle(30)
        service.close(1.0)

    def states(self) -> list[tuple[str, str | None]]:
        """Return state and reason of every delivery by mail."""
        with self.api.store.read() as session:
            rows = session.execute(select(Delivery).where(Delivery.queue == "email").order_by(Delivery.id))
            return [(row.state, row.reason) for row in rows.scalars()]

    def subscribed(self, client: Client, *queries: str) -> str:
        """Subscribe the reader and have them confirm; return the channel's id."""
        for query in queries or ("kubernetes",):
            made = ok(client.post("/v1/subscriptions", {"query": query, "channel": EMAIL}), 201)
        self.ask()
        assert self.browser.post(self.link("confirm")).status_code == 200
        return str(made["channel_id"])


@dataclass
class Interruption:
    """Something that happens after a worker has claimed a mail and before it asks whether it may go."""

    api: Api
    path: str
    form: dict[str, str] = field(default_factory=dict)

    def into(self, transports: Transports) -> Transports:
        """Return transports with which it happens."""

        def meanwhile(channel_id: str, hashed: str) -> bool:
            self.api.app.test_client().post(self.path, data=self.form)
            with self.api.store.read() as session:
                return consents.is_wanted(session, channel_id, hashed)

        options = MailOptions(links=transports.mail_options.links, still_wanted=meanwhile)
        return Transports(**(vars(transports) | {"mail_options": options}))


@pytest.fixture
def post(api: Api, mailbox: Mailbox, store: Store) -> Iterator[Post]:
    """The API, its leader and its worker."""
    ensure_partition(store, api.clock.now().date())
    mail = mail_transport(mailbox.url)
    yield Post(
        api,
        mailbox,
        Transports(
            mail=mail,
            mail_from="Clarion <news@example.com>",
            templates=template_environment(),
            egress=EgressPolicy((ip_network("127.0.0.0/8"),)),
            clock=api.clock,
            mail_options=MailOptions(links=MailLinks("http://clarion.test", MailTokens("x" * 32))),
        ),
    )
    mail.close()


def state(client: Client, channel_id: str) -> tuple[str, str | None]:
    shown = ok(client.get(f"/v1/channels/{channel_id}"))
    return shown["state"], shown["state_reason"]


# --- asking


def test_a_new_address_gets_one_mail_that_asks_and_nothing_else(post: Post, client: Client) -> None:
    made = ok(client.post("/v1/subscriptions", {"query": "kubernetes", "channel": EMAIL}), 201)
    post.publish(client)
    post.deliver()
    post.ask()
    post.ask()
    (mail,) = post.mailbox.mails
    assert mail.message["Subject"] == "Please confirm: news from Clarion"
    assert mail.message["List-Unsubscribe"] is None
    shown = ok(client.get(f"/v1/channels/{made['channel_id']}"))
    assert shown["state"] == "unverified"
    assert shown["confirmation"]["sent_at"] is not None
    assert shown["confirmation"]["confirmed_at"] is None


def test_scanners_that_follow_the_link_confirm_nothing(post: Post, client: Client) -> None:
    made = ok(client.post("/v1/channels", EMAIL), 201)
    post.ask()
    for method in ("GET", "HEAD", "OPTIONS"):
        answer = post.browser.open(post.link("confirm"), method=method)
        assert answer.status_code == 200
    assert state(client, made["id"]) == ("unverified", None)


def test_the_pages_button_confirms_without_a_cookie_and_as_often_as_one_likes(
    post: Post, client: Client
) -> None:
    made = ok(client.post("/v1/subscriptions", {"query": "kubernetes", "channel": EMAIL}), 201)
    post.ask()
    path = post.link("confirm")
    page = post.browser.get(path)
    assert "kubernetes" in page.text
    assert '<form method="post">' in page.text
    for _ in range(2):
        answer = post.browser.post(path)
        assert answer.status_code == 200
        assert "Set-Cookie" not in answer.headers
        assert "You are on the list" in answer.text
    assert state(client, made["channel_id"]) == ("active", None)
    assert ok(client.get(f"/v1/channels/{made['channel_id']}"))["confirmation"]["confirmed_at"] is not None
    post.publish(client)
    post.deliver()
    assert [mail.message["Subject"] for mail in post.mailbox.mails][1:] == ["Kubernetes"]


def test_who_was_confirmed_before_the_mail_went_is_not_asked(post: Post, admin: Client) -> None:
    made = ok(admin.post("/v1/channels", EMAIL), 201)
    ok(admin.post(f"/v1/channels/{made['id']}/enable"))
    post.ask()
    assert post.mailbox.mails == []


def test_a_server_that_is_away_is_tried_again(post: Post, client: Client) -> None:
    made = ok(client.post("/v1/channels", EMAIL), 201)
    post.mailbox.answer("RCPT", "451 4.3.0 Try again later", times=1)
    post.ask()
    shown = ok(client.get(f"/v1/channels/{made['id']}"))["confirmation"]
    assert (shown["sent_at"], shown["problem"]) == (None, "throttled (status 451)")
    post.ask()
    assert post.mailbox.mails == []
    post.api.clock.advance(minutes=1)
    post.ask()
    assert len(post.mailbox.mails) == 1


def test_an_address_that_is_refused_is_not(post: Post, client: Client) -> None:
    made = ok(client.post("/v1/channels", EMAIL), 201)
    post.mailbox.answer("RCPT", "550 5.1.1 No such user", times=1)
    post.ask()
    post.api.clock.advance(days=1)
    post.ask()
    assert post.mailbox.mails == []
    shown = ok(client.get(f"/v1/channels/{made['id']}"))["confirmation"]
    assert shown["problem"] == "rejected (status 550)"


def test_asking_again_is_limited(post: Post, client: Client) -> None:
    path = f"/v1/channels/{ok(client.post('/v1/channels', EMAIL), 201)['id']}/send-confirmation"
    refused = client.post(path)
    problem(refused, 429)
    assert refused.headers["Retry-After"] == "600"
    for _ in range(confirmations.MOST_OF_ACCOUNT - 1):
        post.api.clock.advance(minutes=10)
        assert "confirmation" in ok(client.post(path), 202)
    post.api.clock.advance(days=29)
    problem(client.post(path), 429)
    post.ask()
    assert len(post.mailbox.mails) == confirmations.MOST_OF_ACCOUNT


def test_making_the_channel_anew_evades_no_limit(post: Post, client: Client) -> None:
    for _ in range(3):
        made = ok(client.post("/v1/channels", EMAIL), 201)
        ok(client.post("/v1/channels", EMAIL), 200)
        post.ask()
        ok(client.delete(f"/v1/channels/{made['id']}"), 204)
    assert len(post.mailbox.mails) == 1


def test_many_accounts_together_are_limited_too(post: Post) -> None:
    for _ in range(confirmations.MOST_OF_ALL + 2):
        ok(post.api.account().post("/v1/channels", EMAIL), 201)
    for _ in range(3):
        post.ask()
    assert len(post.mailbox.mails) == confirmations.MOST_OF_ALL


def test_an_account_that_asks_many_does_not_keep_others_waiting(
    post: Post, client: Client, other: Client
) -> None:
    for number in range(30):
        ok(client.post("/v1/channels", {"kind": "email", "address": f"r{number}@example.org"}), 201)
    ok(other.post("/v1/channels", EMAIL), 201)
    post.ask()
    assert len(post.mailbox.mails_for(READER)) == 1
    assert len(post.mailbox.mails) == 11


def test_a_changed_address_is_asked_and_the_old_ones_link_says_nothing_for_it(
    post: Post, client: Client
) -> None:
    channel_id = post.subscribed(client)
    old = post.link("confirm")
    ok(client.patch(f"/v1/channels/{channel_id}", {"address": "new@example.org"}))
    assert "not known here" in post.browser.post(old).text
    assert state(client, channel_id) == ("unverified", None)
    post.ask()
    post.browser.post(post.link("confirm", "new@example.org"))
    assert state(client, channel_id) == ("active", None)


def test_strangers_are_sent_no_advertisement(post: Post, client: Client) -> None:
    for query in ("kubernetes", '"win at http://casino.example"', "x" * 500):
        ok(client.post("/v1/subscriptions", {"query": query, "channel": EMAIL}), 201)
    post.ask()
    body = post.mailbox.mails[0].message.get_body(("plain",))
    assert body is not None
    content = body.get_content()
    assert "kubernetes" in content
    assert "and 1 more" in content
    assert "casino" not in content
    assert "x" * 60 not in content


def test_what_limits_no_more_is_forgotten_but_not_who_agreed(
    post: Post, client: Client, other: Client
) -> None:
    post.subscribed(client)
    ok(other.post("/v1/channels", EMAIL), 201)
    post.ask()
    post.api.clock.advance(days=30)
    post.forget_old()
    with post.api.store.read() as session:
        left = session.execute(select(Confirmation)).scalars().all()
    assert [one.confirmed_at is not None for one in left] == [True]


# --- leaving


def test_one_click_unsubscribes_without_a_cookie_and_as_often_as_one_likes(
    post: Post, client: Client
) -> None:
    channel_id = post.subscribed(client)
    post.publish(client)
    post.deliver()
    header = str(post.mailbox.mails[-1].message["List-Unsubscribe"])
    path = header.removeprefix("<http://clarion.test").removesuffix(">")
    assert path == post.link("unsubscribe")
    assert post.browser.get(path).status_code == 200
    assert state(client, channel_id) == ("active", None)
    for _ in range(2):
        answer = post.browser.post(path, data={"List-Unsubscribe": "One-Click"})
        assert answer.status_code == 200
        assert "Set-Cookie" not in answer.headers
        assert state(client, channel_id) == ("unverified", "unsubscribed")
    post.publish(client, "a2")
    post.deliver()
    assert len(post.mailbox.mails) == 2


def test_what_is_waiting_when_somebody_unsubscribes_is_not_sent(post: Post, client: Client) -> None:
    post.subscribed(client)
    post.publish(client)
    post.deliver()
    post.publish(client, "a2")
    post.browser.post(post.link("unsubscribe"))
    post.deliver()
    assert len(post.mailbox.mails) == 2
    assert post.states() == [("delivered", None), ("cancelled", "unsubscribed")]


def test_what_a_worker_has_claimed_when_somebody_unsubscribes_is_not_sent(post: Post, client: Client) -> None:
    post.subscribed(client)
    post.publish(client)
    post.deliver()
    post.publish(client, "a2")
    post.deliver(Interruption(post.api, post.link("unsubscribe")))
    assert len(post.mailbox.mails) == 2
    assert post.states() == [("delivered", None), ("cancelled", "unsubscribed")]


def test_a_row_that_was_made_while_somebody_unsubscribed_is_cancelled(post: Post, client: Client) -> None:
    channel_id = post.subscribed(client)
    post.publish(client)
    with post.api.store.write() as session:
        channel = session.get_one(Channel, channel_id)
        channel.state, channel.state_reason = "unverified", "unsubscribed"
    post.deliver()
    assert post.states() == [("cancelled", "unsubscribed")]


def test_what_a_worker_has_claimed_when_the_reader_pauses_waits(post: Post, client: Client) -> None:
    post.subscribed(client)
    post.publish(client)
    post.deliver()
    post.publish(client, "a2")
    path = post.link("manage")
    post.deliver(Interruption(post.api, path, {"action": "pause"}))
    assert len(post.mailbox.mails) == 2
    assert [one for one, _reason in post.states()] == ["delivered", "pending"]


def test_nobody_but_the_reader_brings_back_who_has_left(post: Post, admin: Client) -> None:
    channel_id = post.subscribed(admin)
    post.publish(admin)
    post.deliver()
    path = post.link("unsubscribe")
    post.browser.post(path)
    for call in ("enable", "resume", "pause"):
        problem(admin.post(f"/v1/channels/{channel_id}/{call}"), 409)
    ok(admin.post("/v1/subscriptions", {"query": "more", "channel": EMAIL}), 201)
    post.api.clock.advance(hours=1)
    post.ask()
    assert len(post.mailbox.mails) == 2
    assert "send it again" in post.browser.get(path).text
    post.browser.post(path, data={"action": "again"})
    assert state(admin, channel_id) == ("active", None)


@pytest.mark.parametrize("purpose", ["confirm", "unsubscribe", "manage"])
def test_altered_tokens_are_refused(post: Post, client: Client, purpose: str) -> None:
    channel_id = post.subscribed(client)
    post.publish(client)
    post.deliver()
    before = state(client, channel_id)
    path = post.link(purpose)
    other_purpose = "/mail/unsubscribe/" if purpose != "unsubscribe" else "/mail/manage/"
    altered = [
        path[:-1] + ("A" if path[-1] != "A" else "B"),
        path[:-5],
        other_purpose + path.rpartition("/")[2],
    ]
    for one in altered:
        assert post.browser.get(one).status_code == 404
        assert post.browser.post(one, data={"action": "erase"}).status_code == 404
    assert state(client, channel_id) == before


# --- the page for everything else


def test_the_reader_drops_a_topic(post: Post, client: Client) -> None:
    post.subscribed(client, "kubernetes", "python")
    post.publish(client)
    post.deliver()
    path = post.link("manage")
    page = post.browser.get(path).text
    assert "kubernetes" in page
    assert "python" in page
    dropped = re.search(r'value="(sub_\w+)"', page)
    assert dropped is not None
    for _ in range(2):
        answer = post.browser.post(path, data={"action": "drop", "subscription": dropped[1]})
        assert answer.status_code == 200
        assert "kubernetes" not in answer.text
    assert [one["query"] for one in ok(client.get("/v1/subscriptions"))["data"]] == ["python"]
    post.publish(client, "a2")
    post.deliver()
    assert len(post.mailbox.mails) == 2


def test_nobody_drops_the_topics_of_others(post: Post, client: Client) -> None:
    post.subscribed(client)
    post.publish(client)
    post.deliver()
    hook = {"kind": "webhook", "url": "http://127.0.0.1:9/"}
    theirs = ok(client.post("/v1/subscriptions", {"query": "x", "channel": hook}), 201)
    post.browser.post(post.link("manage"), data={"action": "drop", "subscription": theirs["id"]})
    assert len(ok(client.get("/v1/subscriptions"))["data"]) == 2


def test_the_reader_pauses_and_only_the_reader_resumes(post: Post, client: Client) -> None:
    channel_id = post.subscribed(client)
    post.publish(client)
    post.deliver()
    path = post.link("manage")
    assert "paused" in post.browser.post(path, data={"action": "pause"}).text
    assert state(client, channel_id) == ("paused", "reader")
    problem(client.post(f"/v1/channels/{channel_id}/resume"), 409)
    post.publish(client, "a2")
    post.deliver()
    assert len(post.mailbox.mails) == 2
    post.browser.post(path, data={"action": "resume"})
    assert state(client, channel_id) == ("active", None)
    assert [one for one, _reason in post.states()] == ["delivered", "pending"]


def test_what_the_account_has_paused_the_reader_does_not_resume(post: Post, client: Client) -> None:
    channel_id = post.subscribed(client)
    post.publish(client)
    post.deliver()
    ok(client.post(f"/v1/channels/{channel_id}/pause"))
    page = post.browser.post(post.link("manage"), data={"action": "resume"}).text
    assert "by those who send it" in page
    assert 'value="resume"' not in page
    assert state(client, channel_id) == ("paused", None)


def test_the_reader_takes_their_data_along(post: Post, client: Client) -> None:
    post.subscribed(client)
    post.publish(client, title="Kubernetes & friends")
    post.deliver()
    answer = post.browser.get(post.link("manage") + "/export")
    assert answer.headers["Content-Disposition"].startswith("attachment")
    document = json.loads(answer.data)
    assert document["address"] == READER
    assert document["confirmed_at"] is not None
    assert [one["query"] for one in document["topics"]] == ["kubernetes"]
    assert [(one["title"], one["state"]) for one in document["mails"]] == [
        ("Kubernetes & friends", "delivered")
    ]


def test_erasing_leaves_nothing_of_the_reader(post: Post, client: Client) -> None:
    channel_id = post.subscribed(client)
    post.publish(client)
    post.deliver()
    path = post.link("manage")
    post.publish(client, "a2")
    assert post.browser.post(path, data={"action": "erase"}).status_code == 200
    post.deliver()
    assert len(post.mailbox.mails) == 2
    problem(client.get(f"/v1/channels/{channel_id}"), 404)
    with post.api.store.read() as session:
        for table in (Delivery, Attempt):
            assert session.execute(select(table)).first() is None
        (asked,) = session.execute(select(Confirmation)).scalars()
        assert (asked.confirmed_at, asked.problem) == (None, None)
    for purpose in ("manage", "unsubscribe", "confirm"):
        again = post.browser.post(post.link(purpose), data={"action": "erase"})
        assert again.status_code == 200
        assert "not known here" in again.text


def test_an_unknown_button_changes_nothing(post: Post, client: Client) -> None:
    channel_id = post.subscribed(client)
    post.publish(client)
    post.deliver()
    assert post.browser.post(post.link("manage"), data={"action": "explode"}).status_code == 400
    assert post.browser.post(post.link("manage")).status_code == 400
    assert state(client, channel_id) == ("active", None)


# --- what all pages have in common


def test_pages_are_closed_to_all_that_is_not_theirs(post: Post, client: Client) -> None:
    post.subscribed(client)
    post.publish(client)
    post.deliver()
    for path in (post.link("manage"), post.link("confirm"), "/mail/manage/nonsense"):
        answer = post.browser.get(path)
        policy = answer.headers["Content-Security-Policy"]
        nonce = re.search(r"style-src 'nonce-([^']+)'", policy)
        assert nonce is not None
        assert f'<style nonce="{nonce[1]}">' in answer.text
        for rule in ("default-src 'none'", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'"):
            assert rule in policy
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["X-Robots-Tag"] == "noindex, nofollow"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "<script" not in answer.text
        assert not re.search(r'\s(style|on\w+)="', answer.text)


def test_what_readers_are_shown_is_escaped(post: Post, client: Client) -> None:
    post.subscribed(client, '"<script>alert(1)</script>"', "kubernetes")
    post.publish(client)
    post.deliver()
    page = post.browser.get(post.link("manage")).text
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_a_database_that_is_away_is_said_on_a_page(
    post: Post, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    post.subscribed(client)
    path = post.link("confirm")

    def away(_store: Store) -> None:
        raise Unavailable("no database")

    monkeypatch.setattr(Store, "read", away)
    answer = post.browser.get(path)
    assert (answer.status_code, answer.mimetype) == (503, "text/html")
    assert answer.headers["Retry-After"] == "5"
