"""POSTs with libcurl over real sockets: what is sent, and what is read of the answer."""

import gzip
from pathlib import Path
from threading import Event

import pycurl
import pytest

from core.egress import PushAnswer, PushRequest
from core.errors import Reason
from tests.certificates import Certificate
from tests.receiver import Answer, Close, Raw, Receiver, Reset, Respond, endless_body, redirect
from tests.unit.core.loopback_servers import untouched
from tests.unit.core.pushes import TransferMaker, answered, push

# --- what is sent


def test_a_request_is_sent_as_given(make_transfer: TransferMaker, receiver: Receiver) -> None:
    answer = make_transfer().perform(push(f"{receiver.url}/hook?a=b", b'{"news":1}'))
    assert answer == PushAnswer(200)
    (request,) = receiver.requests
    assert (request.method, request.target, request.body) == ("POST", "/hook?a=b", b'{"news":1}')
    assert dict(request.headers) == {
        "Host": receiver.url.removeprefix("http://"),
        "User-Agent": "Clarion/test",
        "Accept": "*/*",
        "Content-Type": "application/json",
        "webhook-id": "dlv_1",
        "Content-Length": "10",
    }


def test_a_long_body_is_sent_without_asking_first(make_transfer: TransferMaker, receiver: Receiver) -> None:
    body = b"x" * 2_000_000
    assert make_transfer().perform(push(receiver.url, body)).status == 200
    assert receiver.requests[0].body == body
    assert receiver.requests[0].header("Expect") is None


def test_connections_are_kept_and_reused(make_transfer: TransferMaker, receiver: Receiver) -> None:
    transfer = make_transfer()
    assert [transfer.perform(push(receiver.url)).status for _ in range(3)] == [200] * 3
    assert receiver.connections == 1


def test_nothing_of_one_request_reaches_the_next(make_transfer: TransferMaker, receiver: Receiver) -> None:
    challenge = Respond(
        401,
        b"who are you",
        headers=(
            ("Set-Cookie", "session=1; Path=/"),
            ("WWW-Authenticate", 'Basic realm="x"'),
            ("Retry-After", "9"),
        ),
    )
    receiver.script("/first", challenge)
    transfer = make_transfer()
    secret = PushRequest(f"{receiver.url}/first", ["Authorization: Bearer swordfish"], b"a long body")
    first = transfer.perform(secret)
    assert (first.status, first.retry_after, first.excerpt) == (401, "9", b"who are you")
    assert transfer.perform(PushRequest(f"{receiver.url}/second", ["X-Own: 1"], b"")) == PushAnswer(200)
    second = receiver.requests_for("/second")[0]
    assert {name.lower() for name, _ in second.headers} <= {
        "host",
        "user-agent",
        "accept",
        "x-own",
        "content-length",
        "content-type",
    }
    assert second.body == b""
    assert "swordfish" not in str(second.headers)


def test_a_failure_is_forgotten_with_the_next_request(
    make_transfer: TransferMaker, receiver: Receiver
) -> None:
    transfer = make_transfer(resolve=(f"inside.example:{receiver.port}:10.1.2.3",))
    assert answered(transfer, receiver, endless_body(500)).status == 500
    assert answered(transfer, receiver, Reset()).reason is Reason.RESET
    inside = transfer.perform(push(f"http://inside.example:{receiver.port}/"))
    assert (inside.status, inside.reason) == (None, Reason.BLOCKED)
    assert answered(transfer, receiver, Respond(204)) == PushAnswer(204)


def test_netrc_is_not_read(
    make_transfer: TransferMaker, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".netrc").write_text("default login someone password secret\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    make_transfer().perform(push(receiver.url))
    assert receiver.requests[0].header("Authorization") is None


@pytest.mark.parametrize("variable", ["http_proxy", "https_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"])
def test_proxies_of_the_environment_are_ignored(
    make_transfer: TransferMaker,
    receiver: Receiver,
    tls_receiver: Receiver,
    certificate: Certificate,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with untouched() as proxy:
        monkeypatch.setenv(variable, f"http://127.0.0.1:{proxy}")
        transfer = make_transfer(ca_file=certificate.certificate)
        assert transfer.perform(push(receiver.url)) == PushAnswer(200)
        assert transfer.perform(push(tls_receiver.url)) == PushAnswer(200)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(make_transfer: TransferMaker, receiver: Receiver, status: int) -> None:
    with untouched() as elsewhere:
        answer = answered(make_transfer(), receiver, redirect(f"http://127.0.0.1:{elsewhere}/", status))
    assert answer == PushAnswer(status)


# --- what is read of the answer


def test_the_beginning_of_the_body_is_kept(make_transfer: TransferMaker, receiver: Receiver) -> None:
    answer = answered(make_transfer(), receiver, Respond(400, b"No: " + b"x" * 5_000))
    assert answer == PushAnswer(400, excerpt=b"No: " + b"x" * 4_092)


PAST, FAR = "Sun, 06 Nov 1994 08:49:37 GMT", "Fri, 31 Dec 2094 23:59:59 GMT"


@pytest.mark.parametrize("sent", ["120", "0", "soon", "99999", PAST, FAR, "-5", "1e18"])
def test_retry_after_is_read_to_the_letter(
    make_transfer: TransferMaker, receiver: Receiver, sent: str
) -> None:
    answer = answered(make_transfer(), receiver, Respond(429, headers=(("Retry-After", f"  {sent} "),)))
    assert (answer.status, answer.retry_after) == (429, sent)


def test_a_wait_is_forgotten_with_the_next_request(make_transfer: TransferMaker, receiver: Receiver) -> None:
    transfer = make_transfer()
    asked = Respond(429, headers=(("retry-AFTER", "7"),))
    assert answered(transfer, receiver, asked).retry_after == "7"
    assert answered(transfer, receiver, Respond(429)).retry_after is None
    assert answered(transfer, receiver, Respond(204, headers=(("Retry-After", "7"),))).retry_after is None


def test_the_final_status_counts(make_transfer: TransferMaker, receiver: Receiver) -> None:
    early = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
    transfer = make_transfer()
    assert answered(transfer, receiver, Raw(early + b"HTTP/1.1 204 No Content\r\n\r\n")) == PushAnswer(204)
    broken = answered(transfer, receiver, Raw(early))
    assert (broken.status, broken.reason) == (None, Reason.RESET)


@pytest.mark.parametrize("coding", ["gzip", "GZIP", "identity, gzip"])
def test_compressed_bodies_are_not_expanded(
    make_transfer: TransferMaker, receiver: Receiver, coding: str
) -> None:
    packed = gzip.compress(b"x" * 100_000)
    answer = answered(
        make_transfer(), receiver, Respond(200, packed, headers=(("Content-Encoding", coding),))
    )
    assert answer == PushAnswer(200, excerpt=b"(not text, %d bytes)" % len(packed))


def test_a_compressed_transfer_is_refused(make_transfer: TransferMaker, receiver: Receiver) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nConnection: close\r\n\r\n"
    answer = answered(make_transfer(), receiver, Raw(head + gzip.compress(b"x" * 100_000)))
    assert (answer.status, answer.reason, answer.excerpt) == (200, Reason.PROTOCOL, b"")


def test_text_is_text_in_any_script(make_transfer: TransferMaker, receiver: Receiver) -> None:
    words = "Здравствуйте\r\n\tçà\n".encode()
    assert answered(make_transfer(), receiver, Respond(200, words)).excerpt == words


# --- many at once


def test_many_share_one_multi_handle(make_transfer: TransferMaker, receiver: Receiver) -> None:
    scripts: dict[str, Answer] = {
        "good": Respond(204),
        "full": Respond(507, b"full", headers=(("Retry-After", "60"),)),
        "long": endless_body(),
        "reset": Reset(),
        "closed": Close(),
    }
    expected = {
        "good": (204, None, None, b""),
        "full": (507, None, "60", b"full"),
        "long": (200, None, None, b"x" * 4_096),
        "reset": (None, Reason.RESET, None, b""),
        "closed": (None, Reason.RESET, None, b""),
    }
    by_curl = {}
    multi = pycurl.CurlMulti()
    for name, script in scripts.items():
        transfer = make_transfer()
        transfer.prepare(push(receiver.script(f"/{name}", script)))
        by_curl[transfer.curl] = name, transfer
        multi.add_handle(transfer.curl)
    found: dict[str, tuple[object, ...]] = {}
    while len(found) < len(scripts):
        multi.perform()
        _, good, bad = multi.info_read()
        for curl, error, message in [*((curl, None, "") for curl in good), *bad]:
            name, transfer = by_curl[curl]
            answer = transfer.answer(error, message)
            found[name] = (answer.status, answer.reason, answer.retry_after, answer.excerpt)
            multi.remove_handle(curl)
        multi.select(0.05)
    multi.close()
    assert found == expected


def test_an_answer_that_waits_holds_up_no_other(make_transfer: TransferMaker, receiver: Receiver) -> None:
    release = Event()
    slow, quick = make_transfer(), make_transfer()
    multi = pycurl.CurlMulti()
    slow.prepare(push(receiver.script("/slow", Respond(after=release))))
    quick.prepare(push(receiver.script("/quick", Respond(202))))
    for transfer in (slow, quick):
        multi.add_handle(transfer.curl)
    done: list[pycurl.Curl] = []
    while len(done) < 2:
        multi.perform()
        done += multi.info_read()[1]
        if done == [quick.curl]:
            release.set()
        multi.select(0.05)
    assert [transfer.answer(None).status for transfer in (quick, slow)] == [202, 200]
    for transfer in (slow, quick):
        multi.remove_handle(transfer.curl)
    multi.close()
