"""Whose everything is, and where it goes: accounts, keys and channels."""

from datetime import datetime

from sqlalchemy import Float, ForeignKey, Index, Integer, text
from sqlalchemy.orm import Mapped, mapped_column

from core.store.models.base import Base
from core.store.types import Identifier, Number


class Account(Base):
    """A tenant: what it owns is invisible to other accounts."""

    __tablename__ = "accounts"

    id: Mapped[str] = mapped_column(Identifier, primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    contact: Mapped[str | None]
    created_at: Mapped[datetime]


class Key(Base):
    """A bearer key; only its SHA-256 is kept."""

    __tablename__ = "keys"

    id: Mapped[str] = mapped_column(Identifier, primary_key=True)
    account_id: Mapped[str] = mapped_column(Identifier, ForeignKey("accounts.id"), index=True)
    hash: Mapped[str] = mapped_column(unique=True)
    administrator: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class Channel(Base):
    """Where an account's deliveries go; what its kind needs to know is sealed."""

    __tablename__ = "channels"
    __table_args__ = (Index(None, "account_id", "kind", "target_hash", unique=True),)

    id: Mapped[str] = mapped_column(Identifier, primary_key=True)
    account_id: Mapped[str] = mapped_column(Identifier, ForeignKey("accounts.id"))
    kind: Mapped[str]
    queue: Mapped[str]
    target_hash: Mapped[str]
    sealed: Mapped[str]
    state: Mapped[str]
    state_reason: Mapped[str | None]
    rate_limit: Mapped[float | None] = mapped_column(Float)
    retry_schedule: Mapped[list[int] | None]
    ordering: Mapped[str] = mapped_column(default="any", server_default="any")
    last_sequence: Mapped[int] = mapped_column(Number, default=0, server_default="0")
    next_slot_at: Mapped[datetime | None]
    collapse_seconds: Mapped[float | None] = mapped_column(Float)
    collapse_until: Mapped[datetime | None]
    digested_until: Mapped[datetime | None]
    failing_since: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class Confirmation(Base):
    """A mail that asks for consent: `due_at` is when it is tried next, None once it was sent or given up."""

    __tablename__ = "confirmations"
    __table_args__ = (
        Index("ix_confirmations_channel_id_id", "channel_id", "id"),
        Index(
            "ix_confirmations_due_at",
            "due_at",
            sqlite_where=text("due_at IS NOT NULL"),
            postgresql_where=text("due_at IS NOT NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(Identifier, primary_key=True)
    account_id: Mapped[str] = mapped_column(Identifier)
    # No foreign key: what was asked of an address counts also after its channel is gone.
    channel_id: Mapped[str] = mapped_column(Identifier)
    target_hash: Mapped[str] = mapped_column(index=True)
    requested_at: Mapped[datetime]
    tries: Mapped[int] = mapped_column(Integer)
    due_at: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]
    confirmed_at: Mapped[datetime | None]
    problem: Mapped[str | None]
