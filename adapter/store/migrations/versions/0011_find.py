"""Finding families by a few letters."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "find_key",
        sa.Column("practice", sa.Text, primary_key=True),
        sa.Column("key", KEY, primary_key=True),
        sa.Column("ref", sa.Text, primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_find_key_ref", "find_key", ["practice", "ref"])
    op.create_table(
        "find_mark",
        sa.Column("practice", sa.Text, primary_key=True),
        sa.Column("run", sa.Integer, nullable=False),
    )
