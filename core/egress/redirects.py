"""Following redirects, each hop judged like the first."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import takewhile
from urllib.parse import urljoin

import requests
from requests.exceptions import InvalidURL, TooManyRedirects

from core.egress.connections import CONNECT_SECONDS, READ_SECONDS
from core.egress.errors import BlockedUrl
from core.egress.policy import EgressPolicy
from core.egress.session import GuardedSession
from core.egress.urls import Target, check_url

MAX_HOPS = 5
_PERMANENT = frozenset({301, 308})
_REDIRECTS = _PERMANENT | {302, 303, 307}
# Kept rather than dropped by name, for nobody can list the names under which keys are sent.
_HARMLESS = frozenset({"accept", "accept-language", "if-modified-since", "if-none-match", "user-agent"})


@dataclass(frozen=True, slots=True)
class Hop:
    """Where a redirect led, and whether it is to be remembered (301 and 308, RFC 9110 section 15.4)."""

    url: str
    permanent: bool


@dataclass(frozen=True, slots=True)
class Arrival:
    """The response that was no redirect, its body unread, and the way to it."""

    response: requests.Response
    hops: tuple[Hop, ...]

    @property
    def permanent_url(self) -> str | None:
        """The URL to ask from now on: as far as every hop was permanent; None when the first was not."""
        moved = [hop.url for hop in takewhile(lambda hop: hop.permanent, self.hops)]
        return moved[-1] if moved else None


def get_following_redirects(
    session: GuardedSession,
    url: str,
    *,
    deadline: float,
    headers: Mapping[str, str] | None = None,
    timeout: tuple[float, float] = (CONNECT_SECONDS, READ_SECONDS),
    max_hops: int = MAX_HOPS,
    before_hop: Callable[[str], None] = lambda _url: None,
) -> Arrival:
    """GET `url` and what it redirects to, `deadline` (monotonic seconds) holding for all hops together.

    When scheme, host or port change, other than from http to https on one host, only headers that hold
    no secret are sent on. `before_hop` is called with each redirect's target before it is asked, and may
    raise. Raises requests.RequestException; what is blocked on the way too.
    """
    target = _checked(url, session.policy)
    sent = dict(headers or {})
    hops: list[Hop] = []
    while True:
        response = session.get(target.url, headers=sent, timeout=_until(deadline, timeout))
        location = _location(response)
        if location is None:
            return Arrival(response, tuple(hops))
        response.close()
        if len(hops) == max_hops:
            raise TooManyRedirects(f"more than {max_hops} redirects", response=response)
        following = _checked(location, session.policy)
        if not _same_party(target, following):
            sent = {name: value for name, value in sent.items() if name.lower() in _HARMLESS}
        before_hop(following.url)
        hops.append(Hop(following.url, response.status_code in _PERMANENT))
        target = following


def _checked(url: str, policy: EgressPolicy) -> Target:
    try:
        return check_url(url, policy)
    except BlockedUrl as error:
        raise InvalidURL(str(error)) from error


def _until(deadline: float, timeout: tuple[float, float]) -> tuple[float, float]:
    left = deadline - time.monotonic()
    if left <= 0:
        raise requests.Timeout("the redirects took too long")
    connect, read = timeout
    return min(connect, left), min(read, left)


def _location(response: requests.Response) -> str | None:
    location = response.headers.get("Location")
    if not location or response.status_code not in _REDIRECTS:
        return None
    # Headers are read as Latin-1, while servers that do not escape mostly send UTF-8.
    text = location.encode("latin-1", "replace").decode("utf-8", "replace").strip().replace(" ", "%20")
    try:
        return urljoin(response.url, text)
    except ValueError as error:
        response.close()
        raise InvalidURL(f"the redirect's target is not a URL: {error}", response=response) from error


def _same_party(old: Target, new: Target) -> bool:
    upgraded = (old.scheme, old.port, new.scheme, new.port) == ("http", 80, "https", 443)
    return old.host == new.host and (old.origin == new.origin or upgraded)
