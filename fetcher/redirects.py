"""When a source has moved: decisions without any I/O."""

from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Stays:
    """The source keeps its address; `moving_to` is where a permanent redirect led, if one did."""

    moving_to: str | None


@dataclass(frozen=True, slots=True)
class Moves:
    """The source is at another address from now on."""

    url: str


def decide_move(url: str, moving_to: str | None, permanent: str | None, *, bound: bool) -> Stays | Moves:
    """Say what a readable answer behind a permanent redirect (`permanent`) means for a source's address.

    Only the second poll in a row that is sent to the same place moves it, so that one mistake of a server
    does not (`moving_to` is where the poll before was sent). What is `bound` has a key that must not go to
    another host, and stays.
    """
    if permanent is None or permanent == url:
        return Stays(None)
    if bound and not _upgrade(url, permanent):
        return Stays(None)
    return Moves(permanent) if permanent == moving_to else Stays(permanent)


def _upgrade(url: str, permanent: str) -> bool:
    """Tell whether a redirect stays at the same host, and does not give up encryption."""
    old, new = urlsplit(url), urlsplit(permanent)
    same = (old.hostname, old.port) == (new.hostname, new.port)
    return same and (new.scheme == "https" or old.scheme == new.scheme)
