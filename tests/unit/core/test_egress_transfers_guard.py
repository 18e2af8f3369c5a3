"""What libcurl is never let connect to, in every spelling and by every way that leads there."""

import socket
from ipaddress import IPv6Address, ip_address, ip_network

import pycurl
import pytest

from core.egress import BlockedUrl, EgressPolicy, PushAnswer, Transfer, transfers
from core.errors import Reason
from tests.receiver import Receiver, Respond
from tests.unit.core.loopback_servers import LOOPBACK_OPEN, untouched
from tests.unit.core.pushes import TransferMaker, push
from tests.unit.core.test_egress_addresses import CLOSED, PUBLIC
from tests.unit.core.test_egress_urls import LOOPBACK_SPELLINGS, REFUSED_URLS

NOTHING_OPEN = EgressPolicy()


class Sockets:
    """Stands where sockets are made: makes none, and notes the address for which one was asked."""

    def __init__(self) -> None:
        self.families: list[int] = []

    def socket(self, family: int, kind: int, protocol: int) -> socket.socket:
        self.families.append(family)
        raise OSError(0, "no test sends anything to such an address")


@pytest.fixture
def sockets(monkeypatch: pytest.MonkeyPatch) -> Sockets:
    made = Sockets()
    monkeypatch.setattr(transfers, "socket", made)
    return made


@pytest.fixture
def transfer(make_transfer: TransferMaker) -> Transfer:
    """For which only the public Internet is open."""
    return make_transfer(NOTHING_OPEN)


@pytest.fixture
def loopback(make_transfer: TransferMaker) -> Transfer:
    """For which this machine is open as well."""
    return make_transfer()


def lead(transfer: Transfer, *entries: str) -> None:
    """Have names resolve as `name:port:address,address` says, in place of what they did."""
    transfer.curl.setopt(pycurl.RESOLVE, list(entries))


def bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def is_address(text: str) -> bool:
    try:
        return not (isinstance(parsed := ip_address(text), IPv6Address) and parsed.scope_id)
    except ValueError:
        return False


@pytest.mark.parametrize("address", [address for address in CLOSED if is_address(address)])
def test_a_name_that_leads_to_a_closed_address_opens_nothing(
    transfer: Transfer, sockets: Sockets, address: str
) -> None:
    lead(transfer, f"inside.example:80:{bracketed(address)}")
    answer = transfer.perform(push("http://inside.example/hook?token=swordfish"))
    assert (answer.status, answer.reason) == (None, Reason.BLOCKED)
    assert (answer.detail or "").startswith("inside.example is not open to users' URLs: ")
    assert "swordfish" not in (answer.detail or "")
    assert sockets.families == []


@pytest.mark.parametrize("address", PUBLIC)
def test_a_name_that_leads_to_an_open_address_opens_a_socket(
    transfer: Transfer, sockets: Sockets, address: str
) -> None:
    lead(transfer, f"news.example:80:{bracketed(address)}")
    assert transfer.perform(push("http://news.example/")).reason is Reason.INTERNAL
    assert sockets.families == [socket.AF_INET6 if ":" in address else socket.AF_INET]


@pytest.mark.parametrize("address", CLOSED)
def test_the_decision_itself_is_closed_to_whatever_is_no_open_address(
    transfer: Transfer, sockets: Sockets, address: str
) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    for spelled in (address, address.encode()):
        opened = transfer._open(0, (family, socket.SOCK_STREAM, 0, (spelled, 80)))
        assert opened == pycurl.SOCKET_BAD
    assert sockets.families == []


@pytest.mark.parametrize("url", [*REFUSED_URLS, *(f"http://{host}:8080/" for host in LOOPBACK_SPELLINGS)])
def test_a_url_that_is_refused_opens_nothing(transfer: Transfer, sockets: Sockets, url: str) -> None:
    for _ in range(2):  # the second time from memory, were it remembered
        with pytest.raises(BlockedUrl):
            transfer.prepare(push(url))
        answer = transfer.perform(push(url))
        assert (answer.status, answer.reason) == (None, Reason.BLOCKED)
        assert answer.detail
    assert sockets.families == []


@pytest.mark.parametrize("host", [*(host for host in LOOPBACK_SPELLINGS if host.isascii()), "localhost"])
def test_the_guard_holds_at_connecting_whatever_libcurl_makes_of_a_host(
    transfer: Transfer, sockets: Sockets, host: str
) -> None:
    transfer.prepare(push("http://news.example/"))
    transfer.curl.setopt(pycurl.URL, f"http://{host}/")
    with pytest.raises(pycurl.error) as raised:
        transfer.curl.perform()
    assert transfer.answer(*raised.value.args).reason is Reason.BLOCKED
    assert sockets.families == []


@pytest.mark.parametrize(
    "url", ["file:///etc/hostname", "ftp://127.0.0.1/", "gopher://127.0.0.1/", "telnet://127.0.0.1/"]
)
def test_libcurl_speaks_http_only(loopback: Transfer, sockets: Sockets, url: str) -> None:
    loopback.prepare(push("http://127.0.0.1/"))
    loopback.curl.setopt(pycurl.URL, url)
    with pytest.raises(pycurl.error) as raised:
        loopback.curl.perform()
    assert raised.value.args[0] == pycurl.E_UNSUPPORTED_PROTOCOL
    assert sockets.families == []


def test_a_refusal_prints_nothing(transfer: Transfer, capfd: pytest.CaptureFixture[str]) -> None:
    lead(transfer, "inside.example:80:127.0.0.1,169.254.169.254,[::1]")
    answer = transfer.perform(push("http://inside.example/"))
    assert answer.reason is Reason.BLOCKED
    for words in ("127.0.0.1 is a loopback address", "169.254.169.254 is a link-local", "::1 is a loopback"):
        assert words in (answer.detail or "")
    assert capfd.readouterr().err == ""


def test_of_mixed_answers_only_the_open_ones_are_connected_to(loopback: Transfer, receiver: Receiver) -> None:
    lead(loopback, f"mixed.example:{receiver.port}:10.0.0.1,169.254.169.254,[fd00::1],127.0.0.1")
    assert loopback.perform(push(f"http://mixed.example:{receiver.port}/")) == PushAnswer(200)


def test_the_next_address_is_tried_when_one_refuses(loopback: Transfer, receiver: Receiver) -> None:
    lead(loopback, f"two.example:{receiver.port}:127.9.9.9,127.0.0.1")
    assert loopback.perform(push(f"http://two.example:{receiver.port}/")) == PushAnswer(200)


def test_an_open_address_that_fails_is_what_is_told_of_mixed_ones(loopback: Transfer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    lead(loopback, f"mixed.example:{port}:10.0.0.1,127.0.0.1")
    answer = loopback.perform(push(f"http://mixed.example:{port}/"))
    assert answer == PushAnswer(reason=Reason.REFUSED, detail="cannot connect: connection refused")


def test_a_mapped_address_connects_to_the_address_it_was_judged_as(
    loopback: Transfer, receiver: Receiver
) -> None:
    lead(loopback, f"mapped.example:{receiver.port}:[::ffff:127.0.0.1]")
    assert loopback.perform(push(f"http://mapped.example:{receiver.port}/")) == PushAnswer(200)


def test_only_what_the_policy_names_is_opened(make_transfer: TransferMaker) -> None:
    neighbour = EgressPolicy(allow=(ip_network("127.0.0.2/32"),))
    with untouched() as port:
        transfer = make_transfer(neighbour, resolve=(f"here.example:{port}:127.0.0.1",))
        assert transfer.perform(push(f"http://here.example:{port}/")).reason is Reason.BLOCKED


def test_a_name_rebound_is_refused_at_its_next_connection(loopback: Transfer, receiver: Receiver) -> None:
    url = f"http://rebound.example:{receiver.port}/"
    receiver.script("/", Respond(headers=(("Connection", "close"),)))
    lead(loopback, f"rebound.example:{receiver.port}:127.0.0.1")
    assert loopback.perform(push(url)) == PushAnswer(200)
    lead(loopback, f"-rebound.example:{receiver.port}", f"rebound.example:{receiver.port}:10.0.0.1")
    answer = loopback.perform(push(url))
    assert answer.reason is Reason.BLOCKED
    assert answer.detail == ("rebound.example is not open to users' URLs: 10.0.0.1 is a private address")
    assert receiver.connections == 1


def test_ports_hold(make_transfer: TransferMaker) -> None:
    with untouched() as port:
        web = make_transfer(EgressPolicy(LOOPBACK_OPEN.allow, frozenset({443})))
        answer = web.perform(push(f"http://127.0.0.1:{port}/"))
    assert answer == PushAnswer(reason=Reason.BLOCKED, detail=f"port {port} is not open to users' URLs")


def test_policies_do_not_share_what_they_know_of_a_url(
    make_transfer: TransferMaker, receiver: Receiver
) -> None:
    policies = (LOOPBACK_OPEN, NOTHING_OPEN, LOOPBACK_OPEN)
    answers = [make_transfer(policy).perform(push(receiver.url)) for policy in policies]
    assert [answer.reason for answer in answers] == [None, Reason.BLOCKED, None]
