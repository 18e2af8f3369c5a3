"""Folders of sources, and links of entries"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sources", sa.Column("folder", sa.Text(), nullable=True))
    op.add_column("entries", sa.Column("link", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("entries", "link")
    op.drop_column("sources", "folder")
