"""One article from many sources, one notification for a story"""

import sqlalchemy as sa
from alembic import op

from core.store.types import Identifier, Number, UtcDateTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _articles()
    _appearances()
    op.add_column(
        "subscriptions",
        sa.Column("once_per_story", sa.Boolean(), nullable=False, server_default=sa.false()),
    )


def _articles() -> None:
    # Articles of an older version have neither: nothing joins them.
    for column in (
        sa.Column("page_key", Identifier, nullable=True),
        sa.Column("page_shared", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("story", Identifier, nullable=True),
    ):
        op.add_column("articles", column)
    _partial_index("uq_articles_page_key", ["page_key"], "page_key IS NOT NULL", unique=True)
    _partial_index("ix_articles_story", ["story", "first_routed_at"], "story IS NOT NULL")


def _appearances() -> None:
    op.create_table(
        "appearances",
        sa.Column("source_key", Identifier, nullable=False),
        sa.Column("producer_id", Identifier, nullable=False),
        sa.Column("article_id", Identifier, nullable=False),
        sa.Column("source_id", Identifier, nullable=True),
        sa.Column("source_name", sa.Text(), nullable=True),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("version", Number, nullable=False),
        sa.Column("planned_version", Number, nullable=False),
        sa.Column("first_seen_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("source_key", "producer_id", name="pk_appearances"),
        sa.ForeignKeyConstraint(
            ["article_id"], ["articles.id"], name="fk_appearances_article_id", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_appearances_article_id", "appearances", ["article_id"])


def _partial_index(name: str, columns: list[str], condition: str, *, unique: bool = False) -> None:
    where = sa.text(condition)
    op.create_index(name, "articles", columns, unique=unique, sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    op.drop_column("subscriptions", "once_per_story")
    op.drop_table("appearances")
    op.drop_index("ix_articles_story", "articles")
    op.drop_index("uq_articles_page_key", "articles")
    for name in ("story", "page_shared", "page_key"):
        op.drop_column("articles", name)
