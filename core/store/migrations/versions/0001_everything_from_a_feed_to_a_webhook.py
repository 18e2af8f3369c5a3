"""Everything from a feed to a webhook"""

import sqlalchemy as sa
from alembic import op

from core.store.types import Identifier, Json, Number, UtcDateTime, Xid

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = (
    "attempts",
    "deliveries",
    "subscription_changes",
    "subscriptions",
    "article_versions",
    "articles",
    "entries",
    "sources",
    "instances",
    "leases",
    "channels",
    "keys",
    "accounts",
)


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", Identifier, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("contact", sa.Text(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_accounts"),
        sa.UniqueConstraint("name", name="uq_accounts_name"),
    )
    op.create_table(
        "articles",
        sa.Column("id", Identifier, nullable=False),
        sa.Column("source_key", Identifier, nullable=False),
        sa.Column("producer_id", Identifier, nullable=False),
        sa.Column("source_id", Identifier, nullable=True),
        sa.Column("source_name", sa.Text(), nullable=True),
        sa.Column("account_id", Identifier, nullable=True),
        sa.Column("version", Number, nullable=False),
        sa.Column("planned_version", Number, nullable=False),
        sa.Column("article_day", sa.Date(), nullable=False),
        sa.Column("first_routed_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_articles"),
    )
    op.create_index("ix_articles_first_routed_at", "articles", ["first_routed_at"], unique=False)
    op.create_index("ix_articles_source_id", "articles", ["source_id"], unique=False)
    op.create_index(
        "ix_articles_source_key_producer_id", "articles", ["source_key", "producer_id"], unique=True
    )
    op.create_table(
        "attempts",
        sa.Column("delivery_id", Identifier, nullable=False),
        sa.Column("article_day", sa.Date(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("excerpt", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("delivery_id", "article_day", "number", name="pk_attempts"),
        postgresql_partition_by="RANGE (article_day)",
    )
    op.create_table(
        "deliveries",
        sa.Column("id", Identifier, nullable=False),
        sa.Column("article_day", sa.Date(), nullable=False),
        sa.Column("account_id", Identifier, nullable=False),
        sa.Column("channel_id", Identifier, nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("article_id", Identifier, nullable=False),
        sa.Column("version", Number, nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("matched", Json, nullable=False),
        sa.Column("matched_total", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=True),
        sa.Column("enqueue_after", UtcDateTime(), nullable=True),
        sa.Column("claim_id", Identifier, nullable=True),
        sa.Column("claimed_by", Identifier, nullable=True),
        sa.Column("claim_deadline", UtcDateTime(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", "article_day", name="pk_deliveries"),
        postgresql_partition_by="RANGE (article_day)",
    )
    op.create_index("ix_deliveries_account_id_id", "deliveries", ["account_id", "id"], unique=False)
    op.create_index("ix_deliveries_channel_id_id", "deliveries", ["channel_id", "id"], unique=False)
    op.create_index(
        "ix_deliveries_claimed",
        "deliveries",
        ["claim_deadline"],
        unique=False,
        sqlite_where=sa.text("state = 'sending'"),
        postgresql_where=sa.text("state = 'sending'"),
    )
    op.create_index(
        "ix_deliveries_due",
        "deliveries",
        ["due_at"],
        unique=False,
        sqlite_where=sa.text("state = 'pending'"),
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_index(
        "uq_deliveries_article_channel_version",
        "deliveries",
        ["article_id", "channel_id", "version", "article_day"],
        unique=True,
    )
    op.create_table(
        "instances",
        sa.Column("id", Identifier, nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("last_seen_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_instances"),
    )
    op.create_table(
        "leases",
        sa.Column("name", Identifier, nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("token", Number, nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_leases"),
    )
    op.create_table(
        "subscription_changes",
        sa.Column("sequence", Number, autoincrement=True, nullable=False),
        sa.Column("number", Number, nullable=False),
        sa.Column("transaction_id", Xid, nullable=True),
        sa.PrimaryKeyConstraint("sequence", name="pk_subscription_changes"),
        sqlite_autoincrement=True,
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE subscription_changes ALTER transaction_id SET DEFAULT pg_current_xact_id()")
    op.create_index(
        "ix_subscription_changes_transaction_id", "subscription_changes", ["transaction_id"], unique=False
    )
    op.create_table(
        "article_versions",
        sa.Column("article_id", Identifier, nullable=False),
        sa.Column("version", Number, nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("published_at", UtcDateTime(), nullable=True),
        sa.Column("language", sa.Text(), nullable=True),
        sa.Column("categories", Json, nullable=False),
        sa.Column("authors", Json, nullable=False),
        sa.Column("image", sa.Text(), nullable=True),
        sa.Column("routed_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["article_id"], ["articles.id"], name="fk_article_versions_article_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("article_id", "version", name="pk_article_versions"),
    )
    op.create_table(
        "channels",
        sa.Column("id", Identifier, nullable=False),
        sa.Column("account_id", Identifier, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("target_hash", sa.Text(), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("state_reason", sa.Text(), nullable=True),
        sa.Column("rate_limit", sa.Float(), nullable=True),
        sa.Column("retry_schedule", Json, nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_channels_account_id"),
        sa.PrimaryKeyConstraint("id", name="pk_channels"),
    )
    op.create_index(
        "ix_channels_account_id_kind_target_hash",
        "channels",
        ["account_id", "kind", "target_hash"],
        unique=True,
    )
    op.create_table(
        "keys",
        sa.Column("id", Identifier, nullable=False),
        sa.Column("account_id", Identifier, nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("administrator", sa.Boolean(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=True),
        sa.Column("revoked_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_keys_account_id"),
        sa.PrimaryKeyConstraint("id", name="pk_keys"),
        sa.UniqueConstraint("hash", name="uq_keys_hash"),
    )
    op.create_index("ix_keys_account_id", "keys", ["account_id"], unique=False)
    op.create_table(
        "sources",
        sa.Column("id", Identifier, nullable=False),
        sa.Column("account_id", Identifier, nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("interval_seconds", sa.Integer(), nullable=True),
        sa.Column("etag", sa.Text(), nullable=True),
        sa.Column("last_modified", sa.Text(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("next_poll_at", UtcDateTime(), nullable=True),
        sa.Column("last_success_at", UtcDateTime(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("last_error_at", UtcDateTime(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_sources_account_id"),
        sa.PrimaryKeyConstraint("id", name="pk_sources"),
    )
    op.create_index("uq_sources_account_id_url", "sources", ["account_id", "url"], unique=True)
    op.create_index(
        "uq_sources_installation_url",
        "sources",
        ["url"],
        unique=True,
        sqlite_where=sa.text("account_id IS NULL"),
        postgresql_where=sa.text("account_id IS NULL"),
    )
    op.create_table(
        "entries",
        sa.Column("source_id", Identifier, nullable=False),
        sa.Column("producer_id", Identifier, nullable=False),
        sa.Column("article_id", Identifier, nullable=False),
        sa.Column("version", Number, nullable=False),
        sa.Column("seen_hashes", Json, nullable=False),
        sa.Column("message", Json, nullable=True),
        sa.Column("published", sa.Boolean(), nullable=False),
        sa.Column("first_seen_at", UtcDateTime(), nullable=False),
        sa.Column("last_seen_at", UtcDateTime(), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["source_id"], ["sources.id"], name="fk_entries_source_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("source_id", "producer_id", name="pk_entries"),
    )
    op.create_index("ix_entries_article_id", "entries", ["article_id"], unique=False)
    op.create_index(
        "ix_entries_unpublished",
        "entries",
        ["changed_at"],
        unique=False,
        sqlite_where=sa.text("published = 0"),
        postgresql_where=sa.text("NOT published"),
    )
    op.create_table(
        "subscriptions",
        sa.Column("number", Number, autoincrement=True, nullable=False),
        sa.Column("id", Identifier, nullable=False),
        sa.Column("account_id", Identifier, nullable=False),
        sa.Column("channel_id", Identifier, nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("topic", sa.Boolean(), nullable=False),
        sa.Column("canonical", sa.Text(), nullable=False),
        sa.Column("sources", Json, nullable=True),
        sa.Column("languages", Json, nullable=True),
        sa.Column("updates", sa.Boolean(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_subscriptions_account_id"),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["channels.id"], name="fk_subscriptions_channel_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("number", name="pk_subscriptions"),
        sa.UniqueConstraint("id", name="uq_subscriptions_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_subscriptions_account_id", "subscriptions", ["account_id"], unique=False)
    op.create_index("ix_subscriptions_channel_id", "subscriptions", ["channel_id"], unique=False)


def downgrade() -> None:
    for table in TABLES:
        op.drop_table(table)
