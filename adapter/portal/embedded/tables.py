"""The embedded portal's own tables. It shares a database with the adapter at most, never a row or a type."""

import sqlalchemy as sa

metadata = sa.MetaData()


def _text(name: str, *, key: bool = False, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, primary_key=key, nullable=nullable)


# Times are UTC in ISO-8601 text of one width, so that they sort alike on every database.
account = sa.Table(
    "portal_account",
    metadata,
    _text("practice", key=True),
    _text("key", key=True),
    _text("email"),
    _text("name"),
    sa.Column("active", sa.Boolean, nullable=False),
    _text("status"),
    _text("dependents"),  # JSON: the charts that can be opened; replaced as a whole
    _text("registered_at", nullable=True),
    sa.Index("ix_portal_account_email", "practice", "email"),
)

home = sa.Table(
    "portal_home",
    metadata,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
    _text("practice"),
    sa.Column("revision", sa.Integer, nullable=False),
    _text("content"),
    _text("accepted_at"),
    _text("visible_at"),
    sa.Index("ix_portal_home_visible", "practice", "visible_at"),
)
