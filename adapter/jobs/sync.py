"""One sync of one practice: gather what the EHR says, decide, plan the difference, apply it in one transaction.

Every fact is stored as it is read but acted upon only here; a run that breaks off leaves nothing half-done.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from typing import Any

import msgspec
import sqlalchemy as sa

from adapter.core.brakes import Trip
from adapter.core.plan import Action
from adapter.ehr import Progress
from adapter.errors import AdapterError
from adapter.jobs import braking
from adapter.jobs.deciders import deciders
from adapter.jobs.deciding import Decider
from adapter.jobs.decisions import Terms
from adapter.jobs.gather import Gatherer
from adapter.jobs.practice import Clock, Practice, Transaction
from adapter.jobs.run import Request, Run, close_run, fail_run, open_run, read_counts
from adapter.jobs.spool import PlanSpool
from adapter.store import accounts, counts, facts, findings, leases, runs
from adapter.store.apply import Applier
from adapter.store.engine import begin
from adapter.store.held import HeldPlan
from adapter.store.interrupts import allow
from adapter.store.turns import turn


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

    with leases.lease(engine, name, clock()) as owner:
        with begin(engine) as connection:
            runs.close_killed(connection, practice.id, clock())
            run = open_run(connection, practice, request, clock().astimezone(practice.zone))

        def alive(connection: sa.Connection) -> None:
            leases.renew(connection, name, owner, clock())

        try:
            _gather(run, transaction, progress, alive)
            with turn(engine, practice.id) as connection, ExitStack() as open_files:
                alive(connection)
                planned = _plan(connection, run, open_files, progress)
                _apply(connection, run, planned, progress)
                return close_run(connection, run, planned.spool, clock())
        except BaseException as error:
            fail_run(engine, run, error, clock())
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
    with _discarded(engine) as connection, ExitStack() as open_files:
        run = open_run(connection, practice, request, clock().astimezone(practice.zone))
        _gather(run, lambda: nullcontext(connection), progress, lambda _: None)
        planned = _plan(connection, run, open_files, progress)
        for batch in planned.spool.batches():
            take(batch)
        if planned.tripped:  # what would be held shows only once the rest is done
            _apply(connection, run, planned, progress)
        shown = {
            "hash": planned.spool.hash(),
            "practice": practice.id,
            "complete": run.complete,
            "read": read_counts(run.gathered),
        }
        shown["changes"] = dict(sorted(planned.spool.counts.items()))
        shown["held"] = planned.held.counts() if planned.held else {}
        shown["problems"] = run.gathered.result.problems
    return shown


def _interruptible(progress: Progress) -> Progress:
    """The same reports; wherever one is made, a run can be stopped with Ctrl-C."""

    def report(what: str, done: int, total: int | None) -> None:
        allow()
        progress(what, done, total)

    return report


def _gather(run: Run, transaction: Transaction, progress: Progress, alive: Callable[[sa.Connection], None]) -> None:
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


@dataclass(slots=True)
class _Planned:
    """What a run is going to do, and what its brakes keep it from doing."""

    spool: PlanSpool
    terms: Terms
    addresses: frozenset[str]
    """Every address that was planned."""
    tripped: list[Trip] = field(default_factory=list)
    cause: str = ""
    left_out: set[str] = field(default_factory=set)
    """Addresses for which the brakes have left something out."""
    held: HeldPlan | None = None


def _plan(connection: sa.Connection, run: Run, open_files: ExitStack, progress: Progress) -> _Planned:
    """Decides what is undecided and plans what follows; where that is more than is ordinary, only what may be done."""
    terms = _terms(connection, run)
    charts = _undecided(connection, run)
    spool = open_files.enter_context(PlanSpool())
    with deciders(terms, len(charts)) as those:
        decider = Decider(connection, run.practice.id, terms, those, progress)
        decider.charts(charts)
        if run.everyone:
            decider.touch(braking.expire(connection, run))
        decider.plan(spool)
        decider.own_charts()
    planned = _Planned(spool, terms, decider.addresses)
    planned.tripped = braking.trips(connection, run, spool.braked, planned.addresses)
    if planned.tripped:
        planned.cause = braking.why(run, planned.tripped, spool.braked)
        planned.spool = open_files.enter_context(PlanSpool())
        on = msgspec.structs.replace(terms, brakes=tuple(one.brake for one in planned.tripped))
        with deciders(on, len(charts)) as those:
            again = Decider(connection, run.practice.id, on, those, progress)
            again.touch(planned.addresses)
            again.plan(planned.spool)
        planned.left_out = braking.different(spool, planned.spool)
    return planned


def _undecided(connection: sa.Connection, run: Run) -> list[str]:
    """The charts to decide."""
    practice, state, today = run.practice, run.state, run.now.date()
    if run.request.review:  # what a read that broke off has left behind is no ground to open anything
        return facts.undecided_charts(connection, practice.id, since=run.number, today=today)
    changed_rules = practice.differs_from(state.rules_hash) and not run.request.person
    charts = facts.undecided_charts(
        connection, practice.id, since=state.decided_run, today=today, everything=changed_rules
    )
    return sorted(set(charts) & set(run.gathered.charts)) if run.request.person else charts


def _terms(connection: sa.Connection, run: Run) -> Terms:
    practice, state = run.practice, run.state
    unread = run.request.review and facts.any_changed(connection, practice.id, since=state.decided_run)
    return Terms(
        policy=practice.policy,
        now=run.now,
        hold_welcome=practice.policy.hold_first_welcome and state.released_at is None,
        only_restrict=not run.complete or unread,
        first=not accounts.any_account(connection, practice.id),
    )


def _apply(connection: sa.Connection, run: Run, planned: _Planned, progress: Progress) -> None:
    """Applies the plan and moves the practice on; an incomplete run moves no mark and stays undecided."""
    spool = planned.spool
    applier = Applier(connection, run.practice.id, run=run.number, actor=run.request.actor, now=run.now)
    total = spool.counts.total()
    done = 0
    for batch in spool.batches():
        applier.apply(batch)
        done += len(batch)
        progress("changes", done, total)
    counts.save(connection, run.practice.id, run.number, braking.by_brake(spool.braked), run.now)
    ended = braking.supersede(connection, run, planned.addresses)
    if planned.left_out:
        planned.held = braking.hold(connection, run, planned.terms, planned.tripped, planned.cause, planned.left_out)
    braking.tell(connection, run.practice.id, ended, run.now)
    result = run.gathered.result
    if planned.cause:
        result.problems.append(planned.cause)
    if run.complete:
        runs.save_practice(connection, run.practice.id, decided_at=run.now)
    if run.everyone and not run.request.review:
        runs.save_practice(connection, run.practice.id, decided_run=run.number, rules_hash=run.practice.rules_hash)
        runs.save_marks(connection, run.practice.id, result.marks)
        if result.full:
            findings.close_scopes_except(connection, run.practice.id, "record:", run.gathered.scopes, run.now)


class _Discard(Exception):
    """Ends a transaction that must not be kept."""


@contextmanager
def _discarded(engine: sa.Engine) -> Iterator[sa.Connection]:
    with suppress(_Discard), begin(engine) as connection:
        yield connection
        raise _Discard
