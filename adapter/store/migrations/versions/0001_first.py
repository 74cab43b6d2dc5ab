"""The first schema."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

INSTANT = sa.String(32).with_variant(sa.TIMESTAMP(timezone=True), "postgresql")

# Nobody changes or deletes what stands in the audit trail, by mistake at least: whoever owns the database can drop a
# trigger, and then the chain of hashes shows it. An INSERT fires none of them.
APPEND_ONLY = {
    "sqlite": [
        f"CREATE TRIGGER audit_no_{name} BEFORE {name.upper()} ON audit "
        "BEGIN SELECT RAISE(ABORT, 'the audit trail only grows'); END"
        for name in ("update", "delete")
    ],
    "postgresql": [
        "CREATE FUNCTION audit_only_grows() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the audit trail only grows' USING ERRCODE = 'insufficient_privilege'; END $$",
        "CREATE TRIGGER audit_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON audit "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_only_grows()",
    ],
}


def upgrade() -> None:
    _facts()
    _accounts()
    _effects()
    _runs()
    _audit()
    _push()


def _facts() -> None:
    op.create_table(
        "practice",
        _text("id", primary_key=True),
        _instant("released_at"),
        _number("decided_run"),
        _instant("decided_at"),
        _text("rules_hash", True),
    )
    op.create_table(
        "patient",
        _text("practice", primary_key=True),
        _text("ref", primary_key=True),
        _text("hash"),
        _text("facts"),
        _instant("updated"),
        _number("changed_run"),
        _number("seen_run"),
        sa.Column("review_on", sa.Date),
    )
    op.create_index("ix_patient_changed", "patient", ["practice", "changed_run"])
    op.create_index("ix_patient_review", "patient", ["practice", "review_on"])
    op.create_table(
        "contact",
        _text("practice", primary_key=True),
        _text("ref", primary_key=True),
        _text("patient"),
        _text("email_key"),
        _text("name_key"),
        _text("hash"),
        _text("facts"),
        _instant("updated"),
        _text("outcome", True),
        _number("changed_run"),
        _number("seen_run"),
    )
    op.create_index("ix_contact_patient", "contact", ["practice", "patient"])
    op.create_index("ix_contact_email", "contact", ["practice", "email_key"])
    op.create_index("ix_contact_name", "contact", ["practice", "name_key"])
    op.create_index("ix_contact_changed", "contact", ["practice", "changed_run"])


def _accounts() -> None:
    op.create_table(
        "account",
        _text("id", primary_key=True),
        _text("practice"),
        _text("email_key"),
        _text("email"),
        _text("name"),
        _text("language"),
        _text("status"),
        _text("reason"),
        _instant("since", nullable=False),
        _instant("registered_at"),
        sa.UniqueConstraint("practice", "email_key"),
    )
    op.create_table(
        "grant",
        sa.Column("account_id", sa.Text, sa.ForeignKey("account.id"), primary_key=True),
        _text("patient", primary_key=True),
        _text("contact"),
        _text("role"),
        _text("authority"),
        _text("access"),
        _text("state"),
        _text("reason"),
        _text("source"),
        sa.Column("is_self", sa.Boolean, nullable=False),
        _instant("since", nullable=False),
    )
    op.create_index("ix_grant_patient", "grant", ["patient"])
    op.create_index("ix_grant_contact", "grant", ["contact"])


def _effects() -> None:
    op.create_table(
        "effect",
        _text("id", primary_key=True),
        _text("practice"),
        _text("kind"),
        _text("subject"),
        _text("to"),
        _text("state"),
        _number("attempts"),
        _instant("next_at"),
        _text("lease_owner", True),
        _instant("lease_until"),
        _text("last_error", True),
        sa.Column("run", sa.Integer),
        _instant("created_at", nullable=False),
        _instant("done_at"),
    )
    op.create_index("ix_effect_due", "effect", ["state", "next_at", "kind", "practice"])
    op.create_index("ix_effect_subject", "effect", ["kind", "subject"])
    op.create_table(
        "welcome",
        _text("id", primary_key=True),
        _text("practice"),
        sa.Column("account_id", sa.Text, sa.ForeignKey("account.id"), nullable=False),
        _number("generation"),
        sa.Column("effect_id", sa.Text, sa.ForeignKey("effect.id"), nullable=False),
        _text("email"),
        _text("reason"),
        _text("message_id", True),
        sa.Column("token_hash", sa.Text, unique=True),
        _instant("link_expires_at"),
        _instant("link_closed_at"),
        _instant("created_at", nullable=False),
        sa.UniqueConstraint("account_id", "generation"),
    )
    op.create_table(
        "widget_revision",
        _text("practice", primary_key=True),
        _number("revision", primary_key=True, autoincrement=False),
        _text("hash"),
        _text("content"),
        _text("state"),
        _text("reason"),
        _instant("accepted_at"),
        _instant("live_at"),
        _instant("created_at", nullable=False),
    )


def _runs() -> None:
    op.create_table(
        "run",
        _number("id", primary_key=True, autoincrement=True),
        _text("practice"),
        _text("kind"),
        _text("status"),
        _instant("started_at", nullable=False),
        _instant("finished_at"),
        _instant("released_at"),
        _text("plan_hash", True),
        _text("report"),
    )
    op.create_index("ix_run_practice", "run", ["practice", "id"])
    op.create_table(
        "finding",
        _text("id", primary_key=True),
        _text("practice"),
        _text("scope"),
        _text("code"),
        _text("severity"),
        _text("patient", True),
        _text("contact", True),
        _text("email", True),
        _text("message"),
        _text("remedy"),
        _instant("since", nullable=False),
        _instant("closed_at"),
    )
    op.create_index("ix_finding_scope", "finding", ["practice", "scope"])
    is_open = sa.text("closed_at IS NULL")
    op.create_index("ix_finding_open", "finding", ["practice", "code"], sqlite_where=is_open, postgresql_where=is_open)
    op.create_table(
        "watermark",
        _text("practice", primary_key=True),
        _text("resource_type", primary_key=True),
        _instant("at", nullable=False),
    )
    op.create_table("lease", _text("name", primary_key=True), _text("owner"), _instant("until", nullable=False))


def _push() -> None:
    op.create_table(
        "nudge",
        _text("practice", primary_key=True),
        _text("ref", primary_key=True),
        _number("seq"),
        sa.Column("taken", sa.Integer),
        sa.Column("deleted", sa.Boolean, nullable=False),
        _instant("received_at", nullable=False),
        _instant("next_at", nullable=False),
        _number("attempts"),
        _text("lease_owner", True),
        _instant("lease_until"),
    )
    op.create_table(
        "push_channel",
        _text("practice", primary_key=True),
        _text("subscription", primary_key=True),
        _text("status"),
        sa.Column("events", sa.BigInteger),
        _instant("seen_at", nullable=False),
    )


def _audit() -> None:
    op.create_table(
        "audit",
        _text("practice", primary_key=True),
        _number("seq", primary_key=True, autoincrement=False),
        _instant("at", nullable=False),
        _text("actor"),
        sa.Column("run", sa.Integer),
        _text("action"),
        _text("account", True),
        _text("patient", True),
        _text("reason"),
        _text("source"),
        _text("detail"),
        _text("hash"),
    )
    for statement in APPEND_ONLY[op.get_bind().dialect.name]:
        op.execute(statement)


def _text(name: str, nullable: bool = False, **options: Any) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=nullable, **options)


def _number(name: str, **options: Any) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, nullable=False, **options)


def _instant(name: str, *, nullable: bool = True) -> sa.Column[Any]:
    return sa.Column(name, INSTANT, nullable=nullable)
