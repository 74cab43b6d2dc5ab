"""Humans' answers to findings. Every chart is decided again once, so that each finding knows its facts."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

INSTANT = sa.String(32).with_variant(sa.TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    op.add_column("finding", sa.Column("facts", sa.Text, nullable=False, server_default=""))
    needed = ("practice", "finding", "scope", "code", "answer", "facts")
    op.create_table(
        "decision",
        sa.Column("id", sa.Text, primary_key=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in needed),
        *(sa.Column(name, sa.Text) for name in ("patient", "contact", "email")),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("reason", "actor")),
        sa.Column("decided_at", INSTANT, nullable=False),
        sa.Column("last_day", sa.Date),
        *(sa.Column(name, INSTANT) for name in ("until", "ended_at")),
        *(sa.Column(name, sa.Text) for name in ("ended_because", "ended_by", "ended_reason")),
    )
    op.create_index("ix_decision_finding", "decision", ["practice", "finding"])
    in_force = sa.text("ended_at IS NULL")
    op.create_index(
        "ix_decision_scope", "decision", ["practice", "scope"], sqlite_where=in_force, postgresql_where=in_force
    )
    op.execute("UPDATE practice SET rules_hash = NULL")
