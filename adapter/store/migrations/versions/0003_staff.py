"""The practice's own people: sign-in names, roles, sessions, attempts."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

INSTANT = sa.String(32).with_variant(sa.TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    op.create_table(
        "person",
        _text("id", primary_key=True),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column("password_hash", sa.Text),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("code_step", sa.BigInteger),
        sa.Column("subject", sa.Text, unique=True),
        sa.Column("created_at", INSTANT, nullable=False),
    )
    op.create_table(
        "person_role",
        _text("person_id", sa.ForeignKey("person.id"), primary_key=True),
        _text("practice", primary_key=True),
        _text("role"),
    )
    op.create_table(
        "session",
        _text("id_hash", primary_key=True),
        _text("person_id", sa.ForeignKey("person.id")),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("seen_at", INSTANT, nullable=False),
        sa.Column("raised_practice", sa.Text),
        sa.Column("raised_until", INSTANT),
    )
    op.create_index("ix_session_person", "session", ["person_id"])
    op.create_table(
        "sign_in_attempt",
        _text("name_hash", primary_key=True),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("last_at", INSTANT, nullable=False),
    )


def _text(name: str, *args: Any, **options: Any) -> sa.Column[str]:
    return sa.Column(name, sa.Text, *args, nullable=False, **options)
