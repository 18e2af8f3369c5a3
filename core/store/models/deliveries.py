"""The ledger: what is told to whom, in which batches, by which attempts, and what owners are told."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import Boolean, Date, Index, Integer, text
from sqlalchemy.orm import Mapped, mapped_column

from core.store.models.base import Base
from core.store.types import Identifier, Number


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
