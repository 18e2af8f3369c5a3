"""Mails that ask for consent"""

import sqlalchemy as sa
from alembic import op

from core.store.types import Identifier, UtcDateTime

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "confirmations",
        sa.Column("id", Identifier, nullable=False),
        sa.Column("account_id", Identifier, nullable=False),
        sa.Column("channel_id", Identifier, nullable=False),
        sa.Column("target_hash", sa.Text(), nullable=False),
        sa.Column("requested_at", UtcDateTime(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=True),
        sa.Column("sent_at", UtcDateTime(), nullable=True),
        sa.Column("confirmed_at", UtcDateTime(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_confirmations"),
    )
    op.create_index("ix_confirmations_target_hash", "confirmations", ["target_hash"])
    op.create_index("ix_confirmations_channel_id_id", "confirmations", ["channel_id", "id"])
    op.create_index(
        "ix_confirmations_due_at",
        "confirmations",
        ["due_at"],
        sqlite_where=sa.text("due_at IS NOT NULL"),
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_table("confirmations")
