"""Whether an export that an earlier run began may still be used: only if no other run has read anything since."""

from datetime import datetime

import sqlalchemy as sa

from adapter.store import tables as t
from adapter.store.engine import read


def untouched_since(engine: sa.Engine, practice: str, began: datetime) -> bool:
    """Whether at most one run of the practice, the one that is asking, was opened after ``began``.

    What any other run has read is newer than the export, and an older copy must not take its place.
    """
    later = sa.and_(t.run.c.practice == practice, t.run.c.started_at > began)
    with read(engine) as connection:
        return (connection.scalar(sa.select(sa.func.count()).select_from(t.run).where(later)) or 0) <= 1
