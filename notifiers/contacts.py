"""Whom an owner's notice goes to, and how much of a channel's target may be shown there."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from core.store.models import Channel
from core.store.notices import CONTACT_KINDS, DueNotice, names_channel
from core.store.states import ChannelState

NO_CONTACT = "no contact is set"
UNUSABLE_CONTACT = "the account's contact cannot be told, and the installation has none"


@dataclass(frozen=True)
class ToAddress:
    """A mail to an account's contact, or to the installation's."""

    address: str


@dataclass(frozen=True)
class ToChannel:
    """A channel of the account."""

    channel: Channel


@dataclass(frozen=True)
class ToNobody:
    """There is nobody to tell; `problem` says why."""

    problem: str


Recipient = ToAddress | ToChannel | ToNobody


def whom_to_tell(due: DueNotice, failing_target: str | None, installation: str | None) -> Recipient:
    """Choose the account's contact, else the installation's.

    The account's is passed over where it is the channel that the notice is about or the address which that
    channel failed to reach (`failing_target`), and where it is a channel that is gone or not active.
    """
    contact = due.account.contact if due.account else None
    if contact is not None:
        own = _own_contact(due, contact, failing_target)
        if own is not None:
            return own
    if installation is not None:
        return ToAddress(installation)
    return ToNobody(NO_CONTACT if contact is None else UNUSABLE_CONTACT)


def _own_contact(due: DueNotice, contact: str, failing_target: str | None) -> Recipient | None:
    if not names_channel(contact):
        return None if contact == failing_target else ToAddress(contact)
    channel = due.contact_channel
    usable = (
        channel is not None
        and channel.account_id == due.notice.account_id
        and channel.id != due.notice.channel_id
        and channel.state == ChannelState.ACTIVE
        and channel.kind in CONTACT_KINDS
    )
    return ToChannel(channel) if channel is not None and usable else None


def masked(target: str) -> str | None:
    """Return what may be shown of a channel's target: a URL's host, the outline of a mail address."""
    if target.startswith(("http://", "https://")):
        try:
            return urlsplit(target).hostname
        except ValueError:
            return None
    local, at, domain = target.rpartition("@")
    return f"{local[:1]}…@{domain}" if at and "/" not in target else None
