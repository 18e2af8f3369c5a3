"""The router's: what is asked, and the log from which routers learn of it."""

from datetime import datetime

from sqlalchemy import Boolean, ForeignKey, LargeBinary, false
from sqlalchemy.orm import Mapped, mapped_column

from core.store.models.base import Base
from core.store.types import Identifier, Number, Xid


class Subscription(Base):
    """A stored query; `number` is what the matching index calls it."""

    __tablename__ = "subscriptions"
    __table_args__ = ({"sqlite_autoincrement": True},)  # a number is never used twice

    number: Mapped[int] = mapped_column(Number, primary_key=True, autoincrement=True)
    id: Mapped[str] = mapped_column(Identifier, unique=True)
    account_id: Mapped[str] = mapped_column(Identifier, ForeignKey("accounts.id"), index=True)
    channel_id: Mapped[str] = mapped_column(
        Identifier, ForeignKey("channels.id", ondelete="CASCADE"), index=True
    )
    query: Mapped[str]
    topic: Mapped[bool]
    canonical: Mapped[str]
    sources: Mapped[list[str] | None]
    languages: Mapped[list[str] | None]
    updates: Mapped[bool]
    once_per_story: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    schedule: Mapped[str | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class CompiledQuery(Base):
    """The compiled form of what subscriptions ask, under the digest of that: a cache that may lack any."""

    __tablename__ = "queries"

    digest: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    compiled: Mapped[bytes] = mapped_column(LargeBinary)


class SubscriptionChange(Base):
    """The revision log: which subscription changed (number 0: the aliases), in which transaction."""

    __tablename__ = "subscription_changes"
    __table_args__ = ({"sqlite_autoincrement": True},)

    sequence: Mapped[int] = mapped_column(Number, primary_key=True, autoincrement=True)
    number: Mapped[int] = mapped_column(Number)
    # On PostgreSQL the server fills it in: pg_current_xact_id().
    transaction_id: Mapped[int | None] = mapped_column(Xid, index=True)


class Alias(Base):
    """Another name for something, the installation's; `key` is the name as queries compare it."""

    __tablename__ = "aliases"

    id: Mapped[str] = mapped_column(Identifier, primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    meaning: Mapped[str]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class RevisionMark(Base):
    """Where the revision log was at a time; what lies below the lowest mark may have been deleted."""

    __tablename__ = "revision_marks"

    position: Mapped[int] = mapped_column(Number, primary_key=True, autoincrement=False)
    noted_at: Mapped[datetime]
