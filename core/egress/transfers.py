"""POSTs with libcurl: handles that are used again and again, and judge every address as they connect.

Headers have a callback, although each takes the interpreter's lock, for `Retry-After` must be known to the
letter: what libcurl itself makes of it are seconds, six hours at most, of anything that begins with a number.
Its own bounds hold for headers (300 KiB or 5,000 lines, then the transfer fails with `protocol`).
"""

import os
import socket
from collections.abc import Callable
from functools import lru_cache, partial

import pycurl
from certifi import where

from core.egress.addresses import refusal
from core.egress.curl_failures import Failure, curl_failure
from core.egress.errors import BlockedUrl
from core.egress.exchange import PushAnswer, PushRequest
from core.egress.policy import EgressPolicy
from core.egress.urls import Target, check_url, origin_of
from core.errors import Reason

BODY_BYTES = 64 * 1024
EXCERPT_BYTES = 4_096
_ORIGINS_REMEMBERED = 16_384
_ADDRESSES_NAMED = 4
_RETRY_AFTER = b"retry-after"
_NO_EXPECT = ["Expect:"]
_QUICK_EXIT = 322  # CURLOPT_QUICK_EXIT, which pycurl has no name for
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\r\f\x1b"))
_OPTIONS = (
    (pycurl.NOSIGNAL, 1),
    (pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS),
    (pycurl.FOLLOWLOCATION, 0),
    (pycurl.PROXY, ""),
    (pycurl.NOPROXY, "*"),
    (pycurl.NETRC, pycurl.NETRC_IGNORED),
    (pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_2TLS),
    (pycurl.SSL_VERIFYPEER, 1),
    (pycurl.SSL_VERIFYHOST, 2),
    (pycurl.SSL_SESSIONID_CACHE, 1),
    (pycurl.TCP_NODELAY, 1),
    (pycurl.TCP_KEEPALIVE, 1),
    (pycurl.DNS_CACHE_TIMEOUT, 60),
    # Else closing a handle waits for a lookup that has outlived its time.
    (_QUICK_EXIT, 1),
)


class Transfer:
    """One reusable handle of libcurl, for `perform` or for a CurlMulti: guarded, bounded, without memory.

    Of a body 64 KiB are read; a longer one is cut, and then its status is what counts. `connect_seconds`
    holds for resolving, connecting and the TLS handshake, `total_seconds` for everything. Certificates are
    checked against `ca_file`, by default the authorities that requests trusts.
    """

    def __init__(
        self,
        policy: EgressPolicy,
        user_agent: str,
        *,
        connect_seconds: float = 5.0,
        total_seconds: float = 15.0,
        ca_file: str | None = None,
    ) -> None:
        self._asked_to_wait: str | None = None
        self.curl = pycurl.Curl()
        self._allow = policy.allow
        self._check = _checker(policy)
        self._target: Target | None = None
        self._body = bytearray()
        self._cut = False
        self._opened = False
        self._closed_addresses: list[str] = []
        self._shortage: str | None = None
        self._set_up(user_agent, connect_seconds, total_seconds, ca_file or where())

    def prepare(self, request: PushRequest) -> None:
        """Set the handle to make this request next; raises BlockedUrl where its origin is closed."""
        url = request.url
        # What is more than host and port is the same for no two channels, and `spell_url` has spelled it.
        plain = url.isascii() and url.isprintable() and " " not in url
        self._target = self._check(origin_of(url) if plain else url)
        self._cut = self._opened = False
        self._shortage = self._asked_to_wait = None
        self._body.clear()
        self._closed_addresses.clear()
        setopt = self.curl.setopt
        setopt(pycurl.URL, url)
        setopt(pycurl.HTTPHEADER, request.headers + _NO_EXPECT)
        setopt(pycurl.POSTFIELDS, request.body)

    def answer(self, error: int | None, message: str = "") -> PushAnswer:
        """Return what came of the transfer that has just ended.

        `error` and `message` are those of `CurlMulti.info_read`, `error` None on success.
        """
        code = self.curl.getinfo(pycurl.RESPONSE_CODE)
        if error is None and not self._body and code < 300:
            return PushAnswer(code)
        # 1xx only announces an answer (RFC 9110, section 15.2).
        status = code if code >= 200 else None
        failure = None if error is None or self._cut else self._failure(error, message)
        return PushAnswer(
            status,
            failure.reason if failure else None,
            self._asked_to_wait if code >= 300 else None,
            self._excerpt(),
            failure.detail if failure else None,
        )

    def perform(self, request: PushRequest) -> PushAnswer:
        """Make one request, and wait for what comes of it; a URL that is refused is an answer too."""
        try:
            self.prepare(request)
            self.curl.perform()
        except BlockedUrl as error:
            return PushAnswer(reason=Reason.BLOCKED, detail=str(error))
        except pycurl.error as error:
            return self.answer(*error.args)
        return self.answer(None)

    def close(self) -> None:
        """Close the handle, which no CurlMulti may hold any more."""
        self.curl.close()

    def _set_up(self, user_agent: str, connect_seconds: float, total_seconds: float, ca_file: str) -> None:
        setopt = self.curl.setopt
        for option, value in _OPTIONS:
            setopt(option, value)
        setopt(pycurl.USERAGENT, user_agent)
        setopt(pycurl.CONNECTTIMEOUT_MS, round(connect_seconds * 1_000))
        setopt(pycurl.TIMEOUT_MS, round(total_seconds * 1_000))
        setopt(pycurl.CAINFO, ca_file)
        setopt(pycurl.OPENSOCKETFUNCTION, self._open)
        setopt(pycurl.WRITEFUNCTION, self._receive)
        setopt(pycurl.HEADERFUNCTION, self._read_header)

    def _open(self, purpose: int, address: tuple[int, int, int, tuple[str | bytes, int]]) -> "_Opened | int":
        family, kind, protocol, sockaddr = address
        words = refusal(sockaddr[0], self._allow)
        if words is not None:
            self._closed_addresses.append(f"{_text(sockaddr[0])} is {words}")
            return pycurl.SOCKET_BAD
        try:
            opened = _Opened(family, kind, protocol)
        except OSError as error:
            self._shortage = error.strerror
            return pycurl.SOCKET_BAD
        self._opened = True
        return opened

    def _receive(self, piece: bytes) -> int | None:
        self._body += piece
        if len(self._body) <= BODY_BYTES:
            return None
        self._cut = True
        return 0  # which ends the transfer

    def _read_header(self, line: bytes) -> None:
        name, _colon, value = line.partition(b":")
        if name.lower() == _RETRY_AFTER:
            self._asked_to_wait = value.strip().decode("latin-1")

    def _failure(self, error: int, message: str) -> Failure:
        if not self._opened and self._shortage is not None:
            return Failure(Reason.INTERNAL, f"no connection could be opened here: {self._shortage}")
        if not self._opened and self._closed_addresses:
            host = self._target.host if self._target else ""
            closed = ", ".join(self._closed_addresses[:_ADDRESSES_NAMED])
            return Failure(Reason.BLOCKED, f"{host} is not open to users' URLs: {closed}")
        if not self._opened and message.startswith("Connection time"):
            # A lookup that ends at the last moment; libcurl only sees that it has no connection yet.
            message = "Resolving timed out"
        return curl_failure(error, message, self.curl.getinfo(pycurl.OS_ERRNO))

    def _excerpt(self) -> bytes:
        excerpt = bytes(self._body[:EXCERPT_BYTES])
        if len(excerpt.translate(None, _CONTROLS)) == len(excerpt):
            return excerpt
        # Compressed, or an image: nothing that a person could read.
        return b"(not text, %s%d bytes)" % (b"more than " if self._cut else b"", len(self._body))


class _Opened:
    """The descriptor of a new socket, closed with this object: pycurl connects a duplicate of it."""

    __slots__ = ("_descriptor",)

    def __init__(self, family: int, kind: int, protocol: int) -> None:
        self._descriptor = -1
        self._descriptor = socket.socket(family, kind, protocol).detach()

    def fileno(self) -> int:
        return self._descriptor

    def __del__(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)


@lru_cache(maxsize=8)
def _checker(policy: EgressPolicy) -> Callable[[str], Target]:
    # One memory for all handles of a policy, since the same hosts are pushed to again and again.
    return lru_cache(maxsize=_ORIGINS_REMEMBERED)(partial(check_url, policy=policy))


def _text(address: str | bytes) -> str:
    return address.decode("ascii", "replace") if isinstance(address, bytes) else address
