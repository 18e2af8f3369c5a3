"""Telling why a request failed, from whatever exception came of it."""

import http.client
import socket
import ssl
from collections.abc import Callable, Iterator

import requests
import urllib3.exceptions as pool_errors

from core.egress.errors import Blocked, TooLarge
from core.errors import Reason

_TLS = (ssl.SSLError, ssl.CertificateError, pool_errors.SSLError, requests.exceptions.SSLError)
_TIMEOUTS = (TimeoutError, pool_errors.TimeoutError, requests.Timeout)
_RESETS = (ConnectionResetError, ConnectionAbortedError, BrokenPipeError)


def _is(*kinds: type[BaseException]) -> Callable[[BaseException], bool]:
    return lambda error: isinstance(error, kinds)


def _is_timeout(error: BaseException) -> bool:
    # urllib3 counts a failure to connect among its timeouts.
    return isinstance(error, _TIMEOUTS) and not isinstance(error, pool_errors.NewConnectionError)


def _is_cut_short(error: BaseException) -> bool:
    broken = isinstance(error, http.client.IncompleteRead)
    return broken and not isinstance(error, pool_errors.InvalidChunkLength)


_RULES: tuple[tuple[Reason, Callable[[BaseException], bool]], ...] = (
    (Reason.BLOCKED, _is(Blocked)),
    (Reason.TOO_LARGE, _is(TooLarge)),
    (Reason.STATUS_3XX, _is(requests.TooManyRedirects)),
    (Reason.DNS, _is(socket.gaierror, pool_errors.NameResolutionError)),
    (Reason.TIMEOUT, _is_timeout),
    (Reason.TLS, _is(*_TLS)),
    (Reason.RESET, _is(*_RESETS)),
    (Reason.RESET, _is_cut_short),
    (Reason.REFUSED, _is(ConnectionRefusedError, pool_errors.NewConnectionError)),
)


def classify(error: BaseException) -> Reason:
    """Return the reason behind `error`, looking through what requests and urllib3 wrapped around it.

    What cannot be connected to for another cause, such as no route, counts as refused; what is none of
    these is an answer that is not HTTP.
    """
    causes = tuple(_causes(error))
    for reason, applies in _RULES:
        if any(applies(cause) for cause in causes):
            return reason
    return Reason.PROTOCOL


def _causes(error: BaseException) -> Iterator[BaseException]:
    # Not through __context__: there stands whatever else was being handled when this one arose.
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        cause = waiting.pop()
        if id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        linked = (cause.__cause__, getattr(cause, "reason", None), *cause.args)
        waiting.extend(link for link in linked if isinstance(link, BaseException))
