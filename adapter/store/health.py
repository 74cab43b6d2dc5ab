"""How the practices are doing, for whoever watches over the service: nothing here is about a person."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from adapter.store.tables import nudge, run

WHOLE = ("full", "incremental")
"""Runs that look at the whole practice; one family or a review proves nothing about the rest."""


def last_complete(connection: sa.Connection, practices: Sequence[str]) -> dict[str, datetime]:
    """When each practice's last complete run ended; a practice that never had one is missing."""
    good = (run.c.practice.in_(practices), run.c.kind.in_(WHOLE), run.c.status.in_(("complete", "held")))
    query = sa.select(run.c.practice, sa.func.max(run.c.finished_at)).where(*good).group_by(run.c.practice)
    return {practice: at for practice, at in connection.execute(query).all() if at is not None}


def nudges_waiting(connection: sa.Connection) -> dict[str, int]:
    """How many notifications of each practice's EHR wait to be worked off."""
    query = sa.select(nudge.c.practice, sa.func.count()).group_by(nudge.c.practice)
    return {practice: count for practice, count in connection.execute(query).all()}
