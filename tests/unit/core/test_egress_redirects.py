"""Following redirects: every hop is judged, and secrets stay with the host they were meant for."""

import socket
import time
from collections.abc import Iterator, Mapping

import pytest
import requests

from core.egress import (
    Arrival,
    EgressPolicy,
    GuardedSession,
    classify,
    get_following_redirects,
    guarded_session,
)
from core.errors import Reason
from tests.unit.core.loopback_servers import (
    LOOPBACK_OPEN,
    Answer,
    LoopbackServer,
    http,
    loopback_resolver,
    one_connection,
    serving,
    untouched,
)

HEADERS = {"X-Api-Key": "secret", "Authorization": "Bearer secret", "If-None-Match": '"tag"'}


@pytest.fixture
def session() -> Iterator[GuardedSession]:
    with guarded_session(LOOPBACK_OPEN, user_agent="Clarion/test", resolver=loopback_resolver) as made:
        yield made


def _site(moves: Mapping[str, tuple[str, str]]) -> Answer:
    """Redirect the paths of `moves` with (status, location), and answer others with their own path."""

    def answer(request: bytes, connection: socket.socket) -> None:
        path = request.split(b" ", 2)[1].decode()
        if path not in moves:
            connection.sendall(http(path.encode()))
            return
        status, location = moves[path]
        connection.sendall(http(b"moved", f"Location: {location}", status=f"{status} Moved"))

    return answer


def _follow(session: GuardedSession, url: str, **options: object) -> Arrival:
    deadline = time.monotonic() + 30
    arrival = get_following_redirects(session, url, deadline=deadline, headers=HEADERS, **options)  # type: ignore[arg-type]
    arrival.response.close()
    return arrival


def test_no_redirect_is_followed_by_no_hops(session: GuardedSession) -> None:
    with serving(_site({})) as server:
        arrival = _follow(session, server.url("/feed"))
        assert arrival.response.status_code == 200
        assert arrival.hops == ()
        assert arrival.permanent_url is None


def test_permanence_is_remembered_as_far_as_it_reaches(session: GuardedSession) -> None:
    moves = {"/a": ("301", "/b"), "/b": ("308", "c?x=1"), "/c?x=1": ("302", "/d"), "/d": ("301", "/e")}
    with serving(_site(moves)) as server:
        arrival = _follow(session, server.url("/a"))
        assert arrival.response.url == server.url("/e")
        assert [hop.permanent for hop in arrival.hops] == [True, True, False, True]
        assert arrival.permanent_url == server.url("/c?x=1")
        assert _follow(session, server.url("/c?x=1")).permanent_url is None


def test_who_asks_may_object_to_a_hop_before_it_is_made(session: GuardedSession) -> None:
    moves = {"/a": ("301", "/b"), "/b": ("302", "/c")}
    seen: list[str] = []

    def object_to_the_second(url: str) -> None:
        seen.append(url)
        if len(seen) == 2:
            raise InterruptedError

    with serving(_site(moves)) as server:
        with pytest.raises(InterruptedError):
            _follow(session, server.url("/a"), before_hop=object_to_the_second)
        assert seen == [server.url("/b"), server.url("/c")]
        assert len(server.requests) == 2


def test_locations_with_spaces_and_utf8_are_understood(session: GuardedSession) -> None:
    with serving(_site({"/a": ("303", " /straße a ")})) as server:
        assert _follow(session, server.url("/a")).response.url == server.url("/stra%C3%9Fe%20a")


@pytest.mark.parametrize("status", ["300", "304", "305"])
def test_other_statuses_are_no_redirects(session: GuardedSession, status: str) -> None:
    with serving(_site({"/a": (status, "/b")})) as server:
        assert _follow(session, server.url("/a")).response.status_code == int(status)


def test_an_empty_location_is_no_redirect(session: GuardedSession) -> None:
    with serving(_site({"/a": ("302", "")})) as server:
        assert _follow(session, server.url("/a")).response.status_code == 302


@pytest.mark.parametrize(
    "location",
    [
        "http://10.0.0.1/",
        "http://169.254.169.254/latest/",
        "http://[fd00:ec2::254]/",
        "http://user@news.example/",
        "file:///etc/passwd",
        "gopher://news.example/",
        "//10.0.0.1/",
        "http://0x0a000001/",
    ],
)
def test_a_redirect_to_what_is_closed_is_not_followed(session: GuardedSession, location: str) -> None:
    with serving(_site({"/a": ("302", location)})) as server:
        with pytest.raises(requests.exceptions.InvalidURL) as raised:
            _follow(session, server.url("/a"))
        assert classify(raised.value) is Reason.BLOCKED


def test_a_redirect_to_a_name_of_a_closed_address_is_not_followed() -> None:
    def resolver(host: str, port: int) -> list[str]:
        return ["127.0.0.1" if host == "inside.example" else "127.0.0.2"]

    outside = EgressPolicy.from_setting("127.0.0.2/32")
    with untouched() as inside, guarded_session(outside, user_agent="x", resolver=resolver) as session:
        answer = http(b"", f"Location: http://inside.example:{inside}/", status="302 Found")

        def redirect(connection: socket.socket) -> None:
            connection.recv(65_536)
            connection.sendall(answer)

        with one_connection(redirect, "127.0.0.2") as port, pytest.raises(requests.ConnectionError) as raised:
            _follow(session, f"http://outside.example:{port}/")
        assert classify(raised.value) is Reason.BLOCKED


@pytest.mark.parametrize("location", ["http://[::1", "http://a]b/"])
def test_a_location_that_is_no_url_is_an_error(session: GuardedSession, location: str) -> None:
    with serving(_site({"/a": ("302", location)})) as server, pytest.raises(requests.exceptions.InvalidURL):
        _follow(session, server.url("/a"))


def _sent(server: LoopbackServer, number: int) -> set[str]:
    lines = server.requests[number].decode().lower().split("\r\n")
    return {line.split(":")[0] for line in lines} & {name.lower() for name in HEADERS}


def test_secrets_are_sent_on_to_the_same_host_only(session: GuardedSession) -> None:
    with (
        serving(_site({})) as other,
        serving(_site({"/a": ("302", "/b"), "/b": ("302", other.url())})) as server,
    ):
        _follow(session, server.url("/a"))
        assert _sent(server, 1) == {"x-api-key", "authorization", "if-none-match"}
        assert _sent(other, 0) == {"if-none-match"}


def test_secrets_that_were_dropped_do_not_come_back(session: GuardedSession) -> None:
    moves: dict[str, tuple[str, str]] = {}
    with serving(_site(moves)) as server:
        moves["/a"] = ("302", server.url("/b", host="127.0.0.1"))
        moves["/b"] = ("302", server.url("/c", host="localhost"))
        moves["/c"] = ("302", server.url("/d", host="news.example"))
        _follow(session, server.url("/a", host="news.example"))
        assert [_sent(server, number) for number in (2, 3)] == [{"if-none-match"}] * 2


def test_hops_are_counted(session: GuardedSession) -> None:
    moves = {f"/{number}": ("301", f"/{number + 1}") for number in range(6)}
    with serving(_site(moves)) as server:
        assert len(_follow(session, server.url("/1")).hops) == 5
        with pytest.raises(requests.TooManyRedirects) as raised:
            _follow(session, server.url("/0"))
        assert classify(raised.value) is Reason.STATUS_3XX
        with pytest.raises(requests.TooManyRedirects):
            _follow(session, server.url("/5"), max_hops=0)


def test_the_deadline_holds_for_all_hops(session: GuardedSession) -> None:
    with untouched() as port, pytest.raises(requests.Timeout) as raised:
        get_following_redirects(session, f"http://127.0.0.1:{port}/", deadline=time.monotonic() - 1)
    assert classify(raised.value) is Reason.TIMEOUT


def test_a_closed_url_is_refused_at_once(session: GuardedSession) -> None:
    with pytest.raises(requests.exceptions.InvalidURL) as raised:
        _follow(session, "http://10.0.0.1/")
    assert classify(raised.value) is Reason.BLOCKED
