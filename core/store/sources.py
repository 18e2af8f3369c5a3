"""Sources: whose they are, and made only once for each owner and URL."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import Session

from core.ids import new_id
from core.store.models import Source

PUSH = "push"
PUSH_SCHEME = "push:"


@dataclass(frozen=True)
class NewSource:
    """A checked source; without `next_poll_at` it is never polled."""

    kind: str
    url: str
    name: str
    interval_seconds: int | None = None
    next_poll_at: datetime | None = None
    folder: str | None = None


def visible_to(account_id: str) -> ColumnElement[bool]:
    """Return the condition for sources that an account may see: the installation's and its own."""
    return or_(Source.account_id.is_(None), Source.account_id == account_id)


def owned_by(owner: str | None) -> ColumnElement[bool]:
    """Return the condition for sources of one owner; None is the installation."""
    return Source.account_id.is_(None) if owner is None else Source.account_id == owner


def find_visible(session: Session, account_id: str, source_id: str, *, lock: bool = False) -> Source | None:
    """Return a source that an account may see, locked until the transaction ends if `lock`."""
    which = select(Source).where(Source.id == source_id, visible_to(account_id))
    return session.execute(which.with_for_update() if lock else which).scalar_one_or_none()


@dataclass(frozen=True)
class Created:
    """The ids of sources by their URLs, and which of these were made now."""

    ids: dict[str, str]
    made: set[str]


def find_or_create(session: Session, owner: str | None, new: NewSource, now: datetime) -> tuple[Source, bool]:
    """Return the owner's source of that URL, and whether it was made now."""
    values = _values(owner, new, now)
    _insert_missing(session, [values])
    source = session.execute(select(Source).where(owned_by(owner), Source.url == new.url)).scalar_one()
    return source, source.id == values["id"]


def create_missing(
    session: Session, owner: str | None, wanted: Sequence[NewSource], now: datetime
) -> Created:
    """Make the sources whose URLs the owner does not have, in one statement; each URL may be given once."""
    rows = [_values(owner, new, now) for new in wanted]
    _insert_missing(session, rows)
    goes_on = func.coalesce(Source.merged_into, Source.id)
    which = select(Source.url, goes_on.label("id")).where(
        owned_by(owner), Source.url.in_([new.url for new in wanted])
    )
    ids = {row.url: row.id for row in session.execute(which)}
    return Created(ids, {row["url"] for row in rows if ids.get(row["url"]) == row["id"]})


def owned(session: Session, owner: str | None) -> Sequence[Source]:
    """Return all sources of one owner, by folder and name, without those that go on in another."""
    ordered = (
        select(Source)
        .where(owned_by(owner), Source.merged_into.is_(None))
        .order_by(Source.folder, Source.name, Source.id)
    )
    return session.execute(ordered).scalars().all()


def _values(owner: str | None, new: NewSource, now: datetime) -> dict[str, Any]:
    return {
        "id": new_id("src"),
        "account_id": owner,
        "kind": new.kind,
        "url": new.url,
        "name": new.name,
        "folder": new.folder,
        "interval_seconds": new.interval_seconds,
        "next_poll_at": new.next_poll_at,
        "failures": 0,
        "created_at": now,
        "updated_at": now,
    }


def _insert_missing(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    insert = postgresql_insert if session.get_bind().dialect.name == "postgresql" else sqlite_insert
    if rows:
        session.execute(insert(Source).values(rows).on_conflict_do_nothing())


def find_push_source(session: Session, owner: str | None, source_id: str) -> Source | None:
    """Return a source of articles that its owner publishes."""
    which = select(Source).where(Source.id == source_id, Source.kind == PUSH, owned_by(owner))
    return session.execute(which).scalar_one_or_none()


def push_source(session: Session, owner: str | None, name: str, now: datetime) -> Source:
    """Return the owner's source of that name for articles it publishes, made if there is none."""
    return find_or_create(session, owner, NewSource(PUSH, f"{PUSH_SCHEME}{name}", name), now)[0]
