"""Getting a document over real sockets, and saying why not."""

import gzip
from collections.abc import Iterator
from ipaddress import ip_network

import pytest

from core.egress import EgressPolicy, GuardedSession, guarded_session
from core.errors import Reason
from fetcher.fetching import BODY_LIMIT, fetch
from fetcher.sources.base import Document, FetchRequest, NotModified, SourceError
from tests.receiver import (
    Answer,
    Close,
    Drip,
    Endless,
    Hang,
    Raw,
    Receiver,
    Reset,
    Respond,
    endless_body,
    redirect,
)
from tests.servers import free_port


@pytest.fixture
def session() -> Iterator[GuardedSession]:
    policy = EgressPolicy((ip_network("127.0.0.0/8"),))
    with guarded_session(policy, user_agent="Clarion test") as made:
        yield made


def get(session: GuardedSession, url: str, **credentials: str) -> Document:
    fetched = fetch(session, FetchRequest(url, {"Accept": "text/xml"}, credentials))
    assert isinstance(fetched, Document)
    return fetched


def failure(session: GuardedSession, url: str) -> SourceError:
    with pytest.raises(SourceError) as caught:
        get(session, url)
    return caught.value


def test_a_document_with_its_headers_in_lower_case(session: GuardedSession, receiver: Receiver) -> None:
    url = receiver.script("/feed", Respond(200, b"<rss/>", (("Content-Type", "text/xml"), ("ETag", '"a"'))))
    document = get(session, url)
    assert (document.url, document.status, document.body) == (url, 200, b"<rss/>")
    assert (document.content_type, document.headers["etag"]) == ("text/xml", '"a"')
    assert receiver.requests[0].header("accept") == "text/xml"


@pytest.mark.parametrize("status", [200, 204, 400, 404, 429, 500])
def test_every_status_is_for_the_kind_to_judge(
    session: GuardedSession, receiver: Receiver, status: int
) -> None:
    assert get(session, receiver.script("/feed", Respond(status))).status == status


def test_not_modified(session: GuardedSession, receiver: Receiver) -> None:
    request = FetchRequest(receiver.script("/feed", Respond(304)), {"If-None-Match": '"a"'})
    assert isinstance(fetch(session, request), NotModified)
    assert receiver.requests[0].header("if-none-match") == '"a"'


def test_a_compressed_document_is_unpacked(session: GuardedSession, receiver: Receiver) -> None:
    packed = Respond(200, gzip.compress(b"<rss/>"), (("Content-Encoding", "gzip"),))
    assert get(session, receiver.script("/feed", packed)).body == b"<rss/>"


def test_a_document_that_unpacks_beyond_measure(session: GuardedSession, receiver: Receiver) -> None:
    packed = Respond(200, gzip.compress(b"\0" * (BODY_LIMIT + 1)), (("Content-Encoding", "gzip"),))
    assert failure(session, receiver.script("/feed", packed)).reason == Reason.TOO_LARGE


def test_redirects_are_followed_to_their_end(session: GuardedSession, receiver: Receiver) -> None:
    start = receiver.script("/a", redirect("/b", 301))
    receiver.script("/b", redirect("/c", 307))
    end = receiver.script("/c", Respond(200, b"here"))
    document = get(session, start)
    assert (document.url, document.body) == (end, b"here")


def test_credentials_stay_with_the_server_they_are_for(session: GuardedSession, receiver: Receiver) -> None:
    with Receiver() as elsewhere:
        start = receiver.script("/a", redirect("/b"))
        receiver.script("/b", redirect(elsewhere.url + "/c"))
        get(session, start, **{"X-Api-Key": "secret"})
        assert [request.header("x-api-key") for request in receiver.requests] == ["secret", "secret"]
        (there,) = elsewhere.requests
        assert there.header("x-api-key") is None
        assert there.header("accept") == "text/xml"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Hang(), Reason.TIMEOUT),
        (Drip(b"x" * 1_000), Reason.TIMEOUT),
        (Reset(), Reason.RESET),
        (Close(), Reason.RESET),
        (Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"), Reason.RESET),
        (Raw(b"SSH-2.0-OpenSSH_9\r\n"), Reason.PROTOCOL),
        (Endless(), Reason.PROTOCOL),
        (endless_body(), Reason.TOO_LARGE),
        (Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n"), Reason.TOO_LARGE),
        (redirect("/feed"), Reason.STATUS_3XX),
        (redirect("http://169.254.169.254/latest/meta-data/"), Reason.BLOCKED),
        (redirect("http://[::ffff:10.0.0.1]/"), Reason.BLOCKED),
        (redirect("ftp://example.com/feed"), Reason.BLOCKED),
    ],
    ids=lambda value: getattr(value, "value", None) or type(value).__name__,
)
def test_failures_have_a_reason_and_words(
    session: GuardedSession,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    answer: Answer,
    reason: Reason,
) -> None:
    if reason == Reason.TIMEOUT:
        monkeypatch.setattr("fetcher.fetching.DEADLINE_SECONDS", 0.5)
    error = failure(session, receiver.script("/feed", answer))
    assert error.reason == reason
    assert str(error) == error.words
    assert error.words[0].isupper()
    assert "127.0.0.1" not in error.words


def test_a_chain_of_redirects_has_one_deadline(
    session: GuardedSession, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fetcher.fetching.DEADLINE_SECONDS", 0.4)
    start = receiver.script("/a", redirect("/b"))
    receiver.script("/b", redirect("/c"))
    receiver.script("/c", Hang())
    assert failure(session, start).reason == Reason.TIMEOUT


def test_a_server_that_is_not_there(session: GuardedSession) -> None:
    assert failure(session, f"http://127.0.0.1:{free_port()}/").reason == Reason.REFUSED


def test_a_certificate_that_nobody_vouches_for(session: GuardedSession, tls_receiver: Receiver) -> None:
    assert failure(session, tls_receiver.url + "/feed").reason == Reason.TLS


def test_connections_are_given_back(session: GuardedSession, receiver: Receiver) -> None:
    url = receiver.script("/feed", Respond(200, b"x"), Respond(404, b"none"), Respond(200, b"y"))
    for _ in range(3):
        fetch(session, FetchRequest(url))
    assert receiver.connections == 1
