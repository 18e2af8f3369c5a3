"""The guarded session over real sockets: what it connects to, and what it never touches."""

import datetime
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Event

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from core.egress import (
    BlockedAddress,
    EgressPolicy,
    GuardedSession,
    Resolver,
    check_url_now,
    classify,
    guarded_session,
    read_capped,
)
from core.egress.dialing import Dialer
from core.egress.resolving import resolve_within, system_resolver
from core.errors import Reason
from tests.unit.core.loopback_servers import (
    LOOPBACK_OPEN,
    http,
    loopback_resolver,
    sends,
    serving,
    untouched,
)

SessionMaker = Callable[..., GuardedSession]


@pytest.fixture
def make_session() -> Iterator[SessionMaker]:
    made: list[GuardedSession] = []

    def make(policy: EgressPolicy = LOOPBACK_OPEN, resolver: Resolver = loopback_resolver) -> GuardedSession:
        made.append(guarded_session(policy, user_agent="Clarion/test", resolver=resolver))
        return made[-1]

    yield make
    for session in made:
        session.close()


def _answers(*answers: Sequence[str]) -> Resolver:
    left = list(answers)
    return lambda host, port: left.pop(0)


def test_requests_what_is_open(make_session: SessionMaker) -> None:
    with serving(sends(http(b"hello"))) as server, make_session().get(server.url()) as response:
        assert response.content == b"hello"
        assert b"user-agent: clarion/test" in server.requests[0].lower()


def test_connections_are_kept_and_reused(make_session: SessionMaker) -> None:
    session = make_session()
    with serving(sends(http(b"hello"))) as server:
        for _ in range(3):
            assert session.get(server.url(), stream=False).text == "hello"
        assert server.connections == 1


def test_a_name_rebound_after_its_check_is_not_connected_to(make_session: SessionMaker) -> None:
    closed = EgressPolicy()
    resolver = _answers(["93.184.216.34"], ["127.0.0.1"])
    with untouched() as port:
        url = f"http://rebound.example:{port}/"
        check_url_now(url, closed, resolver)
        with pytest.raises(requests.ConnectionError) as raised:
            make_session(closed, resolver).get(url)
        assert classify(raised.value) is Reason.BLOCKED
        assert "127.0.0.1 is a loopback address" in str(raised.value)


def test_a_name_is_resolved_once_for_a_connection(make_session: SessionMaker) -> None:
    resolver = _answers(["127.0.0.1"], ["10.0.0.1"])
    with serving(sends(http(b"first"))) as server:
        response = make_session(resolver=resolver).get(server.url(host="rebound.example"), stream=False)
        assert response.text == "first"


@pytest.mark.parametrize("answer", ["::ffff:127.0.0.1", "::1", "0.0.0.0", "64:ff9b::7f00:1"])
def test_other_ways_to_say_loopback_are_closed(make_session: SessionMaker, answer: str) -> None:
    with untouched() as port:
        with pytest.raises(requests.ConnectionError) as raised:
            make_session(EgressPolicy(), _answers([answer])).get(f"http://inside.example:{port}/")
        assert classify(raised.value) is Reason.BLOCKED


@pytest.mark.parametrize("host", ["127.0.0.1", "2130706433", "0x7f.1", "localhost", "[::ffff:7f00:1]"])
def test_closed_hosts_in_urls_are_refused_before_anything_else(make_session: SessionMaker, host: str) -> None:
    with untouched() as port:
        with pytest.raises(requests.exceptions.InvalidURL) as raised:
            make_session(EgressPolicy()).get(f"http://{host}:{port}/")
        assert classify(raised.value) is Reason.BLOCKED


def test_a_mapped_address_connects_to_the_address_it_was_judged_as(make_session: SessionMaker) -> None:
    with serving(sends(http(b"mapped"))) as server:
        session = make_session(resolver=_answers(["::ffff:127.0.0.1"]))
        assert session.get(server.url(host="mapped.example"), stream=False).text == "mapped"


def test_of_mixed_answers_only_the_open_ones_are_connected_to(make_session: SessionMaker) -> None:
    with serving(sends(http(b"open"))) as server:
        session = make_session(resolver=_answers(["10.0.0.1", "169.254.169.254", "127.0.0.1"]))
        assert session.get(server.url(host="mixed.example"), stream=False).text == "open"


def test_the_next_address_is_tried_when_one_refuses(make_session: SessionMaker) -> None:
    with serving(sends(http(b"second"))) as server:
        session = make_session(resolver=_answers(["127.9.9.9", "::1", "127.0.0.1"]))
        assert session.get(server.url(host="two.example"), stream=False).text == "second"


def test_ports_hold_for_requests_too(make_session: SessionMaker) -> None:
    policy = EgressPolicy(allow=LOOPBACK_OPEN.allow, ports=frozenset({443}))
    with untouched() as port:
        with pytest.raises(requests.exceptions.InvalidURL) as raised:
            make_session(policy).get(f"http://127.0.0.1:{port}/")
        assert classify(raised.value) is Reason.BLOCKED


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"])
def test_proxies_of_the_environment_are_ignored(
    make_session: SessionMaker, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with untouched() as proxy, serving(sends(http(b"direct"))) as server:
        monkeypatch.setenv(variable, f"http://127.0.0.1:{proxy}")
        url = server.url(host="news.example")
        assert make_session().get(url, stream=False).text == "direct"


def test_a_proxy_that_is_given_is_refused(make_session: SessionMaker) -> None:
    with untouched() as proxy, pytest.raises(requests.exceptions.InvalidProxyURL):
        make_session().get("http://news.example/", proxies={"http": f"http://127.0.0.1:{proxy}"})


def test_netrc_is_not_read(
    make_session: SessionMaker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login someone password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with serving(sends(http())) as server:
        make_session().get(server.url(), stream=False)
        assert b"authorization" not in server.requests[0].lower()


def test_cookies_are_not_carried_on(make_session: SessionMaker) -> None:
    session = make_session()
    with serving(sends(http(b"", "Set-Cookie: session=1; Path=/"))) as server:
        session.get(server.url(), stream=False)
        session.get(server.url(), stream=False)
        assert b"cookie" not in server.requests[1].lower()


@pytest.mark.parametrize("status", ["301 Moved Permanently", "302 Found", "307 Temporary Redirect"])
def test_redirects_are_handed_back_with_their_bodies_unread(make_session: SessionMaker, status: str) -> None:
    with (
        untouched() as port,
        serving(sends(http(b"moved", f"Location: http://127.0.0.1:{port}/", status=status))) as server,
    ):
        session = make_session()
        with session.get(server.url(), allow_redirects=True) as response:
            assert response.is_redirect
            assert not response.history
            assert response.raw.tell() == 0


def test_timeouts_are_set_where_the_caller_sets_none(
    make_session: SessionMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.egress.session.READ_SECONDS", 0.1)
    with serving(sends()) as server, pytest.raises(requests.ReadTimeout):
        make_session().get(server.url())


def test_resolving_is_not_waited_for_without_end() -> None:
    asked, release = Event(), Event()

    def stuck(host: str, port: int) -> Sequence[str]:
        asked.set()
        release.wait(30)
        return ["127.0.0.1"]

    with pytest.raises(socket.gaierror, match=r"no answer about slow\.example in time"):
        resolve_within(0.05, stuck, "slow.example", 80)
    assert asked.wait(30)
    release.set()


def test_the_dialer_opens_nothing_when_all_addresses_are_closed() -> None:
    dialer = Dialer(EgressPolicy(), _answers(["127.0.0.1", "::1"]))
    with untouched() as port, pytest.raises(BlockedAddress, match="::1 is a loopback address"):
        dialer.connect("inside.example", port, 5)


def test_the_dialer_gives_up_when_no_time_is_left() -> None:
    with untouched() as port, pytest.raises(TimeoutError):
        Dialer(LOOPBACK_OPEN, loopback_resolver).connect("127.0.0.1", port, 0)


def test_the_system_resolver_knows_this_machine() -> None:
    assert {"127.0.0.1", "::1"} & set(system_resolver("localhost", 80))


class Authority:
    """A self-signed certificate for news.example and 127.0.0.1, and the names that clients asked for."""

    def __init__(self, folder: Path) -> None:
        self.names: list[str | None] = []
        self.path = folder / "certificate.pem"
        key = ec.generate_private_key(ec.SECP256R1())
        self.path.write_bytes(_certificate(key).public_bytes(serialization.Encoding.PEM))
        key_path = folder / "key.pem"
        key_path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(self.path, key_path)
        self.context.sni_callback = lambda sock, name, context: self.names.append(name)


def _certificate(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "news.example")])
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("news.example")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def test_tls_asks_for_the_name_and_not_for_the_address(
    make_session: SessionMaker, authority: Authority
) -> None:
    with serving(sends(http(b"secret")), authority.context) as server:
        url = server.url(host="news.example", scheme="https")
        response = make_session().get(url, verify=str(authority.path), stream=False)
        assert response.text == "secret"
        assert authority.names == ["news.example"]
        assert f"Host: news.example:{server.port}".encode() in server.requests[0]


@pytest.mark.parametrize("head", [b"", b"Connection: close\r\n", b"Content-Length: 9\r\n"])
def test_a_deadline_holds_under_tls(make_session: SessionMaker, authority: Authority, head: bytes) -> None:
    silent = sends(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n", b"x")
    with serving(silent, authority.context) as server:
        url = server.url(host="news.example", scheme="https")
        with make_session().get(url, verify=str(authority.path)) as response:
            with pytest.raises(requests.RequestException) as raised:
                read_capped(response, 100, time.monotonic() + 0.2)
            assert classify(raised.value) is Reason.TIMEOUT


def test_a_certificate_for_another_name_is_refused(make_session: SessionMaker, authority: Authority) -> None:
    with serving(sends(http(b"secret")), authority.context) as server:
        with pytest.raises(requests.exceptions.SSLError) as raised:
            make_session().get(server.url(host="other.example", scheme="https"), verify=str(authority.path))
        assert classify(raised.value) is Reason.TLS
        assert not server.requests


def test_a_certificate_of_an_unknown_authority_is_refused(
    make_session: SessionMaker, authority: Authority
) -> None:
    with serving(sends(http(b"secret")), authority.context) as server:
        with pytest.raises(requests.exceptions.SSLError) as raised:
            make_session().get(server.url(host="news.example", scheme="https"))
        assert classify(raised.value) is Reason.TLS


def test_closed_addresses_are_closed_to_tls_too(make_session: SessionMaker) -> None:
    with untouched() as port:
        with pytest.raises(requests.ConnectionError) as raised:
            make_session(EgressPolicy()).get(f"https://inside.example:{port}/")
        assert classify(raised.value) is Reason.BLOCKED
