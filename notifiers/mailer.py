"""Opening connections to the SMTP server."""

import smtplib
import ssl
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from urllib.parse import unquote, urlsplit

TIMEOUT_SECONDS = 15.0
DEFAULT_PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}

OpenMail = Callable[[], AbstractContextManager[smtplib.SMTP]]


def mail_transport(smtp_url: str) -> OpenMail:
    """Return how to connect to the server of a URL: `smtp://` (STARTTLS when offered), `smtp+starttls://`
    (STARTTLS required) or `smtps://`, with `user:password@` where the server wants it."""
    parts = urlsplit(smtp_url)
    host, port = parts.hostname or "127.0.0.1", parts.port or DEFAULT_PORTS[parts.scheme]

    @contextmanager
    def connect() -> Iterator[smtplib.SMTP]:
        server = _connection(parts.scheme, host, port)
        try:
            _secure(server, parts.scheme)
            if parts.username:
                server.login(unquote(parts.username), unquote(parts.password or ""))
            yield server
            with suppress(smtplib.SMTPException, OSError):
                server.quit()  # whatever it answers, what it has taken it has
        finally:
            server.close()

    return connect


def _connection(scheme: str, host: str, port: int) -> smtplib.SMTP:
    if scheme == "smtps":
        context = ssl.create_default_context()
        return smtplib.SMTP_SSL(host, port, timeout=TIMEOUT_SECONDS, context=context)
    return smtplib.SMTP(host, port, timeout=TIMEOUT_SECONDS)


def _secure(server: smtplib.SMTP, scheme: str) -> None:
    server.ehlo()
    if scheme == "smtps":
        return
    if server.has_extn("starttls"):
        server.starttls(context=ssl.create_default_context())
        server.ehlo()
    elif scheme == "smtp+starttls":
        raise smtplib.SMTPNotSupportedError("the server offers no STARTTLS, so nothing was sent")
