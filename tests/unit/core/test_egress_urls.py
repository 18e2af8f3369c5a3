"""What the text of a URL gives away, in every spelling of hosts and addresses."""

import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, ip_address, ip_network

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.egress import BlockedUrl, EgressPolicy, Target, check_url, check_url_now, spell_url
from core.egress.hosts import read_host

NOTHING_OPEN = EgressPolicy()
LOOPBACK = EgressPolicy(allow=(ip_network("127.0.0.0/8"),))

LOOPBACK_SPELLINGS = (
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "2130706433",
    "0x7f000001",
    "0X7F.0x0.0x0.0x1",
    "0x7f.1",
    "0177.0.0.1",
    "0177.0x0.1",
    "017700000001",
    "00000177.0.0.1",
    "127.0.0.0x1",
    "127.0x1",
    "１２７．０．０．１",
    "127。0。0。1",
    "①②⑦.0.0.1",
    "[::ffff:127.0.0.1]",
    "[0:0:0:0:0:ffff:7f00:1]",
)
REFUSED_URLS = (
    "",
    "example.com",
    "//example.com/",
    "ftp://example.com/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:25/_HELO",
    "javascript:alert(1)",
    "http:example.com",
    "http:/example.com",
    "http://",
    "http:///path",
    "http://:80/",
    "http://?query",
    "https://user@example.com/",
    "https://user:password@example.com/",
    "https://:password@example.com/",
    "https://example.com@127.0.0.1/",
    "https://127.0.0.1#@example.com/",
    "https://@example.com/",
    " https://example.com/",
    "https://example.com/ ",
    "https://exa mple.com/",
    "https://example.com/a b",
    "https://example.com/a\tb",
    "https://example.com/\r\nX-Header: 1",
    "https://example.com/\x00",
    "https://example.com/\x7f",
    "https://example.com/\u00a0",
    "https://example.com/\u2028",
    "https://example.com/\u202e",
    "https://example.com/\ud800",
    "https://example.com\\@127.0.0.1/",
    "https:\\\\example.com/",
    "https://example.com./",
    "https://localhost./",
    "https://127.0.0.1./",
    "https://.example.com/",
    "https://example..com/",
    "https://exa%6dple.com/",
    "https://%31%32%37.0.0.1/",
    "https://exa$mple.com/",
    "https://exa<mple.com/",
    "https://*.example.com/",
    "https://☃.net/",
    "https://" + "a" * 64 + ".com/",
    "https://" + "a." * 127 + "com/",
    "https://example.com:0/",
    "https://example.com:65536/",
    "https://example.com:-1/",
    "https://example.com:+80/",
    "https://example.com:8 0/",
    "https://example.com:８０/",
    "https://example.com:http/",
    "https://[::1/",
    "https://[::1]x/",
    "https://[example.com]/",
    "https://[127.0.0.1]/",
    "https://[v1.fe]/",
    "https://::1/",
    "https://1.2.3.4.5/",
    "https://256.0.0.1/",
    "https://1.2.3.256/",
    "https://1.2.65536/",
    "https://4294967296/",
    "https://0x100000000/",
    "https://08.8.8.8/",
    "https://news.0x7f/",
    "https://news.1/",
    "https://10.0.0.1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://0x0a000001/",
    "https://[::]/",
    "https://[::1]/",
    "https://[fd00:ec2::254]/",
    "https://[fe80::1%25eth0]/",
    "https://[fe80::1%eth0]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[2002:7f00:1::1]/",
    "https://localhost/",
    "https://LOCALHOST:8080/",
    "https://api.localhost/",
    "https://ｌｏｃａｌｈｏｓｔ/",
    "https://0/",
)


@pytest.mark.parametrize("host", LOOPBACK_SPELLINGS)
def test_every_spelling_of_an_address_is_judged_as_the_address(host: str) -> None:
    with pytest.raises(BlockedUrl, match="is a loopback address"):
        check_url(f"http://{host}/", NOTHING_OPEN)
    target = check_url(f"http://{host}:8080/hook", LOOPBACK)
    assert target.address in (ip_address("127.0.0.1"), ip_address("::ffff:127.0.0.1"))


@pytest.mark.parametrize("url", REFUSED_URLS)
def test_is_refused(url: str) -> None:
    with pytest.raises(BlockedUrl) as raised:
        check_url(url, NOTHING_OPEN)
    assert str(raised.value)


@pytest.mark.parametrize(
    ("url", "spelled"),
    [
        ("https://example.com", "https://example.com/"),
        ("HTTPS://EXAMPLE.com:443/Path?q=A#part", "https://example.com/Path?q=A"),
        ("http://example.com:443/", "http://example.com:443/"),
        ("http://example.com:/", "http://example.com/"),
        ("https://bücher.example/straße?q=ü", "https://xn--bcher-kva.example/stra%C3%9Fe?q=%C3%BC"),
        ("https://xn--bcher-kva.example/", "https://xn--bcher-kva.example/"),
        ("https://faß.example/", "https://xn--fa-hia.example/"),
        ("https://例え。jp/", "https://xn--r8jz45g.jp/"),
        ("https://my_hooks.example.com/", "https://my_hooks.example.com/"),
        ("https://hooks/", "https://hooks/"),
        ("https://0x08080808:81/", "https://8.8.8.8:81/"),
        ("https://[2606:4700:0::1111]:81/", "https://[2606:4700::1111]:81/"),
        ("https://example.com/a%2Fb%20c?sig=%2B+~*", "https://example.com/a%2Fb%20c?sig=%2B+~*"),
        ('https://example.com/<">?{|}', "https://example.com/%3C%22%3E?%7B%7C%7D"),
        ("https://1password.example/", "https://1password.example/"),
        ("https://not-localhost.example/", "https://not-localhost.example/"),
        ("https://example.com/@user?u=a@b", "https://example.com/@user?u=a@b"),
    ],
)
def test_is_accepted_and_spelled_plainly(url: str, spelled: str) -> None:
    target = check_url(url, NOTHING_OPEN)
    assert target.url == spelled
    assert check_url(spelled, NOTHING_OPEN) == target
    assert spell_url(url) == spelled


@pytest.mark.parametrize("url", ["http://10.0.0.1/x", "http://localhost:8000/", "http://127.1:81/"])
def test_spelling_does_not_judge(url: str) -> None:
    everything = EgressPolicy(allow=(ip_network("0.0.0.0/0"), ip_network("::/0")))
    assert spell_url(url) == check_url(url, everything).url


@pytest.mark.parametrize(
    "url", ["", "ftp://example.com/", "https://user@example.com/", "https://exa mple.com/"]
)
def test_what_is_no_url_is_not_spelled(url: str) -> None:
    with pytest.raises(BlockedUrl):
        spell_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://user:swordfish@example.com/",
        "https://user:swordfish@example\u2100.com/?token=swordfish",
        "https://user:swordfish@[::1/",
        "https://10.0.0.1/swordfish?token=swordfish#swordfish",
        "https://example.com:x/swordfish?token=swordfish",
        "https://exa$mple.com/swordfish?token=swordfish",
        "gopher://example.com/swordfish?token=swordfish",
        "https://example.com/swordfish?token=swordfish x",
    ],
)
def test_a_refusal_does_not_repeat_what_may_be_secret(url: str) -> None:
    with pytest.raises(BlockedUrl) as raised:
        check_url(url, NOTHING_OPEN)
    assert "swordfish" not in str(raised.value)


def test_a_target_is_taken_apart() -> None:
    target = check_url("https://[2606:4700::1111]/x", NOTHING_OPEN)
    assert target.origin == ("https", "2606:4700::1111", 443)
    assert target.address == ip_address("2606:4700::1111")
    assert check_url("http://example.com/", NOTHING_OPEN).address is None


def test_length_is_bounded() -> None:
    start = "https://example.com/"
    assert check_url(start + "a" * (2_048 - len(start)), NOTHING_OPEN)
    with pytest.raises(BlockedUrl, match="2,048 characters, this one has 2,049"):
        check_url(start + "a" * (2_049 - len(start)), NOTHING_OPEN)


def test_ports_can_be_restricted() -> None:
    web = EgressPolicy(ports=frozenset({80, 443}))
    assert check_url("https://example.com/", web).port == 443
    with pytest.raises(BlockedUrl, match="port 8443 is not open"):
        check_url("https://example.com:8443/", web)


def test_localhost_is_open_where_loopback_is() -> None:
    assert check_url("http://localhost:8000/", LOOPBACK).host == "localhost"
    assert check_url("http://api.localhost/", EgressPolicy(allow=(ip_network("::1/128"),)))


@given(st.text(max_size=60) | st.text(max_size=40).map("https://{}/".format))
@example("https://[/")
@example("https://example.com:99999999999999999999/")
def test_no_text_gets_past_other_than_as_a_target_or_a_refusal(text: str) -> None:
    try:
        target = check_url(text, NOTHING_OPEN)
    except BlockedUrl:
        return
    assert target.url.isascii()
    assert check_url(target.url, NOTHING_OPEN) == target


def _decimal(number: int) -> str:
    return str(number)


def _octal(number: int) -> str:
    return f"0{number:o}"


def _hexadecimal(number: int) -> str:
    return f"0x{number:x}"


@given(
    st.ip_addresses(v=4),
    st.integers(1, 4),
    st.lists(st.sampled_from([_decimal, _octal, _hexadecimal]), min_size=4, max_size=4),
)
def test_numeric_spellings_are_read_as_resolvers_read_them(
    address: IPv4Address, parts: int, spell: list[object]
) -> None:
    packed = address.packed
    numbers = [*packed[: parts - 1], int.from_bytes(packed[parts - 1 :], "big")]
    text = ".".join(form(number) for form, number in zip(spell, numbers, strict=False))  # type: ignore[operator]
    assert read_host(text) == address
    assert socket.inet_aton(text) == packed


class Answers:
    """A resolver that gives one answer after the other, or fails."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers = list(answers)

    def __call__(self, host: str, port: int) -> Sequence[str]:
        if not self._answers:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return self._answers.pop(0)


def _now(*addresses: str, url: str = "https://news.example/") -> Target:
    return check_url_now(url, NOTHING_OPEN, Answers(addresses))


def test_a_name_with_public_addresses_is_accepted_now() -> None:
    assert _now("93.184.216.34", "2606:4700::1111").host == "news.example"


@pytest.mark.parametrize(
    "addresses", [("10.0.0.1",), ("93.184.216.34", "127.0.0.1"), ("2606:4700::1111", "::ffff:127.0.0.1")]
)
def test_one_closed_address_is_enough_to_be_refused_now(addresses: tuple[str, ...]) -> None:
    with pytest.raises(BlockedUrl, match=rf"news.example leads to {addresses[-1]}"):
        _now(*addresses)


def test_a_name_that_does_not_resolve_is_accepted_now() -> None:
    assert check_url_now("https://news.example/", NOTHING_OPEN, Answers())
    assert check_url_now("https://news.example/", NOTHING_OPEN, Answers(()))


def test_an_address_is_not_resolved() -> None:
    def never(host: str, port: int) -> Sequence[str]:
        raise AssertionError("asked")

    assert check_url_now("https://8.8.8.8/", NOTHING_OPEN, never).address == ip_address("8.8.8.8")


def test_the_systems_resolver_is_asked_by_default() -> None:
    assert check_url_now(
        "http://localhost:1/", EgressPolicy(allow=(ip_network("127.0.0.0/8"), ip_network("::1")))
    )
