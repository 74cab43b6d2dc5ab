"""What the practice itself has taken away."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

INSTANT = sa.String(32).with_variant(sa.TIMESTAMP(timezone=True), "postgresql")
IN_FORCE = sa.text("lifted_at IS NULL")


def upgrade() -> None:
    op.create_table(
        "revocation",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("practice", sa.Text, nullable=False),
        sa.Column("email_key", sa.Text, nullable=False),
        sa.Column("patient", sa.Text, nullable=False),
        sa.Column("contact", sa.Text),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("lifted_at", INSTANT),
        sa.Column("lifted_by", sa.Text),
        sa.Column("lifted_reason", sa.Text),
    )
    op.create_index(
        "ix_revocation_practice", "revocation", ["practice"], sqlite_where=IN_FORCE, postgresql_where=IN_FORCE
    )
