"""One sync of one practice: gather what the EHR says, decide, plan the difference, apply it in one transaction.

Every fact is stored as it is read but acted upon only here; a run that breaks off leaves nothing half-done.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from adapter.core.plan import Action, ActionKind
from adapter.core.state import EffectKind, EffectState
from adapter.ehr import Progress, ReadResult
from adapter.errors import AdapterError
from adapter.jobs.deciders import deciders
from adapter.jobs.deciding import Decider
from adapter.jobs.decisions import Terms
from adapter.jobs.gather import Gathered, Gatherer
from adapter.jobs.practice import Clock, Practice, Transaction
from adapter.jobs.spool import PlanSpool
from adapter.store import accounts, facts, findings, runs
from adapter.store import tables as t
from adapter.store.apply import Applier
from adapter.store.engine import begin
from adapter.store.interrupts import allow
from adapter.store.turns import turn

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
    actor: str = "schedule"


@dataclass(slots=True)
class _Run:
    """One run under way."""

    practice: Practice
    request: Request
    number: int
    now: datetime
    """By which it decides: the clock's time, or that of an earlier run where the clock has gone back a little."""
    state: runs.PracticeState
    full: bool
    gathered: Gathered = field(default_factory=lambda: Gathered(ReadResult(full=False)))

    @property
    def complete(self) -> bool:
        return self.gathered.result.complete

    @property
    def everyone(self) -> bool:
        """Whether nothing is left undecided when this run is applied."""
        return self.complete and self.request.person is None


def sync(
    engine: sa.Engine, practice: Practice, request: Request, *, clock: Clock, progress: Progress
) -> dict[str, Any]:
    """Runs one sync and returns its report in the shape of ``adapter sync --json``.

    Raises RetriableError when another run of the practice is under way.
    """
    practice = practice.for_a_run(clock().astimezone(practice.zone), reading=not request.review)
    name = f"run:{practice.id}"
    progress = _interruptible(progress)

    def transaction() -> Any:
        return begin(engine)

    with runs.lease(engine, name, clock()) as owner:
        with begin(engine) as connection:
            run = _open(connection, practice, request, clock().astimezone(practice.zone))

        def alive(connection: sa.Connection) -> None:
            runs.renew(connection, name, owner, clock())

        try:
            _gather(run, transaction, progress, alive)
            with turn(engine, practice.id) as connection, PlanSpool() as plan:
                alive(connection)
                _plan(connection, run, plan, progress)
                _apply(connection, run, plan, progress)
                return _close(connection, run, plan, clock())
        except BaseException as error:
            _fail(engine, run, error, clock())
            if isinstance(error, AdapterError):
                with begin(engine) as connection:
                    row = runs.get(connection, run.number)
                    assert row is not None
                    return runs.shape(row)
            raise


def plan(
    engine: sa.Engine,
    practice: Practice,
    request: Request,
    *,
    clock: Clock,
    progress: Progress,
    take: Callable[[list[Action]], None],
) -> dict[str, Any]:
    """Does all of a sync except keeping it: gives every action to ``take`` and returns hash, practice, counts and read.

    It is the same transaction, rolled back: what it shows is what a sync at this moment would do.
    """
    shown: dict[str, Any] = {}
    progress = _interruptible(progress)
    practice = practice.for_a_run(clock().astimezone(practice.zone), reading=not request.review)
    with _discarded(engine) as connection, PlanSpool() as spool:
        run = _open(connection, practice, request, clock().astimezone(practice.zone))
        _gather(run, lambda: nullcontext(connection), progress, lambda _: None)
        _plan(connection, run, spool, progress)
        for batch in spool.batches():
            take(batch)
        shown = {
            "hash": spool.hash(),
            "practice": practice.id,
            "complete": run.complete,
            "read": _read_counts(run.gathered),
        }
        shown["changes"] = dict(sorted(spool.counts.items()))
        shown["problems"] = run.gathered.result.problems
    return shown


def _interruptible(progress: Progress) -> Progress:
    """The same reports; wherever one is made, a run can be stopped with Ctrl-C."""

    def report(what: str, done: int, total: int | None) -> None:
        allow()
        progress(what, done, total)

    return report


def _open(connection: sa.Connection, practice: Practice, request: Request, now: datetime) -> _Run:
    state = runs.practice_state(connection, practice.id)
    full = request.full or (practice.differs_from(state.rules_hash) and not request.person and not request.review)
    kind = "person" if request.person else "review" if request.review else "full" if full else "incremental"
    run = _Run(practice, request, runs.start(connection, practice.id, kind, now), now, state, full)
    if state.decided_at is not None and now < state.decided_at and not request.trust_clock:
        run.now = state.decided_at.astimezone(practice.zone)
        if run.now - now > CLOCK_SLACK:
            run.gathered.result.fail(
                f"The clock says {now:%Y-%m-%d %H:%M}, but an earlier run was at {run.now:%Y-%m-%d %H:%M}. Nothing is "
                "opened until that has passed. If the clock is right now, run `adapter sync --trust-clock`."
            )
    return run


def _gather(run: _Run, transaction: Transaction, progress: Progress, alive: Callable[[sa.Connection], None]) -> None:
    if run.request.review:
        return
    if run.practice.trouble:
        run.gathered.result.fail(run.practice.trouble)
        return
    gatherer = Gatherer(run.practice, run.number, transaction, run.now, progress, alive, run.gathered)
    if run.request.person:
        gatherer.family(run.request.person)
        return
    with transaction() as connection:
        marks = runs.marks(connection, run.practice.id)
    gatherer.everything(full=run.full or not marks, marks=marks)


def _plan(connection: sa.Connection, run: _Run, spool: PlanSpool, progress: Progress) -> None:
    """Decides what is undecided and puts the actions that follow into the spool."""
    practice, state = run.practice, run.state
    changed_rules = practice.differs_from(state.rules_hash) and not run.request.person
    today = run.now.date()
    unread = False
    if run.request.review:  # what a read that broke off has left behind is no ground to open anything
        charts = facts.undecided_charts(connection, practice.id, since=run.number, today=today)
        unread = facts.any_changed(connection, practice.id, since=state.decided_run)
    else:
        charts = facts.undecided_charts(
            connection, practice.id, since=state.decided_run, today=today, everything=changed_rules
        )
    if run.request.person:
        charts = sorted(set(charts) & set(run.gathered.charts))
    terms = Terms(
        policy=practice.policy,
        now=run.now,
        hold_welcome=practice.policy.hold_first_welcome and state.released_at is None,
        only_restrict=not run.complete or unread,
        first=not accounts.any_account(connection, practice.id),
    )
    with deciders(terms, len(charts)) as those:
        decider = Decider(connection, practice.id, terms, those, progress)
        decider.charts(charts)
        decider.plan(spool)
        decider.own_charts()


def _apply(connection: sa.Connection, run: _Run, spool: PlanSpool, progress: Progress) -> None:
    """Applies the plan and moves the practice on; an incomplete run moves no mark and stays undecided."""
    applier = Applier(connection, run.practice.id, run=run.number, actor=run.request.actor, now=run.now)
    total = spool.counts.total()
    done = 0
    for batch in spool.batches():
        applier.apply(batch)
        done += len(batch)
        progress("changes", done, total)
    result = run.gathered.result
    if run.complete:
        runs.save_practice(connection, run.practice.id, decided_at=run.now)
    if run.everyone and not run.request.review:
        runs.save_practice(connection, run.practice.id, decided_run=run.number, rules_hash=run.practice.rules_hash)
        runs.save_marks(connection, run.practice.id, result.marks)
        if result.full:
            findings.close_scopes_except(connection, run.practice.id, "record:", run.gathered.scopes, run.now)


def _close(connection: sa.Connection, run: _Run, spool: PlanSpool, now: datetime) -> dict[str, Any]:
    held = {name: count for name, count in _held(connection, run, spool).items() if count}
    status = "incomplete" if not run.complete else "held" if held else "complete"
    report = {
        "read": _read_counts(run.gathered),
        "changes": dict(sorted(spool.counts.items())),
        "held": held,
        "findings": findings.counts(connection, run.practice.id),
        "problems": run.gathered.result.problems,
        "strategy": run.gathered.result.strategy,
    }
    runs.finish(connection, run.number, status=status, plan_hash=spool.hash(), report=report, now=now)
    row = runs.get(connection, run.number)
    assert row is not None
    return runs.shape(row)


def _fail(engine: sa.Engine, run: _Run, error: BaseException, now: datetime) -> None:
    """Notes why a run ended early. Only our own errors are known to carry no names; of others the class is kept."""
    problem = str(error) if isinstance(error, AdapterError) else f"It stopped with {type(error).__name__}."
    report = {"read": _read_counts(run.gathered), "problems": [*run.gathered.result.problems, problem]}
    with suppress(AdapterError), begin(engine) as connection:
        runs.finish(connection, run.number, status="failed", plan_hash=None, report=report, now=now)


def _read_counts(gathered: Gathered) -> dict[str, Any]:
    names = ("resources", "patients", "contacts", "repeated", "quarantined", "ignored")
    counts: dict[str, Any] = {name: gathered.counts[name] for name in names}
    counts |= {"changed": gathered.counts["changed"], "gone": len(gathered.gone)}
    if gathered.ignored:
        counts["ignored_because"] = dict(sorted(gathered.ignored.items()))
    return counts


def _held(connection: sa.Connection, run: _Run, spool: PlanSpool) -> Counter[str]:
    """What waits for a human: Welcome emails until their release, and grants that this run put on hold."""
    waiting = sa.and_(
        t.effect.c.practice == run.practice.id,
        t.effect.c.kind == EffectKind.WELCOME,
        t.effect.c.state == EffectState.HELD,
    )
    welcome = connection.scalar(sa.select(sa.func.count()).select_from(t.effect).where(waiting)) or 0
    return Counter({"welcome": welcome, "grants": spool.counts[ActionKind.HOLD_GRANT]})


class _Discard(Exception):
    """Ends a transaction that must not be kept."""


@contextmanager
def _discarded(engine: sa.Engine) -> Iterator[sa.Connection]:
    with suppress(_Discard), begin(engine) as connection:
        yield connection
        raise _Discard
