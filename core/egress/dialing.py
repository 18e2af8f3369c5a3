"""Opening connections only to addresses that the policy permits."""

import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass

from core.egress.addresses import Address, parse_address, refusal
from core.egress.errors import BlockedAddress
from core.egress.hosts import read_host
from core.egress.policy import EgressPolicy
from core.egress.resolving import Resolver, resolve_within

SocketOptions = Sequence[tuple[int, int, int | bytes]]
_ADDRESSES_TRIED = 4


@dataclass(frozen=True, slots=True)
class Dialer:
    """Resolves, judges and connects in one step, so that no other answer of DNS can come in between."""

    policy: EgressPolicy
    resolver: Resolver

    def connect(self, host: str, port: int, seconds: float, options: SocketOptions = ()) -> socket.socket:
        """Return a socket connected to one of the permitted addresses of `host`, with that timeout set.

        At most four addresses share the time, resolving included. Raises BlockedAddress when all that
        `host` has are closed, socket.gaierror when it has none, and OSError when none of them answers.
        """
        deadline = time.monotonic() + seconds
        addresses = self._permitted(host, port, seconds)[:_ADDRESSES_TRIED]
        failure = OSError("no address to connect to")
        for tried, address in enumerate(addresses):
            share = (deadline - time.monotonic()) / (len(addresses) - tried)
            try:
                connected = _open(address, port, share, options)
            except OSError as error:
                failure = error
            else:
                connected.settimeout(seconds)
                return connected
        raise failure

    def _permitted(self, host: str, port: int, seconds: float) -> list[Address]:
        known = read_host(host)
        found = resolve_within(seconds, self.resolver, known, port) if isinstance(known, str) else [known]
        verdicts = [(address, refusal(address, self.policy.allow)) for address in found]
        permitted = [parse_address(address) for address, words in verdicts if words is None]
        if not permitted:
            closed = ", ".join(f"{address} is {words}" for address, words in verdicts[:_ADDRESSES_TRIED])
            raise BlockedAddress(f"{host} is not open to users' URLs: {closed}")
        return permitted


def _open(address: Address, port: int, seconds: float, options: SocketOptions) -> socket.socket:
    if seconds <= 0:
        raise TimeoutError("no time left to connect")
    numeric = socket.getaddrinfo(str(address), port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    family, kind, protocol, _, sockaddr = numeric[0]
    opened = socket.socket(family, kind, protocol)
    try:
        for option in options:
            opened.setsockopt(*option)
        opened.settimeout(seconds)
        opened.connect(sockaddr)
    except BaseException:
        opened.close()
        raise
    return opened
