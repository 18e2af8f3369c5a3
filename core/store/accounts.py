"""Accounts and their bearer keys."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_, select, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import Session

from core.ids import new_id
from core.store.models import Account, Key

DEFAULT_ACCOUNT = "default"
BOOTSTRAP_KEY = "key_bootstrap"


@dataclass(frozen=True)
class Caller:
    """Who a key speaks for."""

    key_id: str
    account_id: str
    administrator: bool


def hash_key(key: str) -> str:
    """Return what the store keeps of a key."""
    return hashlib.sha256(key.encode()).hexdigest()


def new_key() -> str:
    """Return a fresh key with 256 bits of chance."""
    return f"clk_{secrets.token_urlsafe(32)}"


def caller_of(session: Session, key: str, now: datetime) -> Caller | None:
    """Return who a key speaks for, None for one that is unknown, expired or revoked."""
    valid = select(Key).where(
        Key.hash == hash_key(key),
        Key.revoked_at.is_(None),
        or_(Key.expires_at.is_(None), Key.expires_at > now),
    )
    row = session.execute(valid).scalar_one_or_none()
    return Caller(row.id, row.account_id, row.administrator) if row else None


def ensure_account(session: Session, name: str, now: datetime) -> str:
    """Return the id of the account of that name, made if there is none."""
    dialect = session.get_bind().dialect.name
    insert = postgresql_insert(Account) if dialect == "postgresql" else sqlite_insert(Account)
    row = {"id": new_id("acc"), "name": name, "created_at": now}
    session.execute(insert.values(row).on_conflict_do_nothing())
    return session.execute(select(Account.id).where(Account.name == name)).scalar_one()


def create_key(
    session: Session, account_id: str, now: datetime, *, administrator: bool, expires_at: datetime | None
) -> tuple[str, str]:
    """Make a key for an account; return its id and the key, which is not kept."""
    key, key_id = new_key(), new_id("key")
    session.add(
        Key(
            id=key_id,
            account_id=account_id,
            hash=hash_key(key),
            administrator=administrator,
            created_at=now,
            expires_at=expires_at,
        )
    )
    return key_id, key


def ensure_bootstrap_key(session: Session, key: str, now: datetime) -> str:
    """Make the configured key the default account's administrator key; one set before stops working."""
    account_id = ensure_account(session, DEFAULT_ACCOUNT, now)
    session.execute(update(Key).where(Key.hash == hash_key(key)).values(revoked_at=None, administrator=True))
    known = session.execute(select(Key.id).where(Key.hash == hash_key(key))).scalar_one_or_none()
    row = session.get(Key, BOOTSTRAP_KEY)
    if known is None and row is None:
        session.add(
            Key(
                id=BOOTSTRAP_KEY,
                account_id=account_id,
                hash=hash_key(key),
                administrator=True,
                created_at=now,
            )
        )
    elif known is None and row is not None:
        row.hash, row.created_at = hash_key(key), now
    return account_id


def find_key(session: Session, caller: Caller, key_id: str) -> Key | None:
    """Return a key that the caller may revoke: one of its account, or any for an administrator."""
    which = select(Key).where(Key.id == key_id)
    if not caller.administrator:
        which = which.where(Key.account_id == caller.account_id)
    return session.execute(which.with_for_update()).scalar_one_or_none()


def name_of(session: Session, account_id: str) -> str:
    """Return an account's name."""
    return session.execute(select(Account.name).where(Account.id == account_id)).scalar_one()
