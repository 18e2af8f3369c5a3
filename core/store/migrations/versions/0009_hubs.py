"""Hubs that push a source's news"""

import sqlalchemy as sa
from alembic import op

from core.store.types import Identifier, UtcDateTime

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "hub_subscriptions",
        sa.Column("source_id", Identifier, nullable=False),
        sa.Column("hub", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("callback", sa.Text(), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("next_step_at", UtcDateTime(), nullable=False),
        sa.Column("asked_at", UtcDateTime(), nullable=True),
        sa.Column("lease_until", UtcDateTime(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("source_id", name="pk_hub_subscriptions"),
        _belongs_to_source("hub_subscriptions"),
        sa.UniqueConstraint("callback", name="uq_hub_subscriptions_callback"),
    )
    op.create_index("ix_hub_subscriptions_next_step_at", "hub_subscriptions", ["next_step_at"])
    op.create_table(
        "pushed_documents",
        sa.Column("id", Identifier, nullable=False),
        sa.Column("source_id", Identifier, nullable=False),
        sa.Column("content_type", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_pushed_documents"),
        _belongs_to_source("pushed_documents"),
    )
    op.create_index("ix_pushed_documents_source_id", "pushed_documents", ["source_id"])


def _belongs_to_source(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["source_id"], ["sources.id"], name=f"fk_{table}_source_id", ondelete="CASCADE"
    )


def downgrade() -> None:
    op.drop_table("pushed_documents")
    op.drop_table("hub_subscriptions")
