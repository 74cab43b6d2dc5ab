"""Tables of programs that read us: tokens of EHR vendors and of the JSON API, and what must not be done twice."""

import sqlalchemy as sa

from adapter.store.columns import Instant, metadata
from adapter.store.columns import text as _text

vendor_token = sa.Table(
    "vendor_token",
    metadata,
    _text("hash", primary_key=True),  # sha-256 of the token; the token itself is never stored
    _text("client_id"),
    _text("scope"),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("expires_at", Instant, nullable=False),
)

vendor_assertion = sa.Table(
    "vendor_assertion",
    metadata,
    _text("client_id", primary_key=True),
    _text("jti_hash", primary_key=True),  # sha-256: a jti is the client's own word
    sa.Column("expires_at", Instant, nullable=False),
)

api_token = sa.Table(
    "api_token",
    metadata,
    _text("id", primary_key=True),
    _text("name"),  # what it is for; its name in the audit trail
    sa.Column("hash", sa.Text, nullable=False, unique=True),  # sha-256; the token itself is never stored
    _text("roles"),  # JSON: core.staff.StaffRole by practice
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("expires_at", Instant, nullable=False),
    sa.Column("revoked_at", Instant),
)

api_answer = sa.Table(
    "api_answer",
    metadata,
    _text("actor", primary_key=True),
    _text("key", primary_key=True),  # sha-256 of the Idempotency-Key
    _text("request_hash"),  # sha-256 of method, path and body
    sa.Column("status", sa.Integer),  # null while it is being done
    sa.Column("answer", sa.Text),
    sa.Column("created_at", Instant, nullable=False),
    sa.Index("ix_api_answer_created", "created_at"),
)
