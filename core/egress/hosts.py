"""Reading the host of a URL as the address or the name that a connection would be made to."""

import re
from ipaddress import IPv4Address, IPv6Address, ip_address

import idna

from core.egress.addresses import Address

_NAME_LENGTH = 253
_LABEL = re.compile(r"[a-z0-9_-]{1,63}")
_ENDS_IN_NUMBER = re.compile(r"(?:^|\.)(?:[0-9]+|0x[0-9a-f]*)$")
_NUMBER = re.compile(r"0x(?P<hex>[0-9a-f]*)|(?P<octal>0[0-7]*)|(?P<decimal>[1-9][0-9]*)")


def read_host(host: str) -> Address | str:
    """Return the address that `host` spells, else the name in lower-case ASCII (UTS #46, IDNA 2008).

    Addresses are recognised in every spelling that resolvers take for one: dotted, decimal, octal,
    hexadecimal and short forms (WHATWG URL, “IPv4 parser”), and IPv6 with or without brackets.
    Underscores are let pass, since names with them exist and resolve. Raises ValueError in people's words.
    """
    if host.startswith("[") and host.endswith("]"):
        return _ipv6(host[1:-1])
    if ":" in host:
        return _ipv6(host)
    name = _ascii_name(host)
    if _ENDS_IN_NUMBER.search(name):
        return _ipv4(name)
    return name


def _ipv6(text: str) -> IPv6Address:
    try:
        address = ip_address(text)
    except ValueError:
        address = None
    if not isinstance(address, IPv6Address):
        raise ValueError(f"{text!r} is not an IPv6 address")
    return address


def _ascii_name(host: str) -> str:
    name = host.lower() if host.isascii() else _encode(host)
    if name.endswith("."):
        raise ValueError("the host may not end in a dot")
    if len(name) > _NAME_LENGTH or not all(_LABEL.fullmatch(label) for label in name.split(".")):
        raise ValueError(f"{host!r} is not a host name")
    return name


def _encode(host: str) -> str:
    try:
        return idna.encode(host, uts46=True).decode("ascii")
    except UnicodeError as error:
        raise ValueError(f"{host!r} is not a host name: {error}") from None


def _ipv4(name: str) -> IPv4Address:
    numbers = [_number(part) for part in name.split(".")]
    *leading, last = numbers
    if len(numbers) > 4 or any(number > 255 for number in leading) or last >= 256 ** (5 - len(numbers)):
        raise ValueError(f"{name!r} is not an IPv4 address")
    return IPv4Address(sum(number << 8 * (3 - place) for place, number in enumerate(leading)) + last)


def _number(part: str) -> int:
    match = _NUMBER.fullmatch(part)
    if match is None:
        raise ValueError(f"{part!r} is not a part of an IPv4 address")
    if match["hex"] is not None:
        return int(match["hex"] or "0", 16)
    return int(match["octal"], 8) if match["octal"] else int(match["decimal"])
