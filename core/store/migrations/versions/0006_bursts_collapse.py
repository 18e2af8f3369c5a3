"""Bursts collapse into one message"""

import sqlalchemy as sa
from alembic import op

from core.store.types import Identifier, UtcDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Without values, so that older processes, which do not name them, go on beside this.
    op.add_column("channels", sa.Column("collapse_seconds", sa.Float(), nullable=True))
    op.add_column("channels", sa.Column("collapse_until", UtcDateTime(), nullable=True))
    op.add_column("deliveries", sa.Column("message_id", Identifier, nullable=True))


def downgrade() -> None:
    # What was to be told by one message waits in its line, and is told by messages of its own.
    op.drop_column("deliveries", "message_id")
    op.drop_column("channels", "collapse_until")
    op.drop_column("channels", "collapse_seconds")
