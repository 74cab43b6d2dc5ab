"""The table of what the practice itself has taken away."""

import sqlalchemy as sa

from adapter.store.columns import Instant, metadata
from adapter.store.columns import text as _text

_IN_FORCE = sa.text("lifted_at IS NULL")

revocation = sa.Table(
    "revocation",
    metadata,
    _text("id", primary_key=True),
    _text("practice"),
    _text("email_key"),
    _text("patient"),  # "*": every chart of the account, one row for the address and one for each of its contacts
    sa.Column("contact", sa.Text),  # on whom the grant rested: with a new address the same person
    _text("reason"),  # in the words of whoever took it away
    _text("actor"),
    sa.Column("at", Instant, nullable=False),
    sa.Column("lifted_at", Instant),  # null = in force. It is never deleted
    sa.Column("lifted_by", sa.Text),
    sa.Column("lifted_reason", sa.Text),
    sa.Index("ix_revocation_practice", "practice", sqlite_where=_IN_FORCE, postgresql_where=_IN_FORCE),
)
