"""The tables of the practice's own people: who they are, what they may do, where they are signed in."""

import sqlalchemy as sa

from adapter.store.columns import Instant, metadata
from adapter.store.columns import text as _text

person = sa.Table(
    "person",
    metadata,
    _text("id", primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),  # what they sign in with, small letters
    sa.Column("password_hash", sa.Text),  # argon2id; null: they sign in elsewhere (OIDC)
    sa.Column("generation", sa.Integer, nullable=False),  # one more at each reset; the code's secret is derived from it
    sa.Column("code_step", sa.BigInteger),  # the half minute of the last code that was used: no code works twice
    sa.Column("subject", sa.Text, unique=True),  # who they are at the OIDC provider
    sa.Column("created_at", Instant, nullable=False),
)

person_role = sa.Table(
    "person_role",
    metadata,
    _text("person_id", sa.ForeignKey("person.id"), primary_key=True),
    _text("practice", primary_key=True),
    _text("role"),  # core.staff.StaffRole
)

session = sa.Table(
    "session",
    metadata,
    _text("id_hash", primary_key=True),  # sha-256 of the cookie's token; the token itself is never stored
    _text("person_id", sa.ForeignKey("person.id")),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("seen_at", Instant, nullable=False),
    sa.Column("raised_practice", sa.Text),  # break-glass: where they may do more, and until when
    sa.Column("raised_until", Instant),
    sa.Index("ix_session_person", "person_id"),
)

sign_in_attempt = sa.Table(
    "sign_in_attempt",
    metadata,
    _text("name_hash", primary_key=True),  # of the name that was typed, whether there is such a person or not
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("last_at", Instant, nullable=False),
)
