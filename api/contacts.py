"""Whom an account wants told: a mail address, or one of its channels."""

from sqlalchemy.orm import Session

from api.problems import invalid
from core.mail_address import normalized
from core.store.models import Channel
from core.store.notices import CONTACT_KINDS, names_channel

FIELD = "contact"


def read_contact(session: Session, account_id: str, contact: str) -> str:
    """Return a contact as it is stored; raises Problem for what the account cannot be told by."""
    if not names_channel(contact):
        return read_address(contact)
    channel = session.get(Channel, contact)
    if channel is None or channel.account_id != account_id:
        raise invalid(FIELD, "neither a mail address nor the id of a channel of this account")
    if channel.kind not in CONTACT_KINDS:
        kinds = " or ".join(sorted(CONTACT_KINDS))
        raise invalid(FIELD, f"a channel of the kind {channel.kind} cannot be a contact: it must be {kinds}")
    return contact


def read_address(contact: str) -> str:
    """Return a mail address in its usual spelling; raises Problem for anything else."""
    try:
        return normalized(contact)
    except ValueError as error:
        raise invalid(FIELD, str(error)) from error
