"""The tables about mail: Welcome emails with their links, and addresses that get none."""

import sqlalchemy as sa

from adapter.store.columns import Instant, metadata
from adapter.store.columns import text as _text

welcome = sa.Table(
    "welcome",
    metadata,
    _text("id", primary_key=True),
    _text("practice"),
    _text("account_id", sa.ForeignKey("account.id")),
    sa.Column("generation", sa.Integer, nullable=False),  # 1, then one more per resend or new address
    _text("effect_id", sa.ForeignKey("effect.id")),  # its delivery state lives there and only there
    _text("email"),
    _text("reason"),
    sa.Column("message_id", sa.Text),
    sa.Column("token_hash", sa.Text, unique=True),  # sha-256 of the link's token; the token itself is never stored
    sa.Column("link_expires_at", Instant),
    sa.Column("link_closed_at", Instant),  # used or killed
    sa.Column("link_tries", sa.Integer, nullable=False, server_default="0"),  # wrong answers given beside the link
    sa.Column("created_at", Instant, nullable=False),
    sa.UniqueConstraint("account_id", "generation"),
)

suppressed = sa.Table(
    "suppressed",
    metadata,
    _text("practice", primary_key=True),
    _text("email_key", primary_key=True),  # an address that gets no mail until a human says so
    _text("reason"),
    sa.Column("since", Instant, nullable=False),
)
