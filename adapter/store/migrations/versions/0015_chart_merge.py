"""Charts that were merged into others while somebody had access to them."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

INSTANT = sa.String(32).with_variant(sa.TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    op.create_table(
        "chart_merge",
        sa.Column("practice", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("ends", sa.Text, nullable=False),
        sa.Column("since", INSTANT, nullable=False),
        sa.Column("done_at", INSTANT),
        sa.Column("done_by", sa.Text, nullable=False, server_default=""),
        sa.Column("done_into", sa.Text, nullable=False, server_default=""),
        sa.Column("reason", sa.Text, nullable=False, server_default=""),
        sa.Column("run", sa.Integer),
        sa.Column("back_run", sa.Integer),
        sa.Column("approved_by", sa.Text, nullable=False, server_default=""),
        sa.Column("approved_hash", sa.Text, nullable=False, server_default=""),
        sa.PrimaryKeyConstraint("practice", "source", name="pk_chart_merge"),
    )
    # What was merged before: those whose access waits for a human already.
    op.execute(
        """INSERT INTO chart_merge (practice, source, ends, since)
           SELECT a.practice, g.patient, '[]', min(g.since) FROM "grant" g JOIN account a ON a.id = g.account_id
           WHERE g.state = 'suspended' AND g.reason = 'patient-merged' GROUP BY a.practice, g.patient"""
    )
