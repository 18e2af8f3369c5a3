"""How sources and their servers are treated: a table of answers, and what is done about each."""

import re
from dataclasses import dataclass
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from sqlalchemy import select

from clarion.wiring import Wiring
from core.settings import load_settings
from core.store import accounts, source_states
from core.store.models import HostCooldown, Source
from fetcher.hosts import HostGate
from tests.contract.desk import Desk, Post, feed, kind_that, posts, rss
from tests.contract.world import NOON
from tests.receiver import Answer, Drip, Receiver, Respond, redirect

DAY = 86_400


def at(receiver: Receiver, host: str, path: str = "/feed") -> str:
    """Return an address of the receiver under another name."""
    return f"http://{host}:{receiver.port}{path}"


def dated(**offset: float) -> str:
    """Return a time near noon as headers have it."""
    return format_datetime(NOON + timedelta(**offset), usegmt=True)


def saying(channel: str, count: int = 1, **headers: str) -> Respond:
    """Return a feed with something more in its channel element."""
    whole = feed(posts(count), **headers)
    spaced = whole.body.replace(
        b"<rss ", b"<rss xmlns:sy='http://purl.org/rss/1.0/modules/syndication/' "
    ).replace(b"<channel>", b"<channel>" + channel.encode())
    return Respond(200, spaced, whole.headers)


def asking(status: int, retry_after: str) -> Respond:
    """Return a refusal with a time."""
    return Respond(status, headers=(("Retry-After", retry_after),))


def unchanged(**headers: str) -> Respond:
    """Return a 304."""
    return Respond(304, headers=tuple((name.replace("_", "-"), value) for name, value in headers.items()))


ONE = posts(1)  # too few to show a rhythm
TEN = [Post(f"d{number}", f"Day {number}", NOON - timedelta(days=number)) for number in range(10)]


@dataclass(frozen=True)
class Row:
    """Answers to one poll after the other, then how long the source is left alone, and why."""

    answers: list[Answer]
    seconds: float
    because: str | None
    own: int | None = None
    failures: int = 0


TABLE = {
    # As often as a source publishes.
    "nothing known": Row([feed(ONE)], 900, "default"),
    "one a day": Row([feed(TEN)], 7 * DAY / 8 / 10, "adaptive"),
    "fifteen within minutes": Row([feed(posts(15))], 576, "adaptive"),
    "hundreds": Row([feed(posts(400))], 300, "adaptive"),
    "years ago": Row(
        [feed([Post(str(n), f"P{n}", NOON - timedelta(days=900 + n)) for n in range(9)])], DAY, "adaptive"
    ),
    # As its server says.
    "max-age": Row([feed(ONE, Cache_Control="public, max-age=7200")], 7_200, "cache"),
    "max-age less Age": Row([feed(ONE, Cache_Control="max-age=7200", Age="1200")], 6_000, "cache"),
    "Expires": Row([feed(ONE, Expires=dated(hours=3))], 10_800, "cache"),
    "Expires by the server's clock": Row(
        [feed(ONE, Expires=dated(hours=9), Date=dated(hours=7))], 7_200, "cache"
    ),
    "max-age before Expires": Row(
        [feed(ONE, Cache_Control="max-age=3600", Expires=dated(hours=9))], 3_600, "cache"
    ),
    "expired": Row([feed(ONE, Expires="0")], 900, "default"),
    "no-cache": Row([feed(ONE, Cache_Control="no-cache, max-age=7200")], 900, "default"),
    "a max-age of a second": Row([feed(TEN[:7] + posts(300), Cache_Control="max-age=1")], 300, "adaptive"),
    "a max-age of a year": Row([feed(ONE, Cache_Control="max-age=31536000")], DAY, "cache"),
    "a 304 with max-age": Row([feed(ONE), unchanged(Cache_Control="max-age=5400")], 5_400, "cache"),
    "a 304 with Expires": Row([feed(ONE), unchanged(Date=dated(), Expires=dated(hours=2))], 7_200, "cache"),
    "a 304 that takes it back": Row(
        [feed(ONE, Cache_Control="max-age=7200"), unchanged(Cache_Control="max-age=0")], 900, "default"
    ),
    "a 304 without a word": Row([feed(ONE, Cache_Control="max-age=7200"), unchanged()], 7_200, "cache"),
    # As its document says.
    "ttl": Row([saying("<ttl>120</ttl>")], 7_200, "ttl"),
    "ttl stays in force with a 304": Row([saying("<ttl>120</ttl>", ETag='"a"'), unchanged()], 7_200, "ttl"),
    "ttl that is gone": Row([saying("<ttl>120</ttl>"), feed(ONE)], 900, "default"),
    "ttl of a minute": Row([saying("<ttl>1</ttl>")], 900, "default"),
    "ttl of a month": Row([saying("<ttl>43200</ttl>")], DAY, "ttl"),
    "ttl of a busy source": Row([saying("<ttl>60</ttl>", 400)], 3_600, "ttl"),
    "sy": Row(
        [saying("<sy:updatePeriod>daily</sy:updatePeriod><sy:updateFrequency>6</sy:updateFrequency>")],
        14_400,
        "ttl",
    ),
    "the longer of ttl and max-age": Row(
        [saying("<ttl>60</ttl>", Cache_Control="max-age=7200")], 7_200, "cache"
    ),
    # As its owner says.
    "an owner's interval": Row([feed(posts(400), Cache_Control="max-age=7200")], 60, "yours", own=60),
    "a patient owner": Row([feed(posts(400))], 7 * DAY, "yours", own=7 * DAY),
    # When it fails.
    "an error": Row([Respond(500)], 60, None, failures=1),
    "four errors": Row([Respond(500)] * 4, 480, None, failures=4),
    "thirteen errors": Row([Respond(500)] * 13, DAY, None, failures=13),
    "forty errors": Row([Respond(404)] * 40, DAY, None, failures=40),
    "a source that heals": Row([*[Respond(500)] * 13, feed(ONE)], 900, "default"),
    "429 with seconds": Row([asking(429, "3600")], 3_600, None, failures=1),
    "429 with a date": Row([asking(429, dated(hours=2))], 7_200, None, failures=1),
    "429 with a moment": Row([asking(429, "1")], 300, None, failures=1),
    "429 with a year": Row([asking(429, "31536000")], DAY, None, failures=1),
    "429 without a word": Row([Respond(429)], 300, None, failures=1),
    "503 with seconds": Row([asking(503, "3600")], 3_600, None, failures=1),
    "503 with a moment": Row([asking(503, "1")], 300, None, failures=1),
    "503 without a word": Row([Respond(503)], 60, None, failures=1),
    "no owner overrules Retry-After": Row([asking(429, "3600")], 3_600, "yours", own=60, failures=1),
    "no owner overrules 503": Row([asking(503, "3600")], 3_600, "yours", own=60, failures=1),
}


@pytest.mark.parametrize("row", TABLE.values(), ids=TABLE.keys())
def test_how_long_a_source_is_left_alone(desk: Desk, receiver: Receiver, row: Row) -> None:
    source = desk.add(receiver.script("/feed", *row.answers), interval=row.own)
    for _ in row.answers:
        desk.poll_when_due(source)

    assert len(receiver.requests) == len(row.answers)
    # Exactly what was asked for would bring all back at once.
    assert row.seconds * 0.99 <= desk.wait_until_next(source) <= row.seconds * 1.11
    found = desk.source(source)
    assert (found.state, found.failures) == ("active", row.failures)
    if row.failures == 0:
        assert found.used_interval_because == row.because
        assert found.used_interval_seconds == pytest.approx(row.seconds, rel=0.01)


def test_a_source_that_wakes_up_is_polled_more_often_and_one_that_falls_silent_less(
    desk: Desk, receiver: Receiver
) -> None:
    busy = [Post(f"b{n}", f"Busy {n}", NOON - timedelta(minutes=n)) for n in range(300)]
    source = desk.add(receiver.script("/feed", feed(TEN), feed([*busy, *TEN]), unchanged()))
    intervals = []
    for _ in range(3):
        desk.poll_when_due(source)
        intervals.append(desk.source(source).used_interval_seconds or 0)
    desk.clock.advance(days=40)
    desk.poll(source)
    quiet, awake, still, silent = (*intervals, desk.source(source).used_interval_seconds or 0)
    assert awake == still == 300 < quiet < silent


# --- what is sent


def test_a_poll_asks_only_for_what_has_changed_and_says_who_asks(desk: Desk, receiver: Receiver) -> None:
    fresh = feed(ONE, ETag='"a"', Last_Modified=dated(hours=-1))
    source = desk.add(receiver.script("/feed", fresh, unchanged()))
    desk.poll(source)
    desk.poll(source)
    first, second = receiver.requests
    assert first.header("user-agent") == "Clarion test"
    assert "application/rss+xml" in (first.header("accept") or "")
    assert {name.strip() for name in (first.header("accept-encoding") or "").split(",")} >= {
        "gzip",
        "br",
        "zstd",
    }
    assert (first.header("if-none-match"), first.header("if-modified-since")) == (None, None)
    assert (second.header("if-none-match"), second.header("if-modified-since")) == ('"a"', dated(hours=-1))


@pytest.mark.parametrize(
    ("url", "agent"),
    [
        ("https://news.example.com", r"Clarion/[\d.]+ \(news alerts; \+https://news\.example\.com\)"),
        (None, r"Clarion/[\d.]+ \(news alerts\)"),
    ],
)
def test_the_program_says_who_it_is_and_where_to_complain(
    desk: Desk, receiver: Receiver, url: str | None, agent: str
) -> None:
    wiring = Wiring(load_settings(public_url=url, egress_allow="127.0.0.0/8", backfill=1), "fetcher")
    wiring.__dict__["store"], wiring.__dict__["_outbox"] = desk.store, desk.outbox
    source = desk.add(receiver.script("/feed", feed(ONE)))
    wiring._poller().poll(source, desk.grant)
    wiring._sandbox.close()
    (request,) = receiver.requests
    assert re.fullmatch(agent, request.header("user-agent") or "")


# --- hosts


def test_requests_to_one_host_are_spaced(desk: Desk, receiver: Receiver) -> None:
    desk.gate = HostGate(2.0)
    one, two = (desk.add(receiver.script(path, feed(ONE))) for path in ("/one", "/two"))

    assert desk.poll(one) is None
    assert desk.poll(two) == pytest.approx(2.0)
    assert len(receiver.requests) == 1
    desk.seconds += 2.0
    assert desk.poll(two) is None
    assert [request.path for request in receiver.requests] == ["/one", "/two"]


def test_who_waits_for_long_is_written_down_with_its_time(desk: Desk, receiver: Receiver) -> None:
    desk.gate = HostGate(60.0)
    sources = [desk.add(receiver.script(f"/{number}", feed(ONE))) for number in range(4)]
    assert [desk.poll(source) for source in sources] == [None] * 4
    assert [desk.wait_until_next(source) for source in sources[1:]] == [60, 120, 180]
    assert len(receiver.requests) == 1
    for source in sources[1:]:
        desk.seconds += 60
        desk.poll_when_due(source)
    assert [request.path for request in receiver.requests] == ["/0", "/1", "/2", "/3"]


def test_a_host_that_is_busy_is_asked_later(desk: Desk, receiver: Receiver) -> None:
    one, two, three = (desk.add(receiver.script(path, feed(ONE))) for path in ("/1", "/2", "/3"))
    desk.gate.enter(one, receiver.url, desk.seconds)
    desk.gate.enter(two, receiver.url, desk.seconds)
    assert desk.poll(three) == 1.0
    assert receiver.requests == []
    desk.gate.leave(one)
    desk.seconds += 1
    assert desk.poll(three) is None
    assert [request.path for request in receiver.requests] == ["/3"]


def test_a_poll_that_fails_frees_its_place(desk: Desk, receiver: Receiver) -> None:
    sources = [desk.add(receiver.script(f"/{number}", Respond(500))) for number in range(4)]
    assert [desk.poll(source) for source in sources] == [None] * 4
    assert len(receiver.requests) == 4


def test_a_host_that_polls_are_sent_on_to_is_spaced_as_well(desk: Desk, receiver: Receiver) -> None:
    desk.gate = HostGate(2.0)
    receiver.script("/feed", redirect(at(receiver, "feeds.example", "/target")))
    receiver.script("/target", feed(ONE))
    one, two = (desk.add(at(receiver, host)) for host in ("one.example", "two.example"))

    assert desk.poll(one) is None
    assert desk.poll(two) == pytest.approx(2.0)
    assert len(receiver.requests_for("/target")) == 1
    desk.seconds += 2.0
    assert desk.poll(two) is None
    assert len(receiver.requests_for("/target")) == 2
    assert desk.source(two).failures == 0


def test_a_429_cools_the_whole_host(desk: Desk, receiver: Receiver) -> None:
    greedy = desk.add(receiver.script("/greedy", asking(429, "3600")))
    others = [desk.add(receiver.script(f"/{number}", feed(ONE))) for number in range(3)]
    elsewhere = desk.add(at(receiver, "elsewhere.example", "/0"))
    desk.poll(greedy)
    for source in (*others, elsewhere):
        assert desk.poll(source) is None

    assert [request.path for request in receiver.requests] == ["/greedy", "/0"]
    assert desk.source(elsewhere).last_success_at == NOON
    for source in others:
        assert 3_600 <= desk.wait_until_next(source) <= 3_960
        assert (desk.source(source).failures, desk.source(source).last_error) == (0, None)
    for source in others:
        desk.poll_when_due(source)
    assert len(receiver.requests) == 5


def test_a_cooled_host_is_left_alone_by_the_next_leader_too(desk: Desk, receiver: Receiver) -> None:
    desk.poll(desk.add(receiver.script("/greedy", asking(429, "3600"))))
    desk.gate = HostGate(0)
    desk.poll(desk.add(receiver.script("/other", feed(ONE))))
    assert [request.path for request in receiver.requests] == ["/greedy"]


def test_a_503_cools_no_other_source(desk: Desk, receiver: Receiver) -> None:
    desk.poll(desk.add(receiver.script("/down", asking(503, "3600"))))
    desk.poll(desk.add(receiver.script("/other", feed(ONE))))
    assert [request.path for request in receiver.requests] == ["/down", "/other"]


def test_a_host_that_asks_again_is_left_alone_for_longer_until_it_answers(
    desk: Desk, receiver: Receiver
) -> None:
    source = desk.add(receiver.script("/feed", *[Respond(429)] * 3, feed(ONE), Respond(429)))
    lengths = []
    for _ in range(5):
        desk.poll_when_due(source)
        with desk.store.read() as session:
            row = session.execute(select(HostCooldown)).scalar_one_or_none()
        lengths.append((row.until - desk.clock.now()).total_seconds() if row else None)
    assert lengths == [300, 600, 1_200, None, 300]


def test_429s_of_polls_that_were_under_way_together_are_one_time(desk: Desk, receiver: Receiver) -> None:
    late, early = (desk.add(receiver.script(path, Respond(429))) for path in ("/late", "/early"))
    whole = desk.kinds["feed"]

    def another_is_refused_meanwhile(*arguments: Any) -> Any:
        desk.kinds["feed"] = whole
        desk.poll(early)
        return whole.request(*arguments)

    desk.kinds["feed"] = kind_that(whole, request=another_is_refused_meanwhile)
    desk.poll(late)
    assert len(receiver.requests) == 2
    with desk.store.read() as session:
        assert session.execute(select(HostCooldown)).scalar_one().times == 1


# --- sources that are gone, or move


def test_a_410_disables_a_source_and_its_owner_is_told_once(desk: Desk, receiver: Receiver) -> None:
    with desk.store.write() as session:
        account = accounts.ensure_account(session, "readers", NOON)
    url = receiver.script("/feed", Respond(410)) + "?token=geheim"
    source = desk.add(url, owner=account, name="My feed")
    desk.poll(source)
    desk.poll(source)

    assert len(receiver.requests) == 1
    found = desk.source(source)
    assert (found.state, found.state_reason, found.next_poll_at) == ("disabled", "gone", None)
    assert (found.last_error_reason, found.failures) == ("gone", 1)
    (notice,) = desk.notices()
    assert (notice.account_id, notice.source_id, notice.kind, notice.reason) == (
        account,
        source,
        "source_disabled",
        "gone",
    )
    assert "My feed" in notice.text
    assert "geheim" not in notice.text


def test_a_disabled_source_that_was_enabled_is_polled_again(desk: Desk, receiver: Receiver) -> None:
    source = desk.add(receiver.script("/feed", Respond(410), feed(ONE)))
    desk.poll(source)
    with desk.store.write() as session:
        source_states.enable(session.get_one(Source, source), desk.clock.now())
    desk.poll_when_due(source)
    found = desk.source(source)
    assert (found.state, found.state_reason, found.last_error, found.failures) == ("active", None, None, 0)
    assert len(desk.publisher.confirmed) == 1


@pytest.mark.parametrize("status", [404, 403, 500, 503])
def test_no_other_failure_ever_disables(desk: Desk, receiver: Receiver, status: int) -> None:
    source = desk.add(receiver.script("/feed", Respond(status)))
    for _ in range(30):
        desk.poll_when_due(source)
    assert desk.source(source).state == "active"
    assert desk.notices() == []


@pytest.mark.parametrize("status", [301, 308])
def test_a_permanent_redirect_that_is_seen_twice_is_remembered(
    desk: Desk, receiver: Receiver, status: int
) -> None:
    new = receiver.script("/new", feed(ONE, ETag='"a"'), unchanged())
    old = receiver.script("/old", redirect("/new", status))
    source = desk.add(old)
    desk.poll(source)
    assert desk.source(source).url == old
    desk.poll(source)
    assert desk.source(source).url == new
    desk.poll(source)
    assert [request.path for request in receiver.requests] == ["/old", "/new", "/old", "/new", "/new"]
    assert receiver.requests[-1].header("if-none-match") == '"a"'
    assert len(desk.publisher.confirmed) == 1


@pytest.mark.parametrize(
    "answers",
    [
        pytest.param([redirect("/new", 302)] * 4, id="302"),
        pytest.param([redirect("/new", 307)] * 4, id="307"),
        pytest.param([redirect("/new", 301), redirect("/other", 301)] * 2, id="to and fro"),
        pytest.param([redirect("/new", 301), feed(ONE)] * 2, id="taken back"),
        pytest.param([redirect("/login", 301)] * 4, id="to what is no feed"),
        pytest.param([redirect("/missing", 301)] * 4, id="to nothing"),
        pytest.param([redirect("/temporary", 302)] * 4, id="permanent only after a temporary one"),
    ],
)
def test_other_redirects_are_not_remembered(desk: Desk, receiver: Receiver, answers: list[Answer]) -> None:
    receiver.script("/new", feed(ONE))
    receiver.script("/other", feed(ONE))
    receiver.script("/login", Respond(200, b"<html><form action='/login'></form></html>"))
    receiver.script("/missing", Respond(404))
    receiver.script("/temporary", redirect("/new", 301))
    old = receiver.script("/old", *answers)
    source = desk.add(old)
    for _ in answers:
        desk.poll(source)
    assert desk.source(source).url == old


def test_a_redirect_is_remembered_as_far_as_it_is_permanent(desk: Desk, receiver: Receiver) -> None:
    receiver.script("/old", redirect("/new", 301))
    receiver.script("/new", redirect("/today", 302))
    receiver.script("/today", feed(ONE))
    source = desk.add(receiver.url + "/old")
    desk.poll(source)
    desk.poll(source)
    assert desk.source(source).url == receiver.url + "/new"


def test_a_source_with_a_key_does_not_move_to_another_host(desk: Desk, receiver: Receiver) -> None:
    answer = b'{"status":"ok","totalResults":1,"articles":[{"title":"A","url":"https://n.example/1"}]}'
    receiver.script("/v2/top-headlines", redirect(at(receiver, "thief.example", "/v2/everything"), 301))
    receiver.script("/v2/everything", Respond(200, answer))
    source = desk.add(receiver.url + "/v2/top-headlines", "newsapi")
    for _ in range(3):
        desk.poll(source)
    assert desk.source(source).url == receiver.url + "/v2/top-headlines"
    assert {one.header("x-api-key") for one in receiver.requests_for("/v2/everything")} == {None}


def test_a_source_moves_to_nothing_that_its_kind_does_not_read(desk: Desk, receiver: Receiver) -> None:
    answer = b'{"status":"ok","totalResults":0,"articles":[]}'
    receiver.script("/v2/a", redirect("/v2/b?apiKey=x", 301))
    receiver.script("/v2/b", Respond(200, answer))
    source = desk.add(receiver.url + "/v2/a", "newsapi")
    for _ in range(3):
        desk.poll(source)
    assert desk.source(source).url == receiver.url + "/v2/a"


# --- bounds


def test_a_document_is_given_up_after_the_deadline_whatever_the_server_does(
    desk: Desk, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fetcher.fetching.DEADLINE_SECONDS", 0.5)
    for number in range(3):
        receiver.script(f"/{number}", redirect(f"/{number + 1}"))
    receiver.script("/3", Drip(rss(ONE), interval=0.1))
    source = desk.add(receiver.url + "/0")
    desk.poll(source)
    assert desk.source(source).last_error_reason == "timeout"
