"""What an installation lets out besides the public Internet."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Self

from core.egress.addresses import Network


@dataclass(frozen=True, slots=True)
class EgressPolicy:
    """Networks that are open although not public, and the ports that URLs may name (None: every port)."""

    allow: tuple[Network, ...] = ()
    ports: frozenset[int] | None = None

    @classmethod
    def from_setting(cls, networks: str, ports: Iterable[int] | None = None) -> Self:
        """Read comma-separated CIDRs, as in `CLARION_EGRESS_ALLOW`.

        Raises ValueError naming the item that is not a network.
        """
        items = (item.strip() for item in networks.split(","))
        allow = tuple(_network(item) for item in items if item)
        return cls(allow, None if ports is None else frozenset(ports))


def _network(item: str) -> Network:
    try:
        return ip_network(item)
    except ValueError as error:
        raise ValueError(f"{item!r} is not a network such as 10.0.0.0/8: {error}") from None
