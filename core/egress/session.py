"""Sessions of `requests` that reach only what the policy permits."""

from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.exceptions import InvalidProxyURL, InvalidURL
from urllib3 import PoolManager

from core.egress.connections import CONNECT_SECONDS, READ_SECONDS, pool_classes
from core.egress.dialing import Dialer
from core.egress.errors import BlockedUrl, TooLarge
from core.egress.policy import EgressPolicy
from core.egress.resolving import Resolver, system_resolver
from core.egress.urls import check_url


class GuardedSession(requests.Session):
    """A session for users' URLs: judged at every connection, no redirects, proxies, `.netrc` or cookies.

    Bodies are not read unless asked for (`core.egress.read_capped`), so close what you get. The read
    timeout holds for the whole head of an answer. Failures are requests' own exceptions, a refusal among
    them (`core.egress.classify` tells which); nothing is tried twice.
    """

    def __init__(self, dialer: Dialer, *, user_agent: str, pool_connections: int, pool_maxsize: int) -> None:
        super().__init__()
        self.trust_env = False
        self.stream = True
        self.headers["User-Agent"] = user_agent
        # One session serves many accounts: what a server set for one must not be sent for another.
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
        self.policy = dialer.policy
        adapter = _GuardedAdapter(dialer, pool_connections, pool_maxsize)
        self.mount("http://", adapter)
        self.mount("https://", adapter)

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """Send a prepared request, with timeouts even where the caller sets none.

        Raises requests.RequestException.
        """
        try:
            check_url(request.url or "", self.policy)
        except BlockedUrl as error:
            raise InvalidURL(str(error), request=request) from error
        if kwargs.get("timeout") is None:
            kwargs["timeout"] = (CONNECT_SECONDS, READ_SECONDS)
        try:
            return super().send(request, **kwargs)
        except TooLarge as error:
            raise requests.ConnectionError(str(error), request=request) from error

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Return None: requests would read the redirect's body, however long, before it goes on."""


class _GuardedAdapter(HTTPAdapter):
    def __init__(self, dialer: Dialer, pool_connections: int, pool_maxsize: int) -> None:
        self._dialer = dialer
        super().__init__(pool_connections, pool_maxsize)

    def init_poolmanager(
        self, connections: int, maxsize: int, block: bool = False, **pool_kwargs: Any
    ) -> None:
        self.poolmanager = PoolManager(connections, maxsize=maxsize, block=block, **pool_kwargs)
        self.poolmanager.pool_classes_by_scheme = pool_classes(self._dialer)

    def proxy_manager_for(self, proxy: str, **proxy_kwargs: Any) -> Any:
        raise InvalidProxyURL("a proxy would connect where the guard cannot see it")


def guarded_session(
    policy: EgressPolicy,
    *,
    user_agent: str,
    resolver: Resolver = system_resolver,
    pool_connections: int = 32,
    pool_maxsize: int = 8,
) -> GuardedSession:
    """Return a session that keeps `pool_maxsize` connections for each of `pool_connections` hosts."""
    return GuardedSession(
        Dialer(policy, resolver),
        user_agent=user_agent,
        pool_connections=pool_connections,
        pool_maxsize=pool_maxsize,
    )
