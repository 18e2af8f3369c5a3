"""What owners must be told: recorded with what happened, and kept for them to look at once they were told."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from core.errors import Reason
from core.ids import new_id
from core.store.models import Account, Channel, Notice, Source
from core.text import one_line, shorten, storable

TRIES = 10
FIRST_WAIT = timedelta(minutes=1)
TEXT_CHARACTERS = 1_000

# The kinds of channels that can tell something else than articles.
CONTACT_KINDS = frozenset({"email", "webhook"})


class NoticeKind(StrEnum):
    """What happened."""

    CHANNEL_DISABLED = "channel_disabled"
    SOURCE_DISABLED = "source_disabled"


@dataclass(frozen=True)
class DueNotice:
    """A notice to be told now, and what is needed to decide whom; None is what does not exist (any more)."""

    notice: Notice
    account: Account | None
    channel: Channel | None
    contact_channel: Channel | None
    source: Source | None = None


def record(
    session: Session,
    *,
    account_id: str | None,
    channel_id: str | None = None,
    source_id: str | None = None,
    kind: NoticeKind,
    reason: Reason | None,
    text: str,
    now: datetime,
) -> Notice:
    """Have an owner told; called in the transaction in which it happens. `text` says it in a sentence or two.

    Without an account it is the installation that is told.
    """
    notice = Notice(
        id=new_id("ntc"),
        account_id=account_id,
        channel_id=channel_id,
        source_id=source_id,
        kind=kind,
        reason=reason,
        text=shorten(one_line(storable(text)), TEXT_CHARACTERS),
        created_at=now,
        tries=0,
        due_at=now,
    )
    session.add(notice)
    return notice


def take_due(session: Session, now: datetime, limit: int) -> list[DueNotice]:
    """Return notices that are due, the longest waiting first, and one of each account at most.

    So an account with many of them, or a contact that takes its time, does not keep others waiting.
    """
    due = (Notice.due_at.is_not(None), Notice.due_at <= now)
    firsts = select(func.min(Notice.id)).where(*due).group_by(Notice.account_id)
    which = select(Notice).where(Notice.id.in_(firsts)).order_by(Notice.due_at, Notice.id).limit(limit)
    return [_with_surroundings(session, notice) for notice in session.execute(which).scalars()]


def _with_surroundings(session: Session, notice: Notice) -> DueNotice:
    account = session.get(Account, notice.account_id) if notice.account_id else None
    channel = session.get(Channel, notice.channel_id) if notice.channel_id else None
    contact = account.contact if account else None
    contact_channel = session.get(Channel, contact) if contact and names_channel(contact) else None
    source = session.get(Source, notice.source_id) if notice.source_id else None
    return DueNotice(notice, account, channel, contact_channel, source)


def names_channel(contact: str) -> bool:
    """Tell whether a contact is a channel's id; if not, it is a mail address."""
    return "@" not in contact


def mark_told(session: Session, notice_id: str, now: datetime) -> None:
    """Note that the owner has been told."""
    told = {"told_at": now, "due_at": None, "problem": None, "tries": Notice.tries + 1}
    session.execute(update(Notice).where(Notice.id == notice_id).values(told))


def postpone(session: Session, notice: Notice, problem: str, now: datetime) -> datetime | None:
    """Note that a try failed; return when the next is due, None once that was the last."""
    due_at = next_try(notice.tries + 1, now)
    values = {"problem": problem, "due_at": due_at, "tries": notice.tries + 1}
    session.execute(update(Notice).where(Notice.id == notice.id).values(values))
    return due_at


def next_try(failed: int, now: datetime) -> datetime | None:
    """Return when to try again after so many failed tries: in a minute, then two, four, …; at last never."""
    return now + FIRST_WAIT * 2 ** (failed - 1) if failed < TRIES else None


def close(session: Session, notice_id: str, problem: str) -> None:
    """Note why nobody is told; the notice stays to be looked at."""
    session.execute(update(Notice).where(Notice.id == notice_id).values(due_at=None, problem=problem))
