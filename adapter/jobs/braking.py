"""Brakes at work: looks whether a run does more than is ordinary, and keeps what it must not do for a human."""

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime, timedelta
from itertools import groupby

import msgspec
import sqlalchemy as sa

from adapter.core.brakes import Brake, Seen, Trip, cause, enough, least, trip
from adapter.core.concerns import MANY_CLOSED
from adapter.core.findings import Finding
from adapter.core.plan import Action, ActionKind
from adapter.core.reasons import BRAKE_ON, REASONS, Severity
from adapter.jobs.deciders import Here
from adapter.jobs.deciding import Decider
from adapter.jobs.decisions import Terms
from adapter.jobs.decisions import braked as braked_by
from adapter.jobs.run import Run
from adapter.jobs.spool import PlanSpool
from adapter.store import basis, counts, findings, held
from adapter.store.held import HeldAccount, HeldPlan

DAY, WEEK = timedelta(days=1), timedelta(days=7)
_encode = msgspec.msgpack.Encoder().encode


def trips(
    connection: sa.Connection, run: Run, braked: Counter[str], superseded: Iterable[str]
) -> tuple[list[Trip], str]:
    """The brakes that go on for so many changes (by ``brake:reason``) beside those of the last days, and why, in words.

    What waits already counts too, but for the accounts that this run has planned anew. In its first complete run a
    practice has nothing to compare with: what it opens is guarded by the hold of its first Welcome emails (ADR 24).
    """
    numbers = by_brake(braked)
    limits, practice = run.practice.policy.brakes, run.practice.id
    wanted = [brake for brake in Brake if numbers[brake]]
    if run.state.decided_run == 0:
        wanted = [brake for brake in wanted if brake in (Brake.REVOCATION, Brake.ADDRESS_CHANGE)]
    if not wanted:
        return [], ""
    day, week = (counts.done(connection, practice, run.now - span) for span in (DAY, WEEK))
    waiting = _waiting(connection, practice, set(superseded))
    waits = by_brake(waiting)
    found = []
    for brake in wanted:
        seen = Seen(numbers[brake], day.get(brake, 0) + waits[brake], week.get(brake, 0) + waits[brake])
        if seen.run + seen.week > least(limits, brake):
            base = _base(connection, practice, brake, enough(limits, brake, seen))
            if (tripped := trip(limits, brake, seen, base)) is not None:
                found.append(tripped)
    return found, _why(run, found, braked + waiting)


def _base(connection: sa.Connection, practice: str, brake: Brake, most: int | None) -> int:
    count = counts.open_charts if brake in (Brake.REVOCATION, Brake.GRANT) else counts.accounts
    return count(connection, practice, most)


def _waiting(connection: sa.Connection, practice: str, superseded: set[str]) -> Counter[str]:
    """What waits for accounts that were not planned anew, by ``brake:reason``."""
    if not held.any_waiting(connection, practice):
        return Counter()
    accounts = [one for plan in held.waiting(connection, [practice]) for one in plan.accounts]
    return braked_by(action for one in accounts if one.keys.isdisjoint(superseded) for action in one.actions)


def by_brake(braked: Counter[str]) -> Counter[Brake]:
    """So many changes of each kind."""
    numbers: Counter[Brake] = Counter()
    for name, number in braked.items():
        numbers[Brake(name.partition(":")[0])] += number
    return numbers


def _why(run: Run, tripped: list[Trip], braked: Counter[str]) -> str:
    changed = run.practice.differs_from(run.state.rules_hash) and run.state.rules_hash is not None
    sentences = []
    for one in tripped:
        prefix = f"{one.brake}:"
        reasons = {name.removeprefix(prefix): n for name, n in braked.items() if name.startswith(prefix)}
        sentences.append(cause(one, reasons, rules_changed=changed))
    return " ".join(sentences)


def different(free: PlanSpool, braked: PlanSpool) -> set[str]:
    """The addresses for which the brakes have left something out."""
    without = dict(_digests(free))
    return {key for key, digest in _digests(braked) if without.pop(key, digest) != digest} | without.keys()


def _digests(spool: PlanSpool) -> Iterator[tuple[str, bytes]]:
    """A digest of each address's actions; an account that moves is named by both of its addresses."""
    actions = (action for batch in spool.batches() for action in batch)
    found: dict[str, bytes] = {}
    for key, group in groupby(actions, key=lambda action: action.account):
        some = list(group)
        found[key] = found.get(key, b"") + hashlib.blake2b(_encode(some), digest_size=16).digest()
        for action in some:
            if action.action is ActionKind.MOVE_ACCOUNT:
                found.setdefault(action.new_key, b"")
    return iter(found.items())


def supersede(connection: sa.Connection, run: Run, keys: Iterable[str]) -> list[int]:
    """What waited for these addresses no longer does: they were planned anew. Returns the plans that ended."""
    if not held.any_waiting(connection, run.practice.id):
        return []
    return held.close_accounts(connection, run.practice.id, set(keys), held.SUPERSEDED, run.now)


def with_moves(connection: sa.Connection, run: Run, keys: frozenset[str]) -> set[str]:
    """What has to be planned anew with these addresses: a move that waits for one of them is about another one too."""
    if not held.any_waiting(connection, run.practice.id):
        return set()
    return held.with_moves(connection, run.practice.id, keys)


def hold(
    connection: sa.Connection, run: Run, terms: Terms, tripped: list[Trip], said: str, keys: set[str]
) -> HeldPlan | None:
    """Keeps what a plan without brakes would still do for these addresses, now that the rest is done."""
    actions = plan_again(connection, run.practice.id, msgspec.structs.replace(terms, brakes=()), keys)
    if not actions:
        return None
    plan = HeldPlan(
        run=run.number,
        practice=run.practice.id,
        brakes=[one.brake for one in tripped],
        cause=said,
        hold_welcome=terms.hold_welcome,
        created_at=run.now,
        expires_at=run.now + timedelta(days=run.practice.policy.release_days),
        closed_because=None,
        approved_by=None,
        approved_hash=None,
        accounts=_by_account(connection, run.practice.id, actions),
    )
    held.save(connection, plan)
    return plan


def plan_again(
    connection: sa.Connection, practice: str, terms: Terms, keys: Iterable[str], *, ending: Collection[str] = ()
) -> list[Action]:
    """What would make the accounts of these addresses what they should be; ``ending`` is as the ``Decider`` has it."""
    with PlanSpool() as spool:
        decider = Decider(connection, practice, terms, Here(terms), lambda what, done, total: None, ending=ending)
        decider.touch(keys)
        decider.plan(spool)
        return [action for batch in spool.batches() for action in batch]


def _by_account(connection: sa.Connection, practice: str, actions: list[Action]) -> list[HeldAccount]:
    moves = {action.account: action.new_key for action in actions if action.action is ActionKind.MOVE_ACCOUNT}
    left = {new: old for old, new in moves.items()}
    groups: dict[str, list[Action]] = {}
    for action in actions:
        groups.setdefault(left.get(action.account, action.account), []).append(action)
    rests_on = basis.of_accounts(connection, practice, {*groups, *moves.values()})
    return [
        HeldAccount(key, moves.get(key, ""), group, rests_on[key] | rests_on.get(moves.get(key, ""), {}))
        for key, group in sorted(groups.items())
    ]


def expire(connection: sa.Connection, run: Run) -> set[str]:
    """Ends what nobody has released in time; its addresses, and those of what was stale, are to be planned anew."""
    stale = held.take_stale(connection, run.practice.id)
    if not held.any_waiting(connection, run.practice.id):
        return stale
    late = held.expired(connection, run.practice.id, run.now)
    keys = {key for plan in late for one in plan.accounts for key in one.keys}
    ended = held.close_accounts(connection, run.practice.id, keys, "expired", run.now)
    tell(connection, run.practice.id, ended, run.now)
    return keys | stale


def tell(connection: sa.Connection, practice: str, ended: Iterable[int], now: datetime) -> None:
    """Makes a finding of every plan that waits; those of plans that have ended are closed."""
    plans = held.waiting(connection, [practice]) if held.any_waiting(connection, practice) else []
    found = [
        Finding(
            code=BRAKE_ON,
            message=plan.cause,
            remedy=f"Look at `adapter held`. If it is right: `adapter release {plan.run}`. If not, put right what is "
            "named and sync again; what is no longer due then goes away by itself.",
            scope=_scope(plan.run),
            severity=Severity.ERROR,
        )
        for plan in plans
    ]
    scopes = [_scope(run) for run in ended] + [finding.scope for finding in found]
    if scopes:
        findings.settle(connection, practice, scopes, found, now)


def tell_of_many(connection: sa.Connection, run: Run, tripped: list[Trip], said: str, plan: HeldPlan | None) -> int:
    """Makes a finding where so much was closed by what the charts state that the EHR may be wrong, and nothing waits.

    Nothing else would tell anybody: there is nothing to release. It stays for a week, or until somebody dismisses it.
    Returns how many changes that were.
    """
    closed = [one for one in tripped if one.brake is Brake.REVOCATION and plan is None]
    if closed:
        found = Finding(
            code=MANY_CLOSED,
            message=said,
            remedy=REASONS[MANY_CLOSED].remedy,
            scope=MANY_CLOSED,
            severity=REASONS[MANY_CLOSED].finding,
        )
        findings.settle(connection, run.practice.id, [MANY_CLOSED], [found], run.now)
        return closed[0].number
    old = findings.open_in(connection, run.practice.id, MANY_CLOSED, MANY_CLOSED)
    if old and old[0]["since"] + WEEK < run.now:
        findings.settle(connection, run.practice.id, [MANY_CLOSED], [], run.now)
    return 0


def _scope(run: int) -> str:
    return f"held:{run}"
