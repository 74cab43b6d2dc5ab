"""The steps of a run, each in the transaction it is given: gather what the EHR says, decide and plan, apply."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field

import msgspec
import sqlalchemy as sa

from adapter.core.brakes import Trip
from adapter.ehr import Progress
from adapter.jobs import braking
from adapter.jobs.deciders import deciders
from adapter.jobs.deciding import Decider
from adapter.jobs.decisions import Terms
from adapter.jobs.gather import Gatherer
from adapter.jobs.practice import Transaction
from adapter.jobs.run import Run
from adapter.jobs.spool import PlanSpool
from adapter.store import accounts, counts, decisions, facts, findings, runs
from adapter.store.apply import Applier
from adapter.store.held import HeldPlan
from adapter.store.interrupts import allow
from adapter.store.rows import Opened, Writer, stamp


def interruptible(progress: Progress) -> Progress:
    """The same reports; wherever one is made, a run can be stopped with Ctrl-C."""

    def report(what: str, done: int, total: int | None) -> None:
        allow()
        progress(what, done, total)

    return report


def gather(run: Run, transaction: Transaction, progress: Progress, alive: Callable[[sa.Connection], None]) -> None:
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
class Planned:
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


def decide(connection: sa.Connection, run: Run, open_files: ExitStack, progress: Progress) -> Planned:
    """Decides what is undecided and plans what follows; where that is more than is ordinary, only what may be done."""
    terms = _terms(connection, run)
    charts = _undecided(connection, run)
    spool = open_files.enter_context(PlanSpool())
    with deciders(terms, len(charts)) as those:
        decider = Decider(connection, run.practice.id, terms, those, progress)
        decider.charts(charts)
        if run.everyone:
            decider.touch(braking.expire(connection, run))
        decider.touch(braking.with_moves(connection, run, decider.addresses))
        decider.plan(spool)
        decider.own_charts()
    planned = Planned(spool, terms, decider.addresses)
    planned.tripped, planned.cause = braking.trips(connection, run, spool.braked, planned.addresses)
    if planned.tripped:
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
        charts = facts.undecided_charts(connection, practice.id, since=run.number, today=today)
        return sorted({*charts, *decisions.expire(connection, practice.id, run.now)})
    changed_rules = practice.differs_from(state.rules_hash) and not run.request.person
    charts = facts.undecided_charts(
        connection, practice.id, since=state.decided_run, today=today, everything=changed_rules
    )
    if run.request.person:
        return sorted(set(charts) & set(run.gathered.charts))
    return sorted({*charts, *decisions.expire(connection, practice.id, run.now)})


def _terms(connection: sa.Connection, run: Run) -> Terms:
    practice, state = run.practice, run.state
    unread = run.request.review and facts.any_changed(connection, practice.id, since=state.decided_run)
    return Terms(
        policy=practice.policy,
        now=run.now,
        hold_welcome=practice.policy.hold_first_welcome and state.released_at is None,
        only_restrict=not run.complete or unread,
        first=not accounts.any_account(connection, practice.id),
        writer=Writer(practice=practice.id, run=run.number, actor=run.request.actor, moment=stamp(run.now)),
    )


def apply(connection: sa.Connection, run: Run, planned: Planned, progress: Progress) -> None:
    """Applies the plan and moves the practice on; an incomplete run moves no mark and stays undecided."""
    spool = planned.spool
    applier = Applier(connection, run.practice.id, run=run.number, actor=run.request.actor, now=run.now)
    total = spool.counts.total()
    done = 0
    for batch in spool.to_write():
        if isinstance(batch, Opened):
            applier.write(batch)
            done += len(batch.entries)
        else:
            applier.apply(batch)
            done += len(batch)
        progress("changes", done, total)
    counts.save(connection, run.practice.id, run.number, braking.by_brake(spool.braked), run.now)
    ended = braking.supersede(connection, run, planned.addresses)
    if planned.left_out:
        planned.held = braking.hold(connection, run, planned.terms, planned.tripped, planned.cause, planned.left_out)
    braking.tell(connection, run.practice.id, ended, run.now)
    run.closed_at_once = braking.tell_of_many(connection, run, planned.tripped, planned.cause, planned.held)
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
