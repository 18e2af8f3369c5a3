"""Manners and health of sources"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from core.store.types import Identifier, UtcDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# All may be missing or have a default, so that a process of the version before can go on inserting sources.
COLUMNS: tuple[tuple[str, Any, dict[str, Any]], ...] = (
    ("state", sa.Text(), {"nullable": False, "server_default": "active"}),
    ("state_reason", sa.Text(), {}),
    ("merged_into", Identifier, {}),
    ("absorbed", sa.Boolean(), {"nullable": False, "server_default": sa.false()}),
    ("moving_to", sa.Text(), {}),
    ("used_interval_seconds", sa.Integer(), {}),
    ("used_interval_because", sa.Text(), {}),
    ("hinted_seconds", sa.Integer(), {}),
    ("cached_seconds", sa.Integer(), {}),
    ("articles_weight", sa.Float(), {}),
    ("articles_weighed_at", UtcDateTime(), {}),
    ("last_error_reason", sa.Text(), {}),
)
INDEXES = (
    ("ix_sources_next_poll_at", "next_poll_at", "next_poll_at IS NOT NULL"),
    ("ix_sources_asked_for", "next_poll_at", "next_poll_at <= updated_at"),
    ("ix_sources_merged_into", "merged_into", "merged_into IS NOT NULL"),
)


def upgrade() -> None:
    for name, kind, more in COLUMNS:
        op.add_column("sources", sa.Column(name, kind, **more))
    for name, column, condition in INDEXES:
        where = sa.text(condition)
        op.create_index(name, "sources", [column], sqlite_where=where, postgresql_where=where)
    op.create_table(
        "host_cooldowns",
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("until", UtcDateTime(), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("host", name="pk_host_cooldowns"),
    )
    op.add_column("notices", sa.Column("source_id", Identifier, nullable=True))


def downgrade() -> None:
    op.drop_column("notices", "source_id")
    op.drop_table("host_cooldowns")
    # The version before polls every source that it finds, but at once where no time is set.
    op.execute("UPDATE sources SET next_poll_at = '9999-12-31T00:00:00.000000Z' WHERE state <> 'active'")
    for name, _, _ in INDEXES:
        op.drop_index(name, "sources")
    for name, _, _ in COLUMNS:
        op.drop_column("sources", name)
