"""One run of a practice: what was asked for, the time it decides by, and the report it leaves."""

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from adapter.core.plan import ActionKind
from adapter.core.state import EffectKind, EffectState
from adapter.ehr import ReadResult
from adapter.errors import AdapterError
from adapter.jobs.gather import Gathered
from adapter.jobs.practice import Practice
from adapter.jobs.spool import PlanSpool
from adapter.jobs.watching import look_at_size
from adapter.store import findings, held, runs
from adapter.store import tables as t
from adapter.store.engine import begin

CLOCK_SLACK = timedelta(hours=1)
"""A clock that goes back by less (a correction) is made up for; by more, something is wrong with one of the two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What kind of run is wanted."""

    full: bool = False
    person: str | None = None
    """``Patient/<id>`` or ``RelatedPerson/<id>``: this family alone."""
    review: bool = False
    """Read nothing; decide what time alone has changed."""
    trust_clock: bool = False
    """Decide by the clock even where an earlier run has decided by a later time."""
    frozen: bool = False
    """Read nothing; do what was planned earlier."""
    actor: str = "schedule"


@dataclass(slots=True)
class Run:
    """One run under way."""

    practice: Practice
    request: Request
    number: int
    now: datetime
    """By which it decides: the clock's time, or that of an earlier run where the clock has gone back a little."""
    state: runs.PracticeState
    full: bool
    closed_at_once: int = 0
    """So many charts were closed by what they state, and that is more than is ordinary."""
    gathered: Gathered = field(default_factory=lambda: Gathered(ReadResult(full=False)))

    @property
    def complete(self) -> bool:
        return self.gathered.result.complete

    @property
    def everyone(self) -> bool:
        """Whether nothing is left undecided when this run is applied."""
        return self.complete and self.request.person is None


def open_run(connection: sa.Connection, practice: Practice, request: Request, now: datetime) -> Run:
    """Begins a run at this moment of the practice's clock."""
    state = runs.practice_state(connection, practice.id)
    reads_all = not (request.person or request.review or request.frozen)
    full = request.full or (practice.differs_from(state.rules_hash) and reads_all)
    kind = "person" if request.person else "review" if request.review else "full" if full else "incremental"
    kind = "apply" if request.frozen else kind
    run = Run(practice, request, runs.start(connection, practice.id, kind, now), now, state, full)
    if state.decided_at is not None and now < state.decided_at and not request.trust_clock:
        run.now = state.decided_at.astimezone(practice.zone)
        if run.now - now > CLOCK_SLACK:
            run.gathered.result.fail(
                f"The clock says {now:%Y-%m-%d %H:%M}, but an earlier run was at {run.now:%Y-%m-%d %H:%M}. Nothing is "
                "opened until that has passed. If the clock is right now, run `adapter sync --trust-clock`."
            )
    return run


def close_run(connection: sa.Connection, run: Run, spool: PlanSpool, now: datetime) -> dict[str, Any]:
    """Ends a run that was applied; returns its report as ``adapter sync --json`` prints it."""
    if run.full and run.everyone:
        records = run.gathered.counts["patients"] + run.gathered.counts["contacts"]
        look_at_size(connection, run.practice.id, run.number, records, now)
    waits = {name: count for name, count in _held(connection, run, spool).items() if count}
    status = "incomplete" if not run.complete else "held" if waits else "complete"
    report = {
        "read": read_counts(run.gathered),
        "changes": dict(sorted(spool.counts.items())),
        "held": waits,
        "findings": findings.counts(connection, run.practice.id),
        "problems": run.gathered.result.problems,
        "strategy": run.gathered.result.strategy,
    }
    runs.finish(connection, run.number, status=status, plan_hash=spool.hash(), report=report, now=now)
    row = runs.get(connection, run.number)
    assert row is not None
    return runs.shape(row)


def fail_run(engine: sa.Engine, run: Run, error: BaseException, now: datetime) -> None:
    """Notes why a run ended early. Only our own errors are known to carry no names; of others the class is kept."""
    problem = str(error) if isinstance(error, AdapterError) else f"It stopped with {type(error).__name__}."
    report = {"read": read_counts(run.gathered), "problems": [*run.gathered.result.problems, problem]}
    with suppress(AdapterError), begin(engine) as connection:
        runs.finish(connection, run.number, status="failed", plan_hash=None, report=report, now=now)


def read_counts(gathered: Gathered) -> dict[str, Any]:
    """What was read, by what became of it."""
    names = ("resources", "patients", "contacts", "repeated", "quarantined", "ignored")
    counts: dict[str, Any] = {name: gathered.counts[name] for name in names}
    counts |= {"changed": gathered.counts["changed"], "gone": len(gathered.gone)}
    if gathered.ignored:
        counts["ignored_because"] = dict(sorted(gathered.ignored.items()))
    return counts


def _held(connection: sa.Connection, run: Run, spool: PlanSpool) -> Counter[str]:
    """What waits for a human: Welcome emails until their release, grants this run put on hold, what brakes hold."""
    waiting = sa.and_(
        t.effect.c.practice == run.practice.id,
        t.effect.c.kind == EffectKind.WELCOME,
        t.effect.c.state == EffectState.HELD,
    )
    welcome = connection.scalar(sa.select(sa.func.count()).select_from(t.effect).where(waiting)) or 0
    grants = spool.counts[ActionKind.HOLD_GRANT]
    found = Counter({"welcome": welcome, "grants": grants, "closed_at_once": run.closed_at_once})
    if held.any_waiting(connection, run.practice.id):
        for plan in held.waiting(connection, [run.practice.id]):
            found.update({f"brake_{name}": number for name, number in plan.by_brake().items()})
    return found
