"""Telling why libcurl gave up, from its error number and message, as `core.egress.classify` tells it."""

import errno
import os
from typing import NamedTuple

import pycurl

from core.errors import Reason

_MESSAGE_LENGTH = 200
# Numbers of curl.h that pycurl has no name for.
_WEIRD_SERVER_REPLY = 8
_HTTP2_STREAM = 92
_TOO_LARGE = 100


class Failure(NamedTuple):
    """A reason, and people's words for it, which name neither path nor query nor header."""

    reason: Reason
    detail: str


_NO_CERTIFICATE = Failure(Reason.TLS, "the certificate is not trusted")
_NO_TLS = Failure(Reason.TLS, "no encrypted connection came about")
_NO_HTTP = Failure(Reason.PROTOCOL, "the answer is not proper HTTP")
_BROKEN_OFF = Failure(Reason.RESET, "the connection broke off")
_NOT_SENT = Failure(Reason.INTERNAL, "the request could not be made here")

_FAILURES = {
    pycurl.E_URL_MALFORMAT: Failure(Reason.BLOCKED, "this is not a URL that can be called"),
    pycurl.E_COULDNT_RESOLVE_HOST: Failure(Reason.DNS, "the host name could not be resolved"),
    pycurl.E_COULDNT_CONNECT: Failure(Reason.REFUSED, "cannot connect"),
    pycurl.E_OPERATION_TIMEDOUT: Failure(Reason.TIMEOUT, "the answer took too long"),
    pycurl.E_GOT_NOTHING: Failure(Reason.RESET, "the connection was closed without an answer"),
    pycurl.E_PARTIAL_FILE: Failure(Reason.RESET, "the answer broke off before its end"),
    pycurl.E_SEND_ERROR: _BROKEN_OFF,
    pycurl.E_RECV_ERROR: _BROKEN_OFF,
    pycurl.E_SEND_FAIL_REWIND: _BROKEN_OFF,
    _HTTP2_STREAM: _BROKEN_OFF,
    pycurl.E_PEER_FAILED_VERIFICATION: _NO_CERTIFICATE,
    pycurl.E_SSL_ISSUER_ERROR: _NO_CERTIFICATE,
    pycurl.E_SSL_INVALIDCERTSTATUS: _NO_CERTIFICATE,
    pycurl.E_SSL_CONNECT_ERROR: _NO_TLS,
    pycurl.E_SSL_CIPHER: _NO_TLS,
    pycurl.E_SSL_CERTPROBLEM: _NO_TLS,
    pycurl.E_SSL_SHUTDOWN_FAILED: _NO_TLS,
    pycurl.E_UNSUPPORTED_PROTOCOL: _NO_HTTP,
    _WEIRD_SERVER_REPLY: _NO_HTTP,
    pycurl.E_HTTP2: _NO_HTTP,
    pycurl.E_BAD_CONTENT_ENCODING: _NO_HTTP,
    _TOO_LARGE: _NO_HTTP,
    pycurl.E_FAILED_INIT: _NOT_SENT,
    pycurl.E_NOT_BUILT_IN: _NOT_SENT,
    pycurl.E_WRITE_ERROR: _NOT_SENT,
    pycurl.E_READ_ERROR: _NOT_SENT,
    pycurl.E_OUT_OF_MEMORY: _NOT_SENT,
    pycurl.E_ABORTED_BY_CALLBACK: _NOT_SENT,
    pycurl.E_BAD_FUNCTION_ARGUMENT: _NOT_SENT,
    pycurl.E_UNKNOWN_OPTION: _NOT_SENT,
    pycurl.E_SSL_ENGINE_NOTFOUND: _NOT_SENT,
    pycurl.E_SSL_ENGINE_SETFAILED: _NOT_SENT,
    pycurl.E_SSL_CACERT_BADFILE: _NOT_SENT,
}
_TIMEOUTS = (
    ("Resolving", Failure(Reason.DNS, "the host name was not resolved in time")),
    ("Connection", Failure(Reason.TIMEOUT, "no connection came about in time")),
    ("SSL", Failure(Reason.TIMEOUT, "no encrypted connection came about in time")),
)
_ERRNO_REASONS = {errno.ETIMEDOUT: Reason.TIMEOUT, errno.ECONNRESET: Reason.RESET}
# libcurl has one number for a connection that breaks and for framing that it cannot read.
_UNREADABLE = ("chunk", "Too large response headers")
_RESET = ("reset by peer", "Broken pipe")


def curl_failure(error: int, message: str = "", os_errno: int = 0) -> Failure:
    """Return what CURLE number `error` means, with libcurl's message and the errno of connecting.

    What it does not know is an answer that is not HTTP, as for `classify`.
    """
    known = _FAILURES.get(error, _NO_HTTP)
    if error == pycurl.E_COULDNT_CONNECT and os_errno:
        words = f"cannot connect: {os.strerror(os_errno).lower()}"
        return Failure(_ERRNO_REASONS.get(os_errno, known.reason), words)
    if error == pycurl.E_OPERATION_TIMEDOUT:
        return next((failure for start, failure in _TIMEOUTS if message.startswith(start)), known)
    if error == pycurl.E_RECV_ERROR and any(words in message for words in _UNREADABLE):
        known = _NO_HTTP
    if error == pycurl.E_SSL_CONNECT_ERROR and any(words in message for words in _RESET):
        known = _BROKEN_OFF
    return Failure(known.reason, _with_message(known, message))


def _with_message(failure: Failure, message: str) -> str:
    # Only where it says more than our words: what is wrong with a certificate or with an answer.
    if failure.reason not in (Reason.TLS, Reason.PROTOCOL) or not message:
        return failure.detail
    printable = "".join(character for character in message if character.isprintable())
    return f"{failure.detail}: {printable[:_MESSAGE_LENGTH]}"
