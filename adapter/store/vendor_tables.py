"""Tables of the FHIR face: the tokens that EHR vendors were given, and the assertions they have used up."""

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
