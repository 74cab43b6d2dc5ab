"""The tables that families are found in: every word of every name, so that a few letters are enough."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from adapter.store.columns import metadata
from adapter.store.columns import text as _text

# Compared byte by byte on both databases: whatever begins alike then lies together.
KEY = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")

find_key = sa.Table(
    "find_key",
    metadata,
    _text("practice", primary_key=True),
    sa.Column("key", KEY, primary_key=True),  # core.find.find_keys
    _text("ref", primary_key=True),  # a chart or a contact; it may be gone since
    sa.Index("ix_find_key_ref", "practice", "ref"),
    sqlite_with_rowid=False,
)

find_mark = sa.Table(
    "find_mark",
    metadata,
    _text("practice", primary_key=True),
    sa.Column("run", sa.Integer, nullable=False),  # what changed in later runs is not in find_key yet
)
