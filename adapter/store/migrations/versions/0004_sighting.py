"""What the portal was seen to have, account by account."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

INSTANT = sa.String(32).with_variant(sa.TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    op.create_table(
        "sighting",
        sa.Column("account_id", sa.Text, sa.ForeignKey("account.id", name="fk_sighting_account_id"), nullable=False),
        sa.Column("practice", sa.Text, nullable=False),
        sa.Column("seen_at", INSTANT, nullable=False),
        sa.Column("locked", sa.Boolean, nullable=False),
        sa.Column("last_sign_in", INSTANT),
        sa.PrimaryKeyConstraint("account_id", name="pk_sighting"),
    )
