"""What an installation decides about its mail, and what its mails need besides their words."""

from collections.abc import Callable
from dataclasses import dataclass

from core.mail_links import MailLinks

StillWanted = Callable[[str, str], bool]
"""Tells of a channel, and of its target's hash, whether mail may go there now; raises Unavailable."""


@dataclass(frozen=True)
class MailOptions:
    """Without `links` a mail has no way to unsubscribe, without `bounce_address` bounces go to its sender.

    `sign` returns a mail with its DKIM signature.
    """

    reply_to: str | None = None
    bounce_address: str | None = None
    links: MailLinks | None = None
    still_wanted: StillWanted | None = None
    sign: Callable[[bytes], bytes] | None = None
