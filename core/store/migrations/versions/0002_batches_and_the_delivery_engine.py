"""Batches and the delivery engine"""

import sqlalchemy as sa
from alembic import op

from core.store.types import Identifier, Json, Number, UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

CLAIM_COLUMNS = ("claimed_by", "claim_deadline")


def upgrade() -> None:
    _channels()
    _deliveries()
    op.add_column("attempts", sa.Column("next_try_at", UtcDateTime(), nullable=True))
    _batches()
    _notices()


def _channels() -> None:
    for column in (
        sa.Column("ordering", sa.Text(), nullable=False, server_default="any"),
        sa.Column("last_sequence", Number, nullable=False, server_default="0"),
        sa.Column("next_slot_at", UtcDateTime(), nullable=True),
        sa.Column("failing_since", UtcDateTime(), nullable=True),
    ):
        op.add_column("channels", column)


def _deliveries() -> None:
    # What an older version had claimed goes out again: its claims are of a kind that nobody returns any more.
    op.execute(
        "UPDATE deliveries SET state = 'pending', claim_id = NULL, enqueue_after = due_at "
        "WHERE state = 'sending'"
    )
    op.execute("UPDATE deliveries SET enqueue_after = NULL WHERE state <> 'pending'")
    op.drop_index("ix_deliveries_due", "deliveries")
    op.drop_index("ix_deliveries_claimed", "deliveries")
    for name in CLAIM_COLUMNS:
        op.drop_column("deliveries", name)
    for column in (
        sa.Column("step", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("slot_at", UtcDateTime(), nullable=True),
        sa.Column("sequence", Number, nullable=True),
    ):
        op.add_column("deliveries", column)
    # How often a delivery was tried was its place in the retry schedule.
    op.execute("UPDATE deliveries SET step = attempts WHERE state IN ('pending', 'held')")
    _partial_index(
        "ix_deliveries_enqueue_after", "deliveries", ["enqueue_after"], "enqueue_after IS NOT NULL"
    )
    _partial_index("ix_deliveries_sequence", "deliveries", ["channel_id", "sequence"], "sequence IS NOT NULL")


def _batches() -> None:
    op.create_table(
        "batches",
        sa.Column("id", Identifier, nullable=False),
        sa.Column("account_id", Identifier, nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("article_day", sa.Date(), nullable=False),
        sa.Column("delivery_ids", Json, nullable=False),
        sa.Column("retry", sa.Boolean(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("enqueue_after", UtcDateTime(), nullable=True),
        sa.Column("claim_id", Identifier, nullable=True),
        sa.Column("claimed_by", Identifier, nullable=True),
        sa.Column("claim_deadline", UtcDateTime(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_batches"),
    )
    op.create_index("ix_batches_lane", "batches", ["account_id", "queue", "retry", "state", "id"])


def _notices() -> None:
    op.create_table(
        "notices",
        sa.Column("id", Identifier, nullable=False),
        sa.Column("account_id", Identifier, nullable=True),
        sa.Column("channel_id", Identifier, nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=True),
        sa.Column("told_at", UtcDateTime(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_notices"),
    )
    op.create_index("ix_notices_account_id_id", "notices", ["account_id", "id"])
    _partial_index("ix_notices_due_at", "notices", ["due_at"], "due_at IS NOT NULL")


def _partial_index(name: str, table: str, columns: list[str], condition: str) -> None:
    where = sa.text(condition)
    op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    op.drop_table("notices")
    op.drop_table("batches")
    op.drop_column("attempts", "next_try_at")
    op.drop_index("ix_deliveries_sequence", "deliveries")
    op.drop_index("ix_deliveries_enqueue_after", "deliveries")
    for name in ("step", "slot_at", "sequence"):
        op.drop_column("deliveries", name)
    op.add_column("deliveries", sa.Column("claimed_by", Identifier, nullable=True))
    op.add_column("deliveries", sa.Column("claim_deadline", UtcDateTime(), nullable=True))
    # Whatever waits in no batch any more, or for its turn, is due for the older version's sweep.
    op.execute(
        "UPDATE deliveries SET state = 'pending', claim_id = NULL, due_at = COALESCE(due_at, created_at), "
        "enqueue_after = COALESCE(due_at, created_at) WHERE state IN ('pending', 'sending')"
    )
    _partial_index("ix_deliveries_due", "deliveries", ["due_at"], "state = 'pending'")
    _partial_index("ix_deliveries_claimed", "deliveries", ["claim_deadline"], "state = 'sending'")
    for name in ("ordering", "last_sequence", "next_slot_at", "failing_since"):
        op.drop_column("channels", name)
