"""The fetcher's: sources, their hosts and hubs, and what they have shown."""

from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, Float, ForeignKey, Index, Integer, LargeBinary, false, text
from sqlalchemy.orm import Mapped, mapped_column

from core.store.models.base import Base
from core.store.types import Identifier, Number


class Source(Base):
    """Where articles come from; without an account it belongs to the installation."""

    __tablename__ = "sources"
    __table_args__ = (
        # NULLs are distinct in a unique index, so the installation's own are indexed apart.
        Index("uq_sources_account_id_url", "account_id", "url", unique=True),
        Index(
            "uq_sources_installation_url",
            "url",
            unique=True,
            sqlite_where=text("account_id IS NULL"),
            postgresql_where=text("account_id IS NULL"),
        ),
        # What is not polled has no time for it, so these hold only what the leader looks for.
        Index(
            "ix_sources_next_poll_at",
            "next_poll_at",
            sqlite_where=text("next_poll_at IS NOT NULL"),
            postgresql_where=text("next_poll_at IS NOT NULL"),
        ),
        Index(
            "ix_sources_asked_for",
            "next_poll_at",
            sqlite_where=text("next_poll_at <= updated_at"),
            postgresql_where=text("next_poll_at <= updated_at"),
        ),
        Index(
            "ix_sources_merged_into",
            "merged_into",
            sqlite_where=text("merged_into IS NOT NULL"),
            postgresql_where=text("merged_into IS NOT NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(Identifier, primary_key=True)
    account_id: Mapped[str | None] = mapped_column(Identifier, ForeignKey("accounts.id"))
    kind: Mapped[str]
    url: Mapped[str]
    name: Mapped[str]
    folder: Mapped[str | None]
    state: Mapped[str] = mapped_column(default="active", server_default="active")
    state_reason: Mapped[str | None]
    merged_into: Mapped[str | None] = mapped_column(Identifier)
    absorbed: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    moving_to: Mapped[str | None]
    interval_seconds: Mapped[int | None]
    used_interval_seconds: Mapped[int | None]
    used_interval_because: Mapped[str | None]
    hinted_seconds: Mapped[int | None]
    cached_seconds: Mapped[int | None]
    articles_weight: Mapped[float | None] = mapped_column(Float)
    articles_weighed_at: Mapped[datetime | None]
    etag: Mapped[str | None]
    last_modified: Mapped[str | None]
    failures: Mapped[int] = mapped_column(Integer, default=0)
    next_poll_at: Mapped[datetime | None]
    last_success_at: Mapped[datetime | None]
    last_error: Mapped[str | None]
    last_error_reason: Mapped[str | None]
    last_error_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class HostCooldown(Base):
    """A host that asked for fewer requests: until when it is left alone, and the how many-th time that is."""

    __tablename__ = "host_cooldowns"

    host: Mapped[str] = mapped_column(primary_key=True)
    until: Mapped[datetime]
    times: Mapped[int] = mapped_column(Integer)


class Entry(Base):
    """What a source has shown under one identity, and whether its latest version is published."""

    __tablename__ = "entries"
    __table_args__ = (
        Index(
            "ix_entries_unpublished",
            "changed_at",
            sqlite_where=text("published = 0"),
            postgresql_where=text("NOT published"),
        ),
    )

    source_id: Mapped[str] = mapped_column(
        Identifier, ForeignKey("sources.id", ondelete="CASCADE"), primary_key=True
    )
    producer_id: Mapped[str] = mapped_column(Identifier, primary_key=True)
    article_id: Mapped[str] = mapped_column(Identifier, index=True)
    version: Mapped[int] = mapped_column(Number)
    link: Mapped[str | None]
    seen_hashes: Mapped[list[str]]
    message: Mapped[dict[str, Any] | None]
    published: Mapped[bool] = mapped_column(Boolean)
    first_seen_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    changed_at: Mapped[datetime]


class HubSubscription(Base):
    """The subscription to a source at the hub that it names; `callback` is the secret part of our address."""

    __tablename__ = "hub_subscriptions"

    source_id: Mapped[str] = mapped_column(
        Identifier, ForeignKey("sources.id", ondelete="CASCADE"), primary_key=True
    )
    hub: Mapped[str]
    topic: Mapped[str]
    callback: Mapped[str] = mapped_column(unique=True)
    secret: Mapped[str]
    state: Mapped[str]
    next_step_at: Mapped[datetime] = mapped_column(index=True)
    asked_at: Mapped[datetime | None]  # while the hub's verification is awaited
    lease_until: Mapped[datetime | None]
    failures: Mapped[int] = mapped_column(Integer)
    last_error: Mapped[str | None]
    created_at: Mapped[datetime]


class PushedDocument(Base):
    """A document whose signature was right, until the leader has taken it."""

    __tablename__ = "pushed_documents"

    id: Mapped[str] = mapped_column(Identifier, primary_key=True)
    source_id: Mapped[str] = mapped_column(
        Identifier, ForeignKey("sources.id", ondelete="CASCADE"), index=True
    )
    content_type: Mapped[str]
    body: Mapped[bytes] = mapped_column(LargeBinary)
    received_at: Mapped[datetime]
