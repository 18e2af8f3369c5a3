"""A network of its own, where every address is this machine and names lead where a script says.

Run as `unshare --net --mount python -m tests.unit.core.network_namespace`, it prints what `Transfer` did
there as JSON. No packet leaves the namespace: it has no interface but its loopback.
"""

import json
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from threading import Thread
from typing import Any

from core.egress import EgressPolicy, PushRequest, Transfer
from tests.unit.core.test_egress_addresses import CLOSED, PUBLIC

PORT = 8080
SILENT = "silent.example"
_TYPES = {1: IPv4Address, 28: IPv6Address}


class NameServer:
    """DNS on 127.0.0.1 (RFC 1035): answers from `addresses`, and about `silent.example` never."""

    def __init__(self) -> None:
        self.addresses: dict[str, Sequence[str]] = {}
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 53))
        Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            query, client = self._socket.recvfrom(1_024)
            name, kind, end = _question(query)
            if name != SILENT:
                self._socket.sendto(self._answer(query[:end], name, kind), client)

    def _answer(self, question: bytes, name: str, kind: int) -> bytes:
        known = [ip_address(address) for address in self.addresses.get(name, ())]
        packed = [address.packed for address in known if isinstance(address, _TYPES.get(kind, ()))]
        code = 0x8180 if name in self.addresses else 0x8183  # NOERROR or NXDOMAIN
        head = question[:2] + struct.pack("!HHHHH", code, 1, len(packed), 0, 0)
        records = (struct.pack("!HHHIH", 0xC00C, kind, 1, 0, len(data)) + data for data in packed)
        return head + question[12:] + b"".join(records)


def _question(query: bytes) -> tuple[str, int, int]:
    labels, place = [], 12
    while length := query[place]:
        labels.append(query[place + 1 : place + 1 + length].decode("ascii").lower())
        place += length + 1
    return ".".join(labels), struct.unpack_from("!H", query, place + 1)[0], place + 5


class Everyone:
    """Answers 204 at every address, and notes at which ones it was connected to."""

    def __init__(self) -> None:
        self.arrived: list[str] = []
        for address, family in (("0.0.0.0", socket.AF_INET), ("::", socket.AF_INET6)):
            listener = socket.create_server((address, PORT), family=family, backlog=64)
            Thread(target=self._serve, args=(listener,), daemon=True).start()

    def _serve(self, listener: socket.socket) -> None:
        while True:
            connection, _ = listener.accept()
            with connection:
                self.arrived.append(connection.getsockname()[0])
                connection.recv(65_536)
                connection.sendall(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")


def set_up(folder: Path) -> None:
    """Have every address lead here, and names be resolved by 127.0.0.1."""
    resolver, hosts = folder / "resolv.conf", folder / "hosts"
    # Longer than the test may take: whoever waits for the silent name to fail is found out.
    resolver.write_text("nameserver 127.0.0.1\noptions timeout:30 attempts:5\n")
    hosts.write_text("127.0.0.1 localhost\n")
    for command in (
        "ip link set lo up",
        "ip route add local 0.0.0.0/0 dev lo",
        "ip -6 route add local ::/0 dev lo",
        f"mount --bind {resolver} /etc/resolv.conf",
        f"mount --bind {hosts} /etc/hosts",
    ):
        subprocess.run(command.split(), check=True)


def _is_answerable(text: str) -> bool:
    try:
        parsed = ip_address(text)
    except ValueError:
        return False
    return isinstance(parsed, IPv4Address) or parsed.scope_id is None


class Scenarios:
    """What is tried, each with a fresh handle, for which nothing but the public Internet is open."""

    def __init__(self) -> None:
        self._names = NameServer()
        self._everyone = Everyone()

    def run(self) -> dict[str, Any]:
        """Return what came of each, and all addresses that were connected to."""
        closed = [address for address in CLOSED if _is_answerable(address)]
        return {
            "public": {address: self._push("news.example", address) for address in PUBLIC},
            "closed": {address: self._push("inside.example", address) for address in closed},
            "mixed": self._push("mixed.example", "10.0.0.1", "fd00::1", "8.8.8.8"),
            "rebound": [
                self._push("rebound.example", address)
                for address in ("93.184.216.34", "127.0.0.1", "10.1.2.3", "::1", "::ffff:10.1.2.3")
            ],
            "unknown": self._push("unknown.example"),
            "silent": self._push(SILENT, connect_seconds=0.3),
            "everywhere": self._everyone.arrived,
        }

    def _push(self, host: str, *addresses: str, connect_seconds: float = 5) -> dict[str, Any]:
        if addresses:
            self._names.addresses[host] = addresses
        before = len(self._everyone.arrived)
        transfer = Transfer(EgressPolicy(), "Clarion/test", connect_seconds=connect_seconds)
        answer = transfer.perform(PushRequest(f"http://{host}:{PORT}/hook", [], b"{}"))
        transfer.close()
        return {
            "status": answer.status,
            "reason": answer.reason,
            "detail": answer.detail,
            "arrived": self._everyone.arrived[before:],
        }


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        set_up(Path(made))
        json.dump(Scenarios().run(), sys.stdout)
        sys.stdout.flush()
