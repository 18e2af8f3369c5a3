"""Keeping a distance between requests to one host, and their number at a time."""

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

CONNECTIONS = 2
# When to look again for a connection of a host that has none free.
BUSY_SECONDS = 1.0
_SHORTEST_DISTANCE = 0.05
_FORGET_AFTER = 600.0
_REMEMBERED = 1_000


@dataclass(slots=True)
class _Host:
    """The next time that nobody has, when it was last asked, and how many requests are under way."""

    next_free: float
    asked: float = float("-inf")
    under_way: int = 0

    def unused(self, now: float) -> bool:
        return not self.under_way and max(self.next_free, self.asked) < now - _FORGET_AFTER


class HostGate:
    """Lets the polls of one process through to their hosts; all times are monotonic seconds.

    A source whose requests are sent on to another host is let through where both are free.
    """

    def __init__(self, spacing_seconds: float, connections: int = CONNECTIONS) -> None:
        self._spacing, self._connections = spacing_seconds, connections
        self._hosts: dict[str, _Host] = {}
        self._slots: dict[str, float] = {}
        self._beyond: dict[str, str] = {}
        self._inside: dict[str, list[str]] = {}
        self._tidy_at = _REMEMBERED
        self._lock = threading.Lock()

    def hosts_of(self, source_id: str, url: str) -> tuple[str, ...]:
        """Return the hosts that a poll of a source asks, as far as is known."""
        names = (host_name(url), self._beyond.get(source_id))
        return tuple(dict.fromkeys(name for name in names if name is not None))

    def enter(self, source_id: str, url: str, now: float) -> float:
        """Return the seconds until a source may be polled; its slot is kept until then.

        With 0 it may now, and `leave` must be called when that is done.
        """
        names = self.hosts_of(source_id, url)
        with self._lock:
            self._tidy(now)
            if source_id in self._inside:
                return BUSY_SECONDS  # by a poll that has outlived its reign
            hosts = [self._hosts.setdefault(name, _Host(now)) for name in names]
            slot = self._slot(source_id, hosts, now)
            if slot <= now and any(host.under_way >= self._connections for host in hosts):
                slot = self._later_slot(hosts, now)
            if slot > now:
                self._slots[source_id] = slot
                return slot - now
            self._inside[source_id] = []
            self._join(source_id, names, now)
            return 0.0

    def enter_beyond(self, source_id: str, url: str, now: float) -> float:
        """Let a poll through to where it was redirected; return the seconds to wait if that is not possible.

        In that case the poll is to be begun anew, and will find both its hosts free.
        """
        name = host_name(url)
        with self._lock:
            if name in self._inside.get(source_id, ()):
                return 0.0
            self._beyond[source_id] = name
            host = self._hosts.setdefault(name, _Host(now))
            if host.under_way < self._connections and host.asked + self._spacing <= now >= host.next_free:
                host.next_free = now + self._spacing
                self._join(source_id, (name,), now)
                return 0.0
            slot = self._later_slot([host], now)
            self._slots[source_id] = slot
            return slot - now

    def leave(self, source_id: str) -> None:
        """Free what a poll has taken."""
        with self._lock:
            for name in self._inside.pop(source_id, ()):
                self._hosts[name].under_way -= 1

    def stays(self, source_id: str) -> None:
        """Note that a poll was not redirected to another host."""
        with self._lock:
            self._beyond.pop(source_id, None)

    def _join(self, source_id: str, names: Iterable[str], now: float) -> None:
        for name in names:
            self._hosts[name].asked = now
            self._hosts[name].under_way += 1
            self._inside[source_id].append(name)

    def _slot(self, source_id: str, hosts: list[_Host], now: float) -> float:
        slot = self._slots.pop(source_id, None)
        if slot is None:
            slot = max(now, *(host.next_free for host in hosts))
            for host in hosts:
                host.next_free = slot + self._spacing
        # Perhaps a host was asked only just now, by one who came late for its slot.
        return max(slot, *(host.asked + self._spacing for host in hosts))

    def _later_slot(self, hosts: list[_Host], now: float) -> float:
        """Give a place at the end of the queue to one for whom there is no connection."""
        slot = max(now + BUSY_SECONDS, *(host.next_free for host in hosts))
        for host in hosts:
            host.next_free = slot + max(self._spacing, _SHORTEST_DISTANCE)
        return slot

    def _tidy(self, now: float) -> None:
        """Forget hosts that nobody has asked for long, and slots that nobody came for."""
        if len(self._hosts) + len(self._slots) < self._tidy_at:
            return
        self._hosts = {name: host for name, host in self._hosts.items() if not host.unused(now)}
        self._slots = {id_: slot for id_, slot in self._slots.items() if slot > now - _FORGET_AFTER}
        self._tidy_at = max(_REMEMBERED, 2 * (len(self._hosts) + len(self._slots)))


def host_name(url: str) -> str:
    """Return the host of an address, empty if it has none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
