"""Aliases: other names for the same thing, the same for all accounts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select, text
from sqlalchemy.orm import Session

from core.errors import FieldError
from core.ids import new_ids
from core.query import Aliases, QueryError, alias_key
from core.query.alias_rules import NewAlias, refusals
from core.store import revisions
from core.store.bulk import BulkStatement
from core.store.models import Alias

_LOCK = 0x616C6961736573  # any number, the same in all processes ("aliases")


@dataclass(frozen=True)
class Stored:
    """What became of aliases: how many names are new, and which, by their place, were refused."""

    made: int
    refused: dict[int, FieldError]


def present(session: Session) -> dict[str, str]:
    """Return every name with its meaning, as `core.query.Aliases` takes them."""
    rows = session.execute(select(Alias.name, Alias.meaning).order_by(Alias.id))
    return {name: meaning for name, meaning in rows}


def in_force(session: Session) -> Aliases:
    """Return the aliases with which subscriptions are matched."""
    return Aliases(present(session))


def find(session: Session, name: str) -> Alias | None:
    """Return the alias of that name, however it is written."""
    key = _key_if_any(name)
    return session.execute(select(Alias).where(Alias.key == key)).scalar_one_or_none() if key else None


_PUT = BulkStatement(
    """
    INSERT INTO aliases (id, key, name, meaning, created_at, updated_at)
    SELECT r.id, r.key, r.name, r.meaning, :now, :now FROM {rows} WHERE true
    ON CONFLICT (key) DO UPDATE
    SET name = excluded.name, meaning = excluded.meaning, updated_at = excluded.updated_at
    """,
    {"id": "text", "key": "text", "name": "text", "meaning": "text"},
)


def put(session: Session, wanted: Sequence[NewAlias], now: datetime) -> Stored:
    """Store aliases, in the place of those of the same names, and log that they changed."""
    _wait_for_others(session)
    known = {row.key: NewAlias(*row) for row in session.execute(select(Alias.key, Alias.name, Alias.meaning))}
    refused = refusals(known, wanted)
    accepted = [alias for place, alias in enumerate(wanted) if place not in refused]
    changed = [alias for alias in accepted if known.get(alias.key) != alias]
    if changed:
        ids = new_ids("als", len(changed))
        rows = [(id_, new.key, new.name, new.meaning) for id_, new in zip(ids, changed, strict=True)]
        _PUT.run(session, rows, now=now)
        revisions.log_changes(session, [revisions.ALIASES])
    return Stored(sum(alias.key not in known for alias in accepted), refused)


def remove(session: Session, name: str) -> bool:
    """Delete the alias of that name and log the change; return whether there was one."""
    key = _key_if_any(name)
    gone = session.execute(delete(Alias).where(Alias.key == key).returning(Alias.id)).all() if key else []
    if gone:
        revisions.log_changes(session, [revisions.ALIASES])
    return bool(gone)


def _wait_for_others(session: Session) -> None:
    # What may be stored depends on all that is; SQLite has one writer at a time anyway.
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


def _key_if_any(name: str) -> str | None:
    try:
        return alias_key(name)
    except QueryError:
        return None
