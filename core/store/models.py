"""The tables, and which room owns each."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    Date,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Text,
    false,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from core.store.types import Identifier, Json, Number, UtcDateTime, Xid

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Base of all tables."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {  # noqa: RUF012 (SQLAlchemy reads it from the class)
        str: Text(),
        datetime: UtcDateTime(),
        dict[str, Any]: Json,
        list[Any]: Json,
        list[str]: Json,
        list[int]: Json,
    }


# --- everyone's


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


class Lease(Base):
    """Who leads, until when, under which fencing token."""

    __tablename__ = "leases"

    name: Mapped[str] = mapped_column(Identifier, primary_key=True)
    holder: Mapped[str]
    token: Mapped[int] = mapped_column(Number)
    expires_at: Mapped[datetime]


class Instance(Base):
    """A running process and when it was last heard of."""

    __tablename__ = "instances"

    id: Mapped[str] = mapped_column(Identifier, primary_key=True)
    role: Mapped[str]
    host: Mapped[str]
    version: Mapped[str]
    started_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]


# --- the fetcher's


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


# --- the router's


class Article(Base):
    """An article that was routed: its identity, and how far its newest version got."""

    __tablename__ = "articles"
    __table_args__ = (
        Index(None, "source_key", "producer_id", unique=True),
        Index(
            "uq_articles_page_key",
            "page_key",
            unique=True,
            sqlite_where=text("page_key IS NOT NULL"),
            postgresql_where=text("page_key IS NOT NULL"),
        ),
        Index(
            "ix_articles_story",
            "story",
            "first_routed_at",
            sqlite_where=text("story IS NOT NULL"),
            postgresql_where=text("story IS NOT NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(Identifier, primary_key=True)
    source_key: Mapped[str] = mapped_column(Identifier)
    producer_id: Mapped[str] = mapped_column(Identifier)
    source_id: Mapped[str | None] = mapped_column(Identifier, index=True)
    source_name: Mapped[str | None]
    account_id: Mapped[str | None] = mapped_column(Identifier)
    version: Mapped[int] = mapped_column(Number)
    planned_version: Mapped[int] = mapped_column(Number)
    article_day: Mapped[date] = mapped_column(Date)
    page_key: Mapped[str | None] = mapped_column(Identifier)
    page_shared: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    story: Mapped[str | None] = mapped_column(Identifier)
    first_routed_at: Mapped[datetime] = mapped_column(index=True)
    updated_at: Mapped[datetime]


class Appearance(Base):
    """An item of another source that is the same page as an article, and how far its routing got."""

    __tablename__ = "appearances"

    source_key: Mapped[str] = mapped_column(Identifier, primary_key=True)
    producer_id: Mapped[str] = mapped_column(Identifier, primary_key=True)
    article_id: Mapped[str] = mapped_column(
        Identifier, ForeignKey("articles.id", ondelete="CASCADE"), index=True
    )
    source_id: Mapped[str | None] = mapped_column(Identifier)
    source_name: Mapped[str | None]
    url: Mapped[str | None]
    version: Mapped[int] = mapped_column(Number)
    planned_version: Mapped[int] = mapped_column(Number)
    first_seen_at: Mapped[datetime]


class ArticleVersion(Base):
    """One version of an article, never changed."""

    __tablename__ = "article_versions"

    article_id: Mapped[str] = mapped_column(
        Identifier, ForeignKey("articles.id", ondelete="CASCADE"), primary_key=True
    )
    version: Mapped[int] = mapped_column(Number, primary_key=True)
    title: Mapped[str]
    summary: Mapped[str]
    url: Mapped[str | None]
    published_at: Mapped[datetime | None]
    language: Mapped[str | None]
    categories: Mapped[list[str]]
    authors: Mapped[list[str]]
    image: Mapped[str | None]
    routed_at: Mapped[datetime]


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


class Delivery(Base):
    """One version of one article for one channel, or a digest of such: the ledger."""

    __tablename__ = "deliveries"
    __table_args__ = (
        Index(
            "uq_deliveries_article_channel_version",
            "article_id",
            "channel_id",
            "version",
            "article_day",
            unique=True,
        ),
        # No index names `state`: claiming a row then changes no index entry (heap-only tuples).
        Index(
            "ix_deliveries_enqueue_after",
            "enqueue_after",
            sqlite_where=text("enqueue_after IS NOT NULL"),
            postgresql_where=text("enqueue_after IS NOT NULL"),
        ),
        Index(
            "ix_deliveries_sequence",
            "channel_id",
            "sequence",
            sqlite_where=text("sequence IS NOT NULL"),
            postgresql_where=text("sequence IS NOT NULL"),
        ),
        Index(
            "ix_deliveries_digest_at",
            "channel_id",
            "digest_at",
            sqlite_where=text("digest_at IS NOT NULL"),
            postgresql_where=text("digest_at IS NOT NULL"),
        ),
        Index("ix_deliveries_channel_id_id", "channel_id", "id"),
        Index("ix_deliveries_account_id_id", "account_id", "id"),
        {"postgresql_partition_by": "RANGE (article_day)"},
    )

    id: Mapped[str] = mapped_column(Identifier, primary_key=True)
    article_day: Mapped[date] = mapped_column(Date, primary_key=True)
    account_id: Mapped[str] = mapped_column(Identifier)
    channel_id: Mapped[str] = mapped_column(Identifier)
    queue: Mapped[str]
    article_id: Mapped[str] = mapped_column(Identifier)
    version: Mapped[int] = mapped_column(Number)
    event: Mapped[str]
    matched: Mapped[list[Any]]
    matched_total: Mapped[int]
    state: Mapped[str]
    reason: Mapped[str | None]
    attempts: Mapped[int] = mapped_column(Integer)
    step: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    due_at: Mapped[datetime | None]
    enqueue_after: Mapped[datetime | None]
    slot_at: Mapped[datetime | None]
    sequence: Mapped[int | None] = mapped_column(Number)
    message_id: Mapped[str | None] = mapped_column(Identifier)
    digest_at: Mapped[datetime | None]
    claim_id: Mapped[str | None] = mapped_column(Identifier)
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]


class Batch(Base):
    """Deliveries of one account that one task message names, until a worker has dealt with them all."""

    __tablename__ = "batches"
    __table_args__ = (Index("ix_batches_lane", "account_id", "queue", "retry", "state", "id"),)

    id: Mapped[str] = mapped_column(Identifier, primary_key=True)
    account_id: Mapped[str] = mapped_column(Identifier)
    queue: Mapped[str]
    article_day: Mapped[date] = mapped_column(Date)
    delivery_ids: Mapped[list[str]]
    retry: Mapped[bool] = mapped_column(Boolean)
    state: Mapped[str]
    enqueue_after: Mapped[datetime | None]
    claim_id: Mapped[str | None] = mapped_column(Identifier)
    claimed_by: Mapped[str | None] = mapped_column(Identifier)
    claim_deadline: Mapped[datetime | None]
    created_at: Mapped[datetime]


# --- the notifiers'


class Attempt(Base):
    """One try of one delivery and what came back."""

    __tablename__ = "attempts"
    __table_args__ = ({"postgresql_partition_by": "RANGE (article_day)"},)

    delivery_id: Mapped[str] = mapped_column(Identifier, primary_key=True)
    article_day: Mapped[date] = mapped_column(Date, primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    started_at: Mapped[datetime]
    duration_ms: Mapped[int]
    status: Mapped[int | None]
    reason: Mapped[str | None]
    excerpt: Mapped[str | None]
    next_try_at: Mapped[datetime | None]


class Notice(Base):
    """What an owner must be told: `due_at` is when it is tried next, None once it was told or given up."""

    __tablename__ = "notices"
    __table_args__ = (
        Index("ix_notices_account_id_id", "account_id", "id"),
        Index(
            "ix_notices_due_at",
            "due_at",
            sqlite_where=text("due_at IS NOT NULL"),
            postgresql_where=text("due_at IS NOT NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(Identifier, primary_key=True)
    account_id: Mapped[str | None] = mapped_column(Identifier)
    channel_id: Mapped[str | None] = mapped_column(Identifier)
    source_id: Mapped[str | None] = mapped_column(Identifier)
    kind: Mapped[str]
    reason: Mapped[str | None]
    text: Mapped[str]
    created_at: Mapped[datetime]
    tries: Mapped[int] = mapped_column(Integer)
    due_at: Mapped[datetime | None]
    told_at: Mapped[datetime | None]
    problem: Mapped[str | None]


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
