"""Which addresses are open: a table of all kinds, and properties that hold for any."""

from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.egress import is_permitted, parse_address, refusal

PUBLIC = (
    "1.1.1.1",
    "8.8.8.8",
    "93.184.216.34",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.1",
    "168.63.129.15",
    "169.253.255.255",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.0",
    "192.167.255.255",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "2001:200::1",
    "2606:4700::1111",
    "2a00:1450:4001:830::200e",
    "3ffe:ffff::1",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
)
CLOSED = (
    "0.0.0.0",
    "0.255.255.255",
    "10.0.0.0",
    "10.255.255.255",
    "100.64.0.1",
    "100.100.100.200",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.0.1",
    "169.254.169.254",
    "169.254.170.2",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.0.9",
    "192.0.0.170",
    "192.0.0.192",
    "192.0.2.1",
    "192.31.196.1",
    "192.52.193.1",
    "192.88.99.1",
    "192.168.0.1",
    "192.168.255.255",
    "192.175.48.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.254",
    "255.255.255.255",
    "::",
    "::1",
    "::2",
    "::7f00:1",
    "::10.0.0.1",
    "::8.8.8.8",
    "::ffff:127.0.0.1",
    "::ffff:10.1.2.3",
    "::ffff:169.254.169.254",
    "::ffff:0.0.0.0",
    "::ffff:0:127.0.0.1",
    "::ffff:0:8.8.8.8",
    "64:ff9b::7f00:1",
    "64:ff9b::a00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "64:ff9b:1:ffff::808:808",
    "64:ff9b:2::808:808",
    "100::1",
    "100:0:0:1::1",
    "2001::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:1::1",
    "2001:2::1",
    "2001:3::1",
    "2001:4:112::1",
    "2001:10::1",
    "2001:20::1",
    "2001:30::1",
    "2001:1ff:ffff::1",
    "2001:db8::1",
    "2002:7f00:1::1",
    "2002:a00:1::1",
    "2002:808:808::1",
    "2620:4f:8000::1",
    "3fff::1",
    "3fff:fff:ffff::1",
    "4000::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fd20:ce::254",
    "fdff:ffff::1",
    "fe80::1",
    "fe80::1%eth0",
    "fe80::a9fe:a9fe",
    "febf:ffff::1",
    "fec0::1",
    "feff::1",
    "ff00::1",
    "ff02::1",
    "ff0e::1",
    "2606:4700::1111%eth0",
    "0177.0.0.1",
    "127.1",
    "2130706433",
    "127.0.0.1 ",
    "localhost",
    "/run/docker.sock",
    "",
)


@pytest.mark.parametrize("address", PUBLIC)
def test_the_public_internet_is_open(address: str) -> None:
    assert refusal(address) is None
    assert is_permitted(address.encode())


@pytest.mark.parametrize("address", CLOSED)
def test_everything_else_is_closed(address: str) -> None:
    assert refusal(address)
    assert not is_permitted(address.encode())


@pytest.mark.parametrize(
    ("allow", "address", "opened"),
    [
        ("127.0.0.0/8", "127.0.0.1", True),
        ("127.0.0.0/8", "::ffff:127.0.0.1", True),
        ("127.0.0.0/8", "128.0.0.0", True),
        ("127.0.0.0/8", "10.0.0.1", False),
        ("127.0.0.0/8", "::1", False),
        ("127.0.0.0/8", "::127.0.0.1", False),
        ("127.0.0.0/8", "64:ff9b::7f00:1", False),
        ("127.0.0.0/8", "2002:7f00:1::1", False),
        ("64:ff9b::/96", "64:ff9b::7f00:1", True),
        ("10.1.0.0/16", "10.1.255.255", True),
        ("10.1.0.0/16", "10.2.0.0", False),
        ("::1/128", "::1", True),
        ("::1/128", "127.0.0.1", False),
        ("::/0", "::ffff:127.0.0.1", False),
        ("fd00::/8", "fd00:ec2::254", True),
        ("fe80::/10", "fe80::1%eth0", True),
    ],
)
def test_only_the_named_networks_are_opened(allow: str, address: str, opened: bool) -> None:
    assert is_permitted(address, (ip_network(allow),)) is opened


def test_the_reason_is_in_words_and_names_what_is_carried() -> None:
    assert refusal("::ffff:127.0.0.1") == "a loopback address"
    assert refusal("64:ff9b::a00:1") == "a NAT64 address of 10.0.0.1, a private address"
    assert refusal("9999::1") == "outside the public address space"


def test_bytes_that_are_not_ascii_are_refused() -> None:
    assert refusal(b"\x7f\x00\x00\x01\xff") == "not an IP address"


@given(st.ip_addresses(v=4))
def test_an_open_ipv4_address_is_global_by_the_registry_of_the_standard_library(address: IPv4Address) -> None:
    if is_permitted(address):
        assert address.is_global
        assert not address.is_multicast


@given(st.ip_addresses(v=6))
@settings(max_examples=500)
def test_an_open_ipv6_address_is_global_unicast(address: IPv6Address) -> None:
    if is_permitted(address) and address not in ip_network("64:ff9b::/96"):
        judged = parse_address(address)
        assert judged.is_global
        assert not judged.is_multicast


@given(st.ip_addresses(v=4))
def test_mapped_and_nat64_forms_are_judged_by_what_they_carry(carried: IPv4Address) -> None:
    mapped = IPv6Address(0xFFFF << 32 | int(carried))
    translated = IPv6Address(int(IPv6Address("64:ff9b::")) | int(carried))
    assert is_permitted(mapped) == is_permitted(translated) == is_permitted(carried)
    assert parse_address(mapped) == carried


@given(st.ip_addresses(v=4), st.sampled_from(["::", "2002::", "2001::", "64:ff9b:1::", "::ffff:0:0:0"]))
def test_other_forms_that_carry_an_ipv4_address_are_closed_whatever_it_is(
    carried: IPv4Address, prefix: str
) -> None:
    shift = 80 if prefix == "2002::" else 0
    assert not is_permitted(IPv6Address(int(IPv6Address(prefix)) | int(carried) << shift))
