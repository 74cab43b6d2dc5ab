"""The tables of brakes: what they have counted, and the plans that wait for a human."""

import sqlalchemy as sa

from adapter.store.columns import Instant, metadata
from adapter.store.columns import text as _text

change_count = sa.Table(
    "change_count",
    metadata,
    _text("practice", primary_key=True),
    sa.Column("run", sa.Integer, primary_key=True, autoincrement=False),
    _text("brake", primary_key=True),  # core.brakes.Brake
    sa.Column("number", sa.Integer, nullable=False),  # so many changes of this kind did the run do
    sa.Column("at", Instant, nullable=False),
    sa.Index("ix_change_count_at", "practice", "at"),
)

held_plan = sa.Table(
    "held_plan",
    metadata,
    sa.Column("run", sa.Integer, primary_key=True, autoincrement=False),
    _text("practice"),
    _text("brakes"),  # JSON: those that were on
    _text("cause"),
    sa.Column("hold_welcome", sa.Boolean, nullable=False),  # the practice's first Welcome emails were still held
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("expires_at", Instant, nullable=False),
    sa.Column("closed_at", Instant),
    sa.Column("closed_because", sa.Text),  # released, superseded, expired
    sa.Column("approved_by", sa.Text),  # the first of two who release
    sa.Column("approved_hash", sa.Text),
    sa.Index("ix_held_plan_practice", "practice", "closed_at"),
)

held_account = sa.Table(
    "held_account",
    metadata,
    sa.Column("run", sa.Integer, sa.ForeignKey("held_plan.run"), primary_key=True, autoincrement=False),
    _text("account", primary_key=True),  # the e-mail key of the account that waits
    _text("practice"),
    _text("moves_to"),  # the e-mail key it would move to; empty for most
    _text("actions"),  # JSON: what a release does
    _text("basis"),  # JSON: reference to hash of everything this rests on
    sa.Column("closed_at", Instant),
    sa.Column("closed_because", sa.Text),  # released, superseded, expired, stale
    sa.Index("ix_held_account_open", "practice", "closed_at", "account"),
)
