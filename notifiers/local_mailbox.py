"""A mailbox in a folder, for an installation that has no mail server."""

import mailbox
import re
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default as default_policy
from email.utils import parsedate_to_datetime
from pathlib import Path

KEPT = 1_000
_NAME = re.compile(r"(\d+)\.M(\d+)P\d+Q(\d+)")  # second, microsecond, and a process's count


@dataclass(frozen=True)
class KeptMail:
    """A mail as it is read; `html` is None where it has no such part."""

    id: str
    at: datetime
    sender: str
    recipient: str
    subject: str
    text: str
    html: str | None
    headers: list[tuple[str, str]]


class LocalMailbox:
    """A maildir that keeps the newest 1,000 mails; made at the first of them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()

    def send(self, sender: str, recipient: str, content: bytes) -> None:
        """Keep a mail; raises OSError."""
        del sender, recipient  # its headers name both
        with self._lock:
            folder = self._open()
            folder.add(content.replace(b"\r\n", b"\n"))
            for id_ in _newest_first(folder)[KEPT:]:
                folder.discard(id_)

    def check(self) -> None:
        """Make the folder; raises OSError."""
        with self._lock:
            self._open()

    def close(self) -> None:
        """Nothing is held."""

    def newest(self, limit: int) -> list[KeptMail]:
        """Return mails, the newest first."""
        with self._lock:
            folder = self._open()
            return [_read(id_, folder.get_bytes(id_)) for id_ in _newest_first(folder)[:limit]]

    def find(self, id_: str) -> KeptMail | None:
        """Return one mail."""
        with self._lock:
            folder = self._open()
            return _read(id_, folder.get_bytes(id_)) if id_ in folder else None

    def _open(self) -> mailbox.Maildir:
        self._folder.parent.mkdir(parents=True, exist_ok=True)
        return mailbox.Maildir(self._folder, create=True)


def _newest_first(folder: mailbox.Maildir) -> list[str]:
    return sorted(folder.keys(), key=_age, reverse=True)


def _age(id_: str) -> tuple[int, ...]:
    found = _NAME.match(id_)
    return tuple(map(int, found.groups())) if found else ()


def _read(id_: str, content: bytes) -> KeptMail:
    message = message_from_bytes(content, policy=default_policy)
    return KeptMail(
        id=id_,
        at=_moment(message),
        sender=str(message["From"] or ""),
        recipient=str(message["To"] or ""),
        subject=str(message["Subject"] or ""),
        text=_part(message, "plain") or "",
        html=_part(message, "html"),
        headers=[(name, str(value)) for name, value in message.items()],
    )


def _moment(message: EmailMessage) -> datetime:
    try:
        return parsedate_to_datetime(str(message["Date"])).astimezone(UTC)
    except (ValueError, TypeError):
        return datetime.fromtimestamp(0, UTC)


def _part(message: EmailMessage, kind: str) -> str | None:
    found = message.get_body((kind,))
    return str(found.get_content()) if found is not None else None
