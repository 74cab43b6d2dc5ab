"""What brakes count, and the plans they hold."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

INSTANT = sa.String(32).with_variant(sa.TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    op.create_table(
        "change_count",
        sa.Column("practice", sa.Text, primary_key=True),
        sa.Column("run", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("brake", sa.Text, primary_key=True),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
    )
    op.create_index("ix_change_count_at", "change_count", ["practice", "at"])
    op.create_table(
        "held_plan",
        sa.Column("run", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("practice", sa.Text, nullable=False),
        sa.Column("brakes", sa.Text, nullable=False),
        sa.Column("cause", sa.Text, nullable=False),
        sa.Column("hold_welcome", sa.Boolean, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("closed_at", INSTANT),
        sa.Column("closed_because", sa.Text),
        sa.Column("approved_by", sa.Text),
        sa.Column("approved_hash", sa.Text),
    )
    op.create_index("ix_held_plan_practice", "held_plan", ["practice", "closed_at"])
    op.create_table(
        "held_account",
        sa.Column("run", sa.Integer, sa.ForeignKey("held_plan.run"), primary_key=True, autoincrement=False),
        sa.Column("account", sa.Text, primary_key=True),
        sa.Column("practice", sa.Text, nullable=False),
        sa.Column("moves_to", sa.Text, nullable=False),
        sa.Column("actions", sa.Text, nullable=False),
        sa.Column("basis", sa.Text, nullable=False),
        sa.Column("closed_at", INSTANT),
        sa.Column("closed_because", sa.Text),
    )
    op.create_index("ix_held_account_open", "held_account", ["practice", "closed_at", "account"])
