"""How mail leaves this process: through an SMTP server, or into a mailbox on this machine."""

from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from notifiers.local_mailbox import LocalMailbox
from notifiers.smtp import SmtpTransport


class MailTransport(Protocol):
    """Takes mails, from any thread."""

    def send(self, sender: str, recipient: str, content: bytes) -> None:
        """Hand over a mail, whose lines end with CRLF; raises smtplib's errors and OSError."""

    def check(self) -> None:
        """Find out, without sending, whether mail could be sent; raises smtplib's errors and OSError."""

    def close(self) -> None:
        """Close what is idle."""


def mail_transport(url: str) -> MailTransport:
    """Return the way that a URL names: an SMTP server (see `SmtpTransport`), or `maildir:///folder`."""
    parts = urlsplit(url)
    if parts.scheme == "maildir":
        return LocalMailbox(Path(unquote(parts.path)))
    return SmtpTransport(url)
