"""The receiver records what arrives, and answers as it is told."""

import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

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
from tests.servers.process import wait_until


def test_requests_are_recorded_as_they_came(receiver: Receiver) -> None:
    with requests.Session() as session:
        session.post(f"{receiver.url}/hook?a=1", json={"b": 2}, headers={"X-One": "1", "x-two": "zwei"})
        session.post(f"{receiver.url}/hook", data=iter([b"in ", b"chunks"]))
    first, second = receiver.wait_for(2, path="/hook")
    assert (first.method, first.target, first.json()) == ("POST", "/hook?a=1", {"b": 2})
    assert (first.header("x-one"), first.header("X-TWO"), first.header("none")) == ("1", "zwei", None)
    assert [name for name, _ in first.headers if name.lower().startswith("x-")] == ["X-One", "x-two"]
    assert (second.body, receiver.connections) == (b"in chunks", 1)
    assert receiver.requests_for("/other") == []


def test_a_script_is_played_and_its_last_answer_stays(receiver: Receiver) -> None:
    url = receiver.script("/hook", Respond(503, b"busy", (("Retry-After", "3"),)), Respond(201, b"x" * 20))
    answers = [requests.post(url, timeout=5) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [503, 201, 201]
    assert (answers[0].headers["Retry-After"], answers[0].content) == ("3", b"busy")


def test_bodies_come_in_chunks_or_drop_by_drop(receiver: Receiver) -> None:
    chunked = receiver.script("/chunked", Respond(body=b"piece by piece", chunked=True))
    dripping = receiver.script("/dripping", Drip(b"drop", interval=0))
    assert requests.get(chunked, timeout=5).content == b"piece by piece"
    assert requests.get(dripping, timeout=5).content == b"drop"


def test_an_answer_waits_for_its_event(receiver: Receiver) -> None:
    release = threading.Event()
    url = receiver.script("/hook", Respond(204, after=release))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(requests.post, url, timeout=10)
        receiver.wait_for(1)
        assert not waiting.done()
        release.set()
        assert waiting.result().status_code == 204


def test_redirects(receiver: Receiver) -> None:
    url = receiver.script("/from", redirect(f"{receiver.url}/to", 307))
    assert requests.get(url, timeout=5).url == f"{receiver.url}/to"


@pytest.mark.parametrize(
    "answer",
    [
        Reset(),
        Close(),
        Endless(),
        Raw(b"no HTTP\r\n\r\n"),
        Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"),
    ],
)
def test_broken_answers_break_the_client(receiver: Receiver, answer: Answer) -> None:
    url = receiver.script("/hook", answer)
    with pytest.raises(requests.RequestException):
        _ = requests.post(url, timeout=5).content


def test_a_reset_is_a_reset(receiver: Receiver) -> None:
    receiver.script("/hook", Reset())
    with socket.create_connection(("127.0.0.1", receiver.port)) as client:
        client.sendall(b"GET /hook HTTP/1.1\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            client.recv(1)


def test_an_endless_body_goes_on_until_the_client_leaves(receiver: Receiver) -> None:
    with requests.get(receiver.script("/hook", endless_body()), stream=True, timeout=5) as answer:
        assert len(answer.raw.read(10_000_000)) == 10_000_000
    assert wait_until(lambda: receiver.open_connections == 0, 5)


def test_it_comes_back_at_the_same_place(receiver: Receiver) -> None:
    url = receiver.script("/hook", Hang(), Respond())
    with pytest.raises(requests.Timeout):
        requests.post(url, timeout=0.2)
    receiver.stop()
    with pytest.raises(requests.ConnectionError):
        requests.post(url, timeout=5)
    receiver.start()
    assert requests.post(url, timeout=5).ok
    assert len(receiver.requests) == 2
    receiver.forget()
    assert receiver.requests_for("/hook") == []


def test_what_is_no_request_ends_only_its_own_connection(receiver: Receiver) -> None:
    with socket.create_connection(("127.0.0.1", receiver.port)) as client:
        client.sendall(b"\r\n")
        assert client.recv(1) == b""
    assert requests.get(receiver.url, timeout=5).ok
    with pytest.raises(AssertionError, match="1 of 2"):
        receiver.wait_for(2, timeout=0.01)


def test_https(tls_receiver: Receiver) -> None:
    assert tls_receiver.certificate
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(tls_receiver.url, timeout=5)
    with requests.Session() as session:
        assert session.get(tls_receiver.url, timeout=5, verify=str(tls_receiver.certificate.certificate)).ok
        assert len(tls_receiver.requests) == 1
        tls_receiver.stop()  # which does not wait for the client to leave
        assert tls_receiver.open_connections == 0
