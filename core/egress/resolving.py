"""Turning host names into addresses, for no longer than one is willing to wait."""

import socket
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from threading import Thread

Resolver = Callable[[str, int], Sequence[str]]
"""Takes an ASCII host name and a port; returns addresses as text, the preferred first.

Raises socket.gaierror when there are none.
"""


def system_resolver(host: str, port: int) -> Sequence[str]:
    """Ask the operating system, in the order of RFC 6724."""
    # As bytes, since the interpreter would refuse some names of str that DNS knows.
    found = socket.getaddrinfo(host.encode("ascii"), port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))


def resolve_within(seconds: float, resolver: Resolver, host: str, port: int) -> Sequence[str]:
    """Ask `resolver`, but wait at most `seconds`.

    Raises socket.gaierror when the name has no address, or none in time.
    """
    answer: Future[Sequence[str]] = Future()
    # The system's lookup cannot be given a deadline; a thread that nobody awaits ends with it.
    Thread(target=_settle, args=(answer, resolver, host, port), name="resolve", daemon=True).start()
    try:
        addresses = answer.result(seconds)
    except TimeoutError:
        raise socket.gaierror(socket.EAI_AGAIN, f"no answer about {host} in time") from None
    if not addresses:
        raise socket.gaierror(socket.EAI_NONAME, f"{host} has no address")
    return addresses


def _settle(answer: Future[Sequence[str]], resolver: Resolver, host: str, port: int) -> None:
    try:
        answer.set_result(resolver(host, port))
    except Exception as error:  # whatever it is, it is raised in the thread that waits
        answer.set_exception(error)
