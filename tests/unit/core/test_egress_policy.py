"""Reading what an installation opens."""

from ipaddress import ip_network

import pytest

from core.egress import EgressPolicy


def test_networks_are_separated_by_commas() -> None:
    policy = EgressPolicy.from_setting(" 127.0.0.0/8, fd00::/8 ,10.1.2.3,")
    assert policy.allow == (ip_network("127.0.0.0/8"), ip_network("fd00::/8"), ip_network("10.1.2.3/32"))
    assert policy.ports is None


def test_nothing_is_open_by_default() -> None:
    assert EgressPolicy.from_setting("") == EgressPolicy()


@pytest.mark.parametrize("item", ["10.0.0.1/8", "10.0.0.0/33", "localhost", "10.0.0.0-10.0.0.9", "::/129"])
def test_what_is_not_a_network_is_named(item: str) -> None:
    with pytest.raises(ValueError, match=r"is not a network such as") as raised:
        EgressPolicy.from_setting(f"127.0.0.0/8,{item}")
    assert repr(item) in str(raised.value)


def test_ports_are_kept_as_a_set() -> None:
    assert EgressPolicy.from_setting("", ports=[443, 80, 443]).ports == frozenset({80, 443})
