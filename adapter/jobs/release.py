"""A human's answer to a run: letting the Welcome emails go that it held."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from adapter.core.audit import AuditEntry
from adapter.core.reasons import FIRST_RUN
from adapter.core.state import EffectKind, EffectState
from adapter.errors import FatalError
from adapter.store import audit, runs
from adapter.store import tables as t
from adapter.store.engine import begin
from adapter.store.turns import take_turn


@dataclass(frozen=True, slots=True)
class Released:
    """How many Welcome emails a release let go."""

    practice: str
    run: int
    welcome: int


def release(engine: sa.Engine, run: int, *, actor: str, now: datetime) -> Released:
    """Lets the Welcome emails go that were held by this run or before it; later runs of the practice hold none.

    Raises FatalError when there is no such run, or when it is still running.
    """
    with begin(engine) as connection:
        row = runs.get(connection, run)
        if row is None:
            raise FatalError(f"There is no run {run}. `adapter runs` lists them.")
        if row["status"] == "running":
            raise FatalError(f"Run {run} has not ended yet. Release it when it has.")
        practice = row["practice"]
        take_turn(connection, practice)
        held = sa.and_(
            t.effect.c.practice == practice,
            t.effect.c.kind == EffectKind.WELCOME,
            t.effect.c.state == EffectState.HELD,
            t.effect.c.run <= run,
        )
        released = connection.execute(
            sa.update(t.effect).where(held).values(state=EffectState.QUEUED, next_at=now)
        ).rowcount
        connection.execute(sa.update(t.run).where(t.run.c.id == run).values(released_at=now))
        runs.save_practice(connection, practice, released_at=now)
        entry = AuditEntry(
            action="release-run", reason=FIRST_RUN, actor=actor, run=run, detail=f'{{"welcome":{released}}}'
        )
        audit.append(connection, practice, [entry], now)
    return Released(practice, run, released)
