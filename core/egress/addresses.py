"""Which IP addresses may be contacted for users: those of the public Internet, and what is opened by name.

Sources: the IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890) and the IANA IPv6 Address
Space registry, by which unicast addresses are only ever assigned from 2000::/3. Where the registries call
a block globally reachable although it serves a mechanism and not hosts (AS112, AMT, 6to4 relays), it is
refused too: nobody receives news there.
"""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_IPV4_REFUSED = tuple(
    (IPv4Network(block), words)
    for block, words in (
        ("0.0.0.0/8", "an address of “this network”"),
        ("10.0.0.0/8", "a private address"),
        ("100.64.0.0/10", "an address of a carrier's inner network"),
        ("127.0.0.0/8", "a loopback address"),
        # A platform's own service for its virtual machines, on an address that is otherwise public.
        ("168.63.129.16/32", "a cloud platform's inner address"),
        ("169.254.0.0/16", "a link-local address"),
        ("172.16.0.0/12", "a private address"),
        ("192.0.0.0/24", "an address kept for protocols"),
        ("192.0.2.0/24", "an address for documentation"),
        ("192.31.196.0/24", "an address of the AS112 service"),
        ("192.52.193.0/24", "an address of multicast relays"),
        ("192.88.99.0/24", "an address of 6to4 relays"),
        ("192.168.0.0/16", "a private address"),
        ("192.175.48.0/24", "an address of the AS112 service"),
        ("198.18.0.0/15", "an address for benchmarks"),
        ("198.51.100.0/24", "an address for documentation"),
        ("203.0.113.0/24", "an address for documentation"),
        ("224.0.0.0/4", "a multicast address"),
        ("255.255.255.255/32", "the broadcast address"),
        ("240.0.0.0/4", "a reserved address"),
    )
)
_IPV6_REFUSED = tuple(
    (IPv6Network(block), words)
    for block, words in (
        ("::/128", "the unspecified address"),
        ("::1/128", "a loopback address"),
        ("::/96", "an IPv4-compatible address"),
        ("::ffff:0:0:0/96", "an address translated from IPv4"),
        ("64:ff9b:1::/48", "an address of a local NAT64"),
        ("100::/64", "a discard-only address"),
        ("2001::/32", "a Teredo tunnel's address"),
        ("2001::/23", "an address kept for protocols"),
        ("2001:db8::/32", "an address for documentation"),
        ("2002::/16", "a 6to4 tunnel's address"),
        ("2620:4f:8000::/48", "an address of the AS112 service"),
        ("3fff::/20", "an address for documentation"),
        ("fc00::/7", "a private address"),
        ("fe80::/10", "a link-local address"),
        ("fec0::/10", "a site-local address"),
        ("ff00::/8", "a multicast address"),
    )
)
_IPV6_UNICAST = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")


def refusal(address: Address | str | bytes, allow: Sequence[Network] = ()) -> str | None:
    """Return why `address` may not be contacted for users, in words that follow “is”; None if it may.

    An address inside a network of `allow` is open. IPv4-mapped addresses are judged as the IPv4 address
    that the kernel makes of them. So is, for want of another way out of IPv6-only networks (RFC 6147), the
    NAT64 prefix 64:ff9b::/96, which `allow` opens only when named itself; every other form that carries an
    IPv4 address is refused whatever it carries. What is not an address is refused.
    """
    try:
        judged = parse_address(address)
    except ValueError:
        return "not an IP address"
    if any(judged in network for network in allow):
        return None
    if isinstance(judged, IPv4Address):
        return _listed(judged, _IPV4_REFUSED)
    return _ipv6_refusal(judged)


def is_permitted(address: Address | str | bytes, allow: Sequence[Network] = ()) -> bool:
    """Tell whether `address` may be contacted for users, by the rules of `refusal`."""
    return refusal(address, allow) is None


def parse_address(address: Address | str | bytes) -> Address:
    """Return the address that is really contacted: of an IPv4-mapped one, the IPv4 address.

    Takes text, or its ASCII bytes as C libraries hand it out. Raises ValueError for anything else.
    """
    text = address.decode("ascii") if isinstance(address, bytes) else address
    parsed = ip_address(text) if isinstance(text, str) else text
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
        return parsed.ipv4_mapped
    return parsed


def _ipv6_refusal(address: IPv6Address) -> str | None:
    if address.scope_id is not None:
        return "an address of one local link"
    if address in _NAT64:
        carried = IPv4Address(int(address) & 0xFFFF_FFFF)
        words = _listed(carried, _IPV4_REFUSED)
        return f"a NAT64 address of {carried}, {words}" if words else None
    words = _listed(address, _IPV6_REFUSED)
    return words if words or address in _IPV6_UNICAST else "outside the public address space"


def _listed(address: Address, refused: Sequence[tuple[Network, str]]) -> str | None:
    return next((words for network, words in refused if address in network), None)
