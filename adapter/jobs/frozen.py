"""A frozen plan: what a sync would do, kept outside with what it rests on; later done exactly, or refused as stale."""

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from adapter.core.plan import Action
from adapter.ehr import Progress, ReadResult
from adapter.errors import FatalError
from adapter.jobs.gather import Gathered
from adapter.jobs.held import names
from adapter.jobs.practice import Clock, Practice
from adapter.jobs.run import Request, Run, close_run, open_run
from adapter.jobs.stale import BESIDE, RULES, TIME, Stale, essence
from adapter.jobs.steps import Planned, apply, decide
from adapter.jobs.sync import plan
from adapter.store import basis, carried, facts, leases
from adapter.store.engine import begin, read
from adapter.store.incoming import Incoming
from adapter.store.turns import take_turn


class Frozen(msgspec.Struct, kw_only=True):
    """What applying a plan needs: its actions, what was read for it, and what it rests on."""

    hash: str
    practice: str
    made_at: datetime
    made_by: str
    rules: str
    """The hash of mapping and policy alone, and with what stands beside the records."""
    rules_beside: str
    complete: bool
    problems: list[str]
    counts: dict[str, int]
    actions: list[Action]
    facts: list[Incoming]
    """Charts and contacts that the store did not know, or knew otherwise."""
    gone: list[str]
    """Records that the EHR confirmed gone."""
    before: dict[str, str]
    """The hash that the store had of each of these, by reference."""
    basis: dict[str, dict[str, str]]
    """By address: the hash of everything its actions rest on."""


@dataclass(frozen=True, slots=True)
class Applied:
    """The report of the run that did it; or None, with what moved since the plan was made."""

    report: dict[str, Any] | None
    moved: tuple[str, ...] = ()
    """References of charts and contacts, or words."""
    stale: tuple[Stale, ...] = ()
    """Accounts for which something else would be done now."""


def look_ahead(
    engine: sa.Engine, practice: Practice, request: Request, *, clock: Clock, progress: Progress
) -> tuple[dict[str, Any], list[Action], Mapping[str, str]]:
    """What a sync would do: as ``plan`` shows it, its actions, and the names of those concerned. Changes nothing."""
    actions: list[Action] = []
    known: dict[str, str] = {}

    def within(connection: sa.Connection, _: Run) -> None:
        known.update(names(connection, practice.id, actions))

    shown = plan(engine, practice, request, clock=clock, progress=progress, take=actions.extend, within=within)
    return shown, actions, known


def freeze(
    engine: sa.Engine, practice: Practice, request: Request, *, clock: Clock, progress: Progress
) -> tuple[dict[str, Any], Frozen, Mapping[str, str]]:
    """The same, as a plan that can be kept. Raises RetriableError when a run of the practice is under way."""
    actions: list[Action] = []
    known: dict[str, str] = {}
    found: list[Frozen] = []

    def within(connection: sa.Connection, run: Run) -> None:
        known.update(names(connection, practice.id, actions))
        found.append(_frozen(engine, connection, practice, run, actions))

    with leases.lease(engine, f"run:{practice.id}", clock()):
        shown = plan(engine, practice, request, clock=clock, progress=progress, take=actions.extend, within=within)
    (frozen,) = found
    frozen.hash = shown["hash"]
    return shown, frozen, known


def _frozen(
    engine: sa.Engine, connection: sa.Connection, practice: Practice, run: Run, actions: list[Action]
) -> Frozen:
    changed = carried.changed_in(connection, practice.id, run.number)
    refs = [one.ref for one in changed] + run.gathered.gone
    with read(engine) as outside:  # as it is without this transaction
        before = carried.hashes(outside, practice.id, refs)
    keys = {key for action in actions for key in (action.account, action.new_key) if key}
    return Frozen(
        hash="",
        practice=practice.id,
        made_at=run.now,
        made_by=run.request.actor,
        rules=practice.rules_hash,
        rules_beside=run.practice.rules_hash,
        complete=run.complete,
        problems=list(run.gathered.result.problems),
        counts=dict(run.gathered.counts),
        actions=actions,
        facts=changed,
        gone=run.gathered.gone,
        before=before,
        basis=basis.of_accounts(connection, practice.id, keys),
    )


def apply_frozen(
    engine: sa.Engine,
    practices: Mapping[str, Practice],
    frozen: Frozen,
    *,
    actor: str,
    clock: Clock,
    progress: Progress,
) -> Applied:
    """Does exactly what the plan says, in one transaction, or nothing. The EHR is not asked again, but for its
    Consents where they say who may decide.

    Raises FatalError when the plan is of a practice that is not configured, RetriableError when a run is under way.
    """
    practice = practices.get(frozen.practice)
    if practice is None:
        raise FatalError(f'The plan is of the practice "{frozen.practice}", which is not in the configuration.')
    now = clock().astimezone(practice.zone)
    if practice.rules_hash != frozen.rules:
        return Applied(None, (RULES,))
    if _beside_moved(practice, frozen, now):
        return Applied(None, (BESIDE,))
    practice = replace(practice, rules_hash=frozen.rules_beside)
    try:
        with leases.lease(engine, f"run:{practice.id}", clock()), begin(engine) as connection:
            take_turn(connection, practice.id)
            run = open_run(connection, practice, Request(frozen=True, actor=actor), now)
            return Applied(_apply(connection, run, frozen, clock, progress))
    except _Refused as refused:
        return refused.applied


class _Refused(Exception):
    """Ends the transaction: the plan is stale."""

    def __init__(self, moved: Iterable[str] = (), stale: Iterable[Stale] = ()) -> None:
        super().__init__("the plan is stale")
        self.applied = Applied(None, tuple(moved), tuple(stale))


def _apply(connection: sa.Connection, run: Run, frozen: Frozen, clock: Clock, progress: Progress) -> dict[str, Any]:
    _put_facts(connection, run, frozen)
    with ExitStack() as open_files:
        planned = decide(connection, run, open_files, progress)
        if planned.spool.hash() != frozen.hash and (stale := _different(connection, planned, run, frozen)):
            raise _Refused(stale=stale)
        apply(connection, run, planned, progress)
        return close_run(connection, run, planned.spool, clock())


def _put_facts(connection: sa.Connection, run: Run, frozen: Frozen) -> None:
    """Stores what was read for the plan, as the run's own reading. Refused where something newer was read since."""
    practice = run.practice.id
    refs = {one.ref for one in frozen.facts} | set(frozen.gone)
    new = {one.ref: one.hash for one in frozen.facts}
    now = carried.hashes(connection, practice, refs)
    moved = [ref for ref in sorted(refs) if now.get(ref, "") not in (frozen.before.get(ref, ""), new.get(ref, ""))]
    if moved:
        raise _Refused(moved)
    carried.put_back(connection, practice, run.number, [one for one in frozen.facts if one.ref not in frozen.gone])
    facts.remove(connection, practice, run.number, [ref for ref in frozen.gone if ref in now])
    gathered = Gathered(ReadResult(full=False, complete=frozen.complete, problems=list(frozen.problems)))
    gathered.counts.update(frozen.counts)
    gathered.gone = frozen.gone
    late = run.gathered.result.problems  # the clock has gone back
    if late:
        raise FatalError(late[0])
    run.gathered = gathered


def _different(connection: sa.Connection, planned: Planned, run: Run, frozen: Frozen) -> list[Stale]:
    """The accounts for which something else would be done now, with what moved."""
    now: dict[str, list[Action]] = {}
    for batch in planned.spool.batches():
        for action in batch:
            now.setdefault(action.account, []).append(action)
    then: dict[str, list[Action]] = {}
    for action in frozen.actions:
        then.setdefault(action.account, []).append(action)
    unlike = sorted(key for key in now.keys() | then.keys() if essence(now.get(key, [])) != essence(then.get(key, [])))
    rests_on = basis.of_accounts(connection, run.practice.id, unlike)
    return [Stale(key, tuple(basis.moved(frozen.basis.get(key, {}), rests_on[key])) or (TIME,)) for key in unlike]


def _beside_moved(practice: Practice, frozen: Frozen, now: datetime) -> bool:
    """Whether the file beside the records has changed, or a Consent, or one of them can no longer be read.

    Consents are all that the EHR is asked for again: one that was withdrawn since takes away what the plan would open.
    """
    if practice.authority_file is None and practice.mapper.profile.consents is None:
        return False
    return practice.for_a_run(now).rules_hash != frozen.rules_beside
