"""Digests"""

import sqlalchemy as sa
from alembic import op

from core.store.types import UtcDateTime

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

DIGESTED = "digest_at IS NOT NULL"


def upgrade() -> None:
    # Without values, so that older processes, which do not name them, go on beside this.
    op.add_column("subscriptions", sa.Column("schedule", sa.Text(), nullable=True))
    op.add_column("channels", sa.Column("digested_until", UtcDateTime(), nullable=True))
    op.add_column("deliveries", sa.Column("digest_at", UtcDateTime(), nullable=True))
    op.create_index(
        "ix_deliveries_digest_at",
        "deliveries",
        ["channel_id", "digest_at"],
        sqlite_where=sa.text(DIGESTED),
        postgresql_where=sa.text(DIGESTED),
    )


def downgrade() -> None:
    # What waits for a digest is told by itself; the digests are nothing that an older version could send.
    op.execute("DELETE FROM deliveries WHERE event = 'digest'")
    op.execute(
        "UPDATE deliveries SET enqueue_after = created_at, due_at = created_at, message_id = NULL "
        "WHERE digest_at IS NOT NULL AND state = 'pending'"
    )
    op.drop_index("ix_deliveries_digest_at", "deliveries")
    op.drop_column("deliveries", "digest_at")
    op.drop_column("channels", "digested_until")
    op.drop_column("subscriptions", "schedule")
