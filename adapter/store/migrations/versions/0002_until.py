"""A grant knows until when it holds by itself. Every chart is decided again once, to fill it in."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

INSTANT = sa.String(32).with_variant(sa.TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    op.add_column("grant", sa.Column("until", INSTANT))
    op.execute("UPDATE practice SET rules_hash = NULL")
