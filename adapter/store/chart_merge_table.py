"""The table of charts that were merged into others while somebody had access to them."""

import sqlalchemy as sa

from adapter.store.columns import Instant, metadata
from adapter.store.columns import text as _text

chart_merge = sa.Table(
    "chart_merge",
    metadata,
    _text("practice", primary_key=True),
    _text("source", primary_key=True),  # the chart that was merged; where to, its facts say
    _text("ends"),  # JSON: the charts that are left, as they were last found
    sa.Column("since", Instant, nullable=False),
    sa.Column("done_at", Instant),  # null = nobody has let it go yet
    _text("done_by", server_default=""),
    _text("done_into", server_default=""),
    _text("reason", server_default=""),  # in the words of whoever let it go
    sa.Column("run", sa.Integer),  # that did it
    sa.Column("back_run", sa.Integer),  # that took it back, after the EHR had
    _text("approved_by", server_default=""),  # the first of two people, where the practice wants two
    _text("approved_hash", server_default=""),
)
