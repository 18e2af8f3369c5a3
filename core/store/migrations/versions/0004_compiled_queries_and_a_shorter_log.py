"""Compiled queries, and a log of subscriptions that is cut"""

import sqlalchemy as sa
from alembic import op

from core.store.types import Number, UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Neither table is needed by what an older version writes: queries are compiled by the leader as it finds
    # subscriptions to them, and the log has no mark before a newer leader cuts it.
    op.create_table(
        "queries",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("compiled", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_queries"),
    )
    op.create_table(
        "revision_marks",
        sa.Column("position", Number, autoincrement=False, nullable=False),
        sa.Column("noted_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("position", name="pk_revision_marks"),
    )


def downgrade() -> None:
    op.drop_table("revision_marks")
    op.drop_table("queries")
