"""What comes back to the signed address of a mail: a DSN (RFC 3464), or a provider's JSON."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage, Message
from email.policy import default as default_policy
from email.utils import getaddresses
from typing import Any, cast

PERMANENT = "5"
# Who delivers a DSN notes here for which address it came.
RECIPIENT_HEADERS = ("to", "delivered-to", "x-original-to", "envelope-to", "x-envelope-to")
_STATUS = re.compile(r"\s*([245])\.\d{1,3}\.\d{1,3}\b")
_ADDRESS = re.compile(r"<?([^<>\s]+@[^<>\s]+)>?")


@dataclass(frozen=True)
class Bounce:
    """Addresses that a mail may have come from, and the class of its status: 2, 4 or 5 (RFC 3463)."""

    return_paths: tuple[str, ...]
    status_class: str

    @property
    def permanent(self) -> bool:
        """Whether the address will not take mail later either."""
        return self.status_class == PERMANENT


def read_message(content: bytes) -> list[Bounce]:
    """Read a DSN as it arrived; a message of another kind has none."""
    message = message_from_bytes(content, policy=default_policy)
    found = [str(value) for name in RECIPIENT_HEADERS for value in message.get_all(name, [])]
    paths = tuple(address for _name, address in getaddresses(found) if address)
    return [Bounce(paths, class_) for class_ in _failures(message)]


def _failures(message: EmailMessage) -> Iterator[str]:
    """Yield the status classes of recipients whose mail has failed."""
    for part in message.walk():
        if part.get_content_type() != "message/delivery-status" or not part.is_multipart():
            continue
        for fields in cast(list[Message], part.get_payload()):
            status = _STATUS.match(str(fields["Status"] or ""))
            if status and str(fields["Action"] or "").strip().lower() == "failed":
                yield status[1]


def read_json(value: dict[str, Any]) -> list[Bounce]:
    """Read what a provider says: `{"address", "status"}`, or a notification of Amazon SES, also within SNS's.

    What is no bounce has none. Raises ValueError for another form.
    """
    if isinstance(value.get("Message"), str):
        inner = json.loads(value["Message"])
        return read_json(inner) if isinstance(inner, dict) and "Message" not in inner else []
    if isinstance(value.get("address"), str) and isinstance(value.get("status"), str):
        status = _STATUS.match(value["status"])
        return [Bounce((_bare(value["address"]),), status[1])] if status else []
    if isinstance(value.get("mail"), dict):
        return _of_ses(value)
    raise ValueError("neither address and status nor a notification of Amazon SES")


def _of_ses(value: dict[str, Any]) -> list[Bounce]:
    bounce, source = value.get("bounce"), value["mail"].get("source")
    if not isinstance(bounce, dict) or not isinstance(source, str):
        return []
    permanent = bounce.get("bounceType") == "Permanent"
    return [Bounce((_bare(source),), PERMANENT if permanent else "4")]


def _bare(address: str) -> str:
    found = _ADDRESS.search(address)
    return found[1] if found else address
