"""One poll of a source, on both databases, over real sockets."""

from collections.abc import Sequence
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from sqlalchemy import delete

from core.egress import EgressPolicy, guarded_session
from core.errors import PublishError
from core.message import ArticleMessage
from core.store import accounts
from core.store.leases import LeaseLost
from core.store.models import Source
from tests.contract.desk import KEY, Desk, Post, feed, kind_that, posts, rss
from tests.contract.world import NOON
from tests.receiver import Answer, Close, Drip, Hang, Raw, Receiver, Reset, Respond, endless_body, redirect
from tests.servers import free_port

# --- what is told


def test_the_first_poll_tells_the_newest_ten_and_records_the_rest(desk: Desk, receiver: Receiver) -> None:
    source = desk.add(receiver.script("/feed", feed(posts(15))))

    desk.poll(source)

    assert sorted(desk.publisher.take()) == sorted((f"p{number}", 1) for number in range(10))
    stored = desk.entries()
    assert len(stored) == 15
    assert all(entry.published for entry in stored.values())
    row = desk.source(source)
    assert (row.last_success_at, row.failures, row.last_error) == (NOON, 0, None)
    assert row.name == "The Times of Testing"
    # 15 within a day come to 105 a week, of which each is asked for ten times.
    assert 576 <= desk.wait_until_next(source) <= 634


def test_the_second_poll_tells_nothing(desk: Desk, receiver: Receiver) -> None:
    source = desk.add(receiver.script("/feed", feed(posts(15))))
    desk.poll(source)
    desk.publisher.take()

    desk.poll(source)

    assert desk.publisher.take() == []


def test_later_polls_tell_all_that_is_new(desk: Desk, receiver: Receiver) -> None:
    source = desk.add(receiver.script("/feed", feed(posts(3)), feed(posts(40))))
    desk.poll(source)
    desk.publisher.take()
    desk.poll(source)
    assert sorted(desk.publisher.take()) == sorted((f"p{number}", 1) for number in range(3, 40))


def test_a_changed_title_is_a_new_version_of_the_same_article(desk: Desk, receiver: Receiver) -> None:
    before, after = Post("a", "Bridge closed"), Post("a", "Bridge open again")
    source = desk.add(receiver.script("/feed", feed([before]), feed([after]), feed([before])))

    desk.poll(source)
    first = desk.entries()["a"]
    desk.poll(source)
    second = desk.entries()["a"]
    desk.poll(source)  # back to what it said before, which is no news

    assert [(one.id, one.version, one.title) for one in desk.publisher.confirmed] == [
        ("a", 1, "Bridge closed"),
        ("a", 2, "Bridge open again"),
    ]
    assert (second.version, second.article_id) == (2, first.article_id)


def test_a_later_version_keeps_the_date_of_an_article(desk: Desk, receiver: Receiver) -> None:
    ahead = NOON + timedelta(days=30)
    shown = [[Post("p", title, ahead)] for title in ("A title", "Another title")]
    source = desk.add(receiver.script("/feed", *(feed(items) for items in shown)))
    dates = []
    for _ in shown:
        desk.poll(source)
        entry = desk.entries()["p"]
        assert entry.message is not None
        dates.append((entry.version, entry.message["published_at"]))
        desk.clock.advance(hours=2)
    assert dates == [(1, "2026-03-01T12:00:00Z"), (2, "2026-03-01T12:00:00Z")]


def test_articles_name_their_source(desk: Desk, receiver: Receiver) -> None:
    source = desk.add(receiver.script("/feed", feed(posts(1))), name="My feed")
    desk.poll(source)
    (told,) = desk.publisher.confirmed
    assert told.source is not None
    assert (told.source.id, told.source.name) == (source, "My feed")
    assert desk.source(source).name == "My feed"


def test_two_sources_with_the_same_ids_do_not_meet(desk: Desk, receiver: Receiver) -> None:
    one = desk.add(receiver.script("/one", feed([Post("1", "Here")])))
    two = desk.add(receiver.script("/two", feed([Post("1", "There")])))
    desk.poll(one)
    desk.poll(two)
    assert [message.title for message in desk.publisher.confirmed] == ["Here", "There"]


# --- asking only for what changed


def test_validators_are_sent_back_and_not_modified_is_a_success(desk: Desk, receiver: Receiver) -> None:
    modified = "Sun, 01 Mar 2026 11:00:00 GMT"
    fresh = feed(posts(1), ETag='W/"abc"', Last_Modified=modified)
    source = desk.add(receiver.script("/feed", fresh, Respond(304)))
    desk.poll(source)
    desk.clock.advance(minutes=20)
    desk.poll(source)
    desk.poll(source)

    first, second, third = receiver.requests
    assert first.header("if-none-match") is None
    for later in (second, third):
        assert later.header("if-none-match") == 'W/"abc"'
        assert later.header("if-modified-since") == modified
    row = desk.source(source)
    assert (row.last_success_at, row.etag, row.last_modified) == (desk.clock.now(), 'W/"abc"', modified)
    assert len(desk.publisher.confirmed) == 1


def test_validators_that_are_gone_are_forgotten(desk: Desk, receiver: Receiver) -> None:
    source = desk.add(receiver.script("/feed", feed(posts(1), ETag='"a"'), feed(posts(2))))
    desk.poll(source)
    desk.poll(source)
    desk.poll(source)
    assert [one.header("if-none-match") for one in receiver.requests] == [None, '"a"', None]


@pytest.mark.parametrize(
    "header",
    [b'ETag: "a\0b"', b'ETag: "' + b"x" * 5_000 + b'"', b'ETag: "a\x07"'],
    ids=["nul", "long", "control"],
)
def test_validators_that_are_none_do_not_break_a_source(
    desk: Desk, receiver: Receiver, header: bytes
) -> None:
    body = rss(posts(1))
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%b\r\n\r\n" % (len(body), header)
    source = desk.add(receiver.script("/feed", Raw(head + body)))
    desk.poll(source)
    desk.poll(source)
    assert len(receiver.requests) == 2
    assert (desk.source(source).last_error, desk.source(source).etag) == (None, None)
    assert len(desk.publisher.confirmed) == 1


# --- what the broker did not confirm


def test_what_is_not_confirmed_waits_and_is_told_by_the_next_leader(desk: Desk, receiver: Receiver) -> None:
    source = desk.add(receiver.script("/feed", feed(posts(5), ETag='"a"')))
    desk.publisher.refusing = {"p1", "p3"}

    desk.poll(source)

    row = desk.source(source)
    assert (row.etag, row.last_success_at) == (None, None)
    assert 900 <= desk.wait_until_next(source) <= 990
    assert sorted(desk.publisher.take()) == [("p0", 1), ("p2", 1), ("p4", 1)]
    assert {id_ for id_, entry in desk.entries().items() if not entry.published} == {"p1", "p3"}

    desk.publisher.refusing = set()
    desk.outbox(desk.grant)
    assert desk.publisher.take() == []  # too fresh: whoever made it may be publishing it
    desk.clock.advance(seconds=6)
    desk.outbox(desk.grant)
    assert sorted(desk.publisher.take()) == [("p1", 1), ("p3", 1)]
    desk.outbox(desk.grant)
    assert desk.publisher.take() == []

    desk.poll(source)
    assert desk.publisher.take() == []
    assert desk.source(source).etag == '"a"'


def test_a_broker_that_stays_away_ends_the_outboxs_turn(desk: Desk, receiver: Receiver) -> None:
    desk.publisher.refusing = None
    desk.poll(desk.add(receiver.script("/feed", feed(posts(5)))))
    desk.clock.advance(seconds=6)
    desk.outbox(desk.grant)
    assert sum(not entry.published for entry in desk.entries().values()) == 5


def test_the_outbox_tells_only_the_newest_version(desk: Desk, receiver: Receiver) -> None:
    source = desk.add(receiver.script("/feed", feed([Post("a", "First")]), feed([Post("a", "Second")])))
    desk.publisher.refusing = None
    desk.poll(source)
    desk.poll(source)
    desk.publisher.refusing = set()
    desk.clock.advance(seconds=6)
    desk.outbox(desk.grant)
    assert [(one.version, one.title) for one in desk.publisher.confirmed] == [(2, "Second")]


# --- who may write


def test_a_deposed_leader_writes_nothing(desk: Desk, receiver: Receiver) -> None:
    source = desk.add(receiver.script("/feed", feed(posts(5))))
    before = vars(desk.source(source)).copy()
    desk.depose()

    with pytest.raises(LeaseLost):
        desk.poll(source)

    after = vars(desk.source(source))
    assert {name: after[name] for name in after if name[0] != "_"} == {
        name: before[name] for name in before if name[0] != "_"
    }
    assert desk.entries() == {}
    assert desk.publisher.take() == []


def test_a_leader_that_is_deposed_while_it_publishes_ticks_nothing_off(
    desk: Desk, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = desk.add(receiver.script("/feed", feed(posts(2), ETag='"a"')))
    publish = desk.publisher.publish_many

    def deposed_meanwhile(messages: Sequence[ArticleMessage]) -> list[PublishError | None]:
        desk.depose()
        return publish(messages)

    monkeypatch.setattr(desk.publisher, "publish_many", deposed_meanwhile)
    with pytest.raises(LeaseLost):
        desk.poll(source)

    assert [entry.published for entry in desk.entries().values()] == [False, False]
    assert (desk.source(source).etag, desk.source(source).last_success_at) == (None, None)


def test_a_deposed_leader_notes_no_failure(desk: Desk, receiver: Receiver) -> None:
    source = desk.add(receiver.script("/feed", Respond(500)))
    desk.depose()
    with pytest.raises(LeaseLost):
        desk.poll(source)
    assert desk.source(source).failures == 0


# --- failures


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Respond(404), "There is nothing at this address (status 404)"),
        (Respond(403), "The server refuses access (status 403)"),
        (Respond(500), "The server failed (status 500)"),
        (Respond(200, b""), "The server sent an empty document"),
        (Raw(b"220 ftp.example.com\r\n"), "The server's answer is not valid HTTP"),
        (Reset(), "The server broke the connection off"),
        (Close(), "The server broke the connection off"),
        (Hang(), "The server did not answer in time"),
        (Drip(b"x" * 1_000), "The server did not answer in time"),
        (endless_body(), "The document is larger than 15 MB"),
        (redirect("/feed"), "The server redirects without end"),
        (redirect("http://10.0.0.1/"), "This address may not be fetched"),
        (redirect("file:///etc/passwd"), "This address may not be fetched"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_failures_are_put_in_words(
    desk: Desk, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, answer: Answer, words: str
) -> None:
    if "in time" in words:
        monkeypatch.setattr("fetcher.fetching.DEADLINE_SECONDS", 0.5)
    source = desk.add(receiver.script("/feed", answer))

    desk.poll(source)

    row = desk.source(source)
    assert (row.last_error, row.last_error_at, row.failures) == (words, NOON, 1)
    assert row.last_success_at is None
    assert 60 <= desk.wait_until_next(source) <= 66


def test_a_page_that_is_no_feed(desk: Desk, receiver: Receiver) -> None:
    source = desk.add(receiver.script("/feed", Respond(200, b"<html><body>Welcome</body></html>")))
    desk.poll(source)
    assert "feed" in (desk.source(source).last_error or "")


def test_a_server_that_is_not_there(desk: Desk) -> None:
    source = desk.add(f"http://127.0.0.1:{free_port()}/feed")
    desk.poll(source)
    assert desk.source(source).last_error == "The server refuses connections"


def test_a_private_address_is_never_contacted(desk: Desk, receiver: Receiver) -> None:
    source = desk.add(receiver.url + "/feed")
    with guarded_session(EgressPolicy(), user_agent="Clarion test") as desk.session:
        desk.poll(source)
    assert desk.source(source).last_error == "This address may not be fetched"
    assert receiver.connections == 0


def test_what_breaks_the_reading_is_that_sources_failure(desk: Desk, receiver: Receiver) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    source = desk.add(receiver.script("/feed", feed(posts(1))))
    whole = desk.kinds["feed"]
    desk.kinds["feed"] = kind_that(whole, parse=fail)
    desk.poll(source)
    assert desk.source(source).last_error == "Reading the document failed; see the fetcher's log"


def test_failures_back_off_to_a_day_and_heal(desk: Desk, receiver: Receiver) -> None:
    source = desk.add(receiver.script("/feed", *[Respond(500)] * 13, feed(posts(1))))
    waits = []
    for _ in range(13):
        desk.poll(source)
        waits.append(desk.wait_until_next(source))

    expected = [min(60 * 2**number, 86_400) for number in range(13)]
    assert all(least <= wait <= least * 1.1 for wait, least in zip(waits, expected, strict=True))
    assert expected[-1] == 86_400
    assert desk.source(source).failures == 13

    desk.poll(source)
    row = desk.source(source)
    assert (row.failures, row.last_error, row.last_success_at) == (0, None, NOON)
    assert desk.wait_until_next(source) <= 990
    assert len(desk.publisher.confirmed) == 1


def test_a_failure_keeps_the_validators(desk: Desk, receiver: Receiver) -> None:
    source = desk.add(receiver.script("/feed", feed(posts(1), ETag='"a"'), Respond(500), Respond(304)))
    for _ in range(3):
        desk.poll(source)
    assert receiver.requests[-1].header("if-none-match") == '"a"'
    assert desk.source(source).failures == 0


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("asked", "least"),
    [
        ("3600", 3_600),
        (format_datetime(NOON + timedelta(hours=2), usegmt=True), 7_200),
        ("5", 300),
        ("99999999", 86_400),
    ],
    ids=["seconds", "date", "short", "long"],
)
def test_the_pause_that_a_server_asks_for_is_kept(
    desk: Desk, receiver: Receiver, status: int, asked: str, least: int
) -> None:
    source = desk.add(receiver.script("/feed", Respond(status, headers=(("Retry-After", asked),))))
    desk.poll(source)
    assert least <= desk.wait_until_next(source) <= least * 1.1


# --- keys


def newsapi_answer() -> Respond:
    article = b'{"title":"From the API","url":"https://news.example.com/1","source":{"name":"The Paper"}}'
    return Respond(200, b'{"status":"ok","totalResults":1,"articles":[%b]}' % article)


def test_the_installations_key_goes_to_the_installations_sources(desk: Desk, receiver: Receiver) -> None:
    source = desk.add(receiver.script("/v2/everything", newsapi_answer()), "newsapi")
    desk.poll(source)
    assert receiver.requests[0].header("x-api-key") == KEY
    assert [message.title for message in desk.publisher.confirmed] == ["From the API"]


def test_the_installations_key_is_never_sent_to_an_accounts_own_source(
    desk: Desk, receiver: Receiver
) -> None:
    with desk.store.write() as session:
        account = accounts.ensure_account(session, "readers", NOON)
    source = desk.add(receiver.script("/v2/everything", newsapi_answer()), "newsapi", account)

    desk.poll(source)

    assert receiver.requests == []
    assert "no NewsAPI key" in (desk.source(source).last_error or "")


def test_a_key_does_not_follow_a_redirect_to_another_server(desk: Desk, receiver: Receiver) -> None:
    with Receiver() as elsewhere:
        elsewhere.script("/v2/everything", newsapi_answer())
        here = receiver.script("/v2/everything", redirect(elsewhere.url + "/v2/everything"))
        desk.poll(desk.add(here, "newsapi"))
        assert receiver.requests[0].header("x-api-key") == KEY
        assert elsewhere.requests[0].header("x-api-key") is None


# --- sources that are no more


def test_a_deleted_source_is_left_alone(desk: Desk, receiver: Receiver) -> None:
    source = desk.add(receiver.script("/feed", feed(posts(1))))
    with desk.store.write() as session:
        session.execute(delete(Source))
    assert desk.poll(source) is None
    assert receiver.requests == []


def test_a_kind_that_is_no_more_is_left_alone(desk: Desk, receiver: Receiver) -> None:
    source = desk.add(receiver.script("/feed", feed(posts(1))), kind="gopher")
    assert desk.poll(source) is None
    assert receiver.requests == []


@pytest.mark.parametrize(
    "answer", [feed(posts(2)), Respond(304), Respond(500)], ids=["new", "same", "failed"]
)
def test_a_source_may_be_deleted_while_it_is_fetched(desk: Desk, receiver: Receiver, answer: Answer) -> None:
    source = desk.add(receiver.script("/feed", answer))
    whole = desk.kinds["feed"]

    def delete_meanwhile(*arguments: Any) -> Any:
        with desk.store.write() as session:
            session.execute(delete(Source))
        return whole.request(*arguments)

    desk.kinds["feed"] = kind_that(whole, request=delete_meanwhile)
    assert desk.poll(source) is None
    assert desk.entries() == {}
    assert desk.publisher.take() == []
