"""How many mails a practice has sent in the current minute."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

INSTANT = sa.String(32).with_variant(sa.TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    op.add_column("practice", sa.Column("mail_minute", INSTANT))
    op.add_column("practice", sa.Column("mail_count", sa.Integer, nullable=False, server_default="0"))
