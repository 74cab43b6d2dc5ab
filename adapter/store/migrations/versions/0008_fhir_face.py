"""When an account, grant, effect or finding changed at all, and what EHR vendors may read with."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

INSTANT = sa.String(32).with_variant(sa.TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    for table in ("account", "grant", "effect", "finding"):
        op.add_column(table, sa.Column("changed_at", INSTANT))
    op.create_table(
        "vendor_token",
        sa.Column("hash", sa.Text, nullable=False),
        sa.Column("client_id", sa.Text, nullable=False),
        sa.Column("scope", sa.Text, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("hash", name="pk_vendor_token"),
    )
    op.create_table(
        "vendor_assertion",
        sa.Column("client_id", sa.Text, nullable=False),
        sa.Column("jti_hash", sa.Text, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("client_id", "jti_hash", name="pk_vendor_assertion"),
    )
