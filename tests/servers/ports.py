"""Ports that stay free: for servers which go away and come back at the same address."""

import random
import socket

# Below what Linux hands to outgoing connections (32768 up), so that none can take the port of a server
# that is down for a while, nor connect to itself.
_RANGE = range(20_000, 32_000)


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 on which nothing listens, drawn at random."""
    for port in random.sample(_RANGE, 200):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError("no free port found on 127.0.0.1")
