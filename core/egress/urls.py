"""Judging the URLs that users give, from their text alone or with what their names resolve to now."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from socket import gaierror
from urllib.parse import SplitResult, quote, urlsplit

from core.egress.addresses import Address, is_permitted, refusal
from core.egress.errors import BlockedUrl
from core.egress.hosts import read_host
from core.egress.policy import EgressPolicy
from core.egress.resolving import Resolver, resolve_within, system_resolver

URL_LENGTH = 2_048
RESOLVE_SECONDS = 3.0
_DEFAULT_PORTS = {"http": 80, "https": 443}
_LOOPBACK = (IPv4Address("127.0.0.1"), IPv6Address("::1"))
_KEPT = "!$%&'()*+,/:;=?@[]~"


@dataclass(frozen=True, slots=True)
class Target:
    """A URL taken apart: `url` is the plain ASCII spelling, without a fragment, that is to be called."""

    url: str
    scheme: str
    host: str
    port: int
    address: Address | None

    @property
    def origin(self) -> tuple[str, str, int]:
        """Scheme, host and port (RFC 6454)."""
        return self.scheme, self.host, self.port


def check_url(url: str, policy: EgressPolicy) -> Target:
    """Judge `url` from its text: form, port, and the address if its host spells one.

    Names are judged when they are resolved, only `localhost` at once (RFC 6761, section 6.3). Raises
    BlockedUrl.
    """
    target = _read(url)
    if policy.ports is not None and target.port not in policy.ports:
        raise BlockedUrl(f"port {target.port} is not open to users' URLs")
    _check_host(target.host if target.address is None else target.address, policy)
    return target


def spell_url(url: str) -> str:
    """Return the plain ASCII spelling of `url`, as in `Target.url`, without judging where it leads.

    Raises BlockedUrl for what is not a URL.
    """
    return _read(url).url


def origin_of(url: str) -> str:
    """Return scheme, host and port of a URL that is spelled as `spell_url` does."""
    return "/".join(url.split("/", 3)[:3])


def check_url_now(url: str, policy: EgressPolicy, resolver: Resolver = system_resolver) -> Target:
    """Judge `url` as `check_url` does, and then every address that its name has at present.

    One closed address is enough to be refused. A name that does not resolve within three seconds is
    accepted, for it is judged again at each connection. Raises BlockedUrl.
    """
    target = check_url(url, policy)
    if target.address is not None:
        return target
    try:
        addresses = resolve_within(RESOLVE_SECONDS, resolver, target.host, target.port)
    except gaierror:
        return target
    for address in addresses:
        words = refusal(address, policy.allow)
        if words:
            raise BlockedUrl(f"{target.host} leads to {address}, which is {words}, not open to users' URLs")
    return target


def _read(url: str) -> Target:
    _check_characters(url)
    parts = _split(url)
    scheme, port = parts.scheme, _port(parts)
    try:
        host = read_host(_host(parts))
    except ValueError as error:
        raise BlockedUrl(f"{error}") from None
    address = None if isinstance(host, str) else host
    return Target(_spell(parts, host, port), scheme, str(host), port, address)


def _check_characters(url: str) -> None:
    if len(url) > URL_LENGTH:
        raise BlockedUrl(f"a URL may have at most {URL_LENGTH:,} characters, this one has {len(url):,}")
    if not url.isprintable() or " " in url or "\\" in url:
        raise BlockedUrl("a URL may not contain white space, control characters or backslashes")


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
    except ValueError:
        # What Python says quotes the part before the path, in which a password may stand.
        raise BlockedUrl("this is not a URL: its host is malformed") from None
    if parts.scheme not in _DEFAULT_PORTS:
        raise BlockedUrl("a URL must start with http:// or https://")
    if "@" in parts.netloc:
        raise BlockedUrl("a URL may not contain a user name or password")
    if not parts.hostname:
        raise BlockedUrl("the URL names no host")
    return parts


def _host(parts: SplitResult) -> str:
    # Python takes the brackets off whatever stands in them, such as the “IPvFuture” form of RFC 3986.
    return f"[{parts.hostname}]" if "[" in parts.netloc else parts.hostname or ""


def _port(parts: SplitResult) -> int:
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port is None:
        port = _DEFAULT_PORTS[parts.scheme]
    if not port:
        raise BlockedUrl("the port in a URL must be a number from 1 to 65535")
    return port


def _check_host(host: Address | str, policy: EgressPolicy) -> None:
    if isinstance(host, str):
        local = host == "localhost" or host.endswith(".localhost")
        if local and not any(is_permitted(address, policy.allow) for address in _LOOPBACK):
            raise BlockedUrl(f"{host} is this machine itself, which is not open to users' URLs")
        return
    words = refusal(host, policy.allow)
    if words:
        raise BlockedUrl(f"{host} is {words}, which is not open to users' URLs")


def _spell(parts: SplitResult, host: Address | str, port: int) -> str:
    authority = f"[{host}]" if isinstance(host, IPv6Address) else str(host)
    if port != _DEFAULT_PORTS[parts.scheme]:
        authority = f"{authority}:{port}"
    query = f"?{quote(parts.query, safe=_KEPT)}" if parts.query else ""
    return f"{parts.scheme}://{authority}{quote(parts.path, safe=_KEPT) or '/'}{query}"
