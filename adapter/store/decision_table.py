"""The table of humans' answers to findings."""

import sqlalchemy as sa

from adapter.store.columns import Instant, metadata
from adapter.store.columns import text as _text

_IN_FORCE = sa.text("ended_at IS NULL")

decision = sa.Table(
    "decision",
    metadata,
    _text("id", primary_key=True),
    _text("practice"),
    _text("finding"),  # the finding it answers
    _text("scope"),
    _text("code"),
    _text("answer"),  # core.answers.Answer
    _text("facts"),  # the finding's facts when it was given
    sa.Column("patient", sa.Text),
    sa.Column("contact", sa.Text),
    sa.Column("email", sa.Text),
    _text("reason"),  # in the words of whoever decided
    _text("actor"),
    sa.Column("decided_at", Instant, nullable=False),
    sa.Column("last_day", sa.Date),  # by the practice's calendar; null = it does not expire
    sa.Column("until", Instant),  # the moment at which that day is over
    sa.Column("ended_at", Instant),  # null = in force. A decision is never deleted
    sa.Column("ended_because", sa.Text),  # withdrawn, replaced, facts-changed, solved, expired, restored
    sa.Column("ended_by", sa.Text),
    sa.Column("ended_reason", sa.Text),
    sa.Index("ix_decision_finding", "practice", "finding"),
    sa.Index("ix_decision_scope", "practice", "scope", sqlite_where=_IN_FORCE, postgresql_where=_IN_FORCE),
)
