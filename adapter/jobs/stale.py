"""Whether what was planned earlier is still exactly what would be done now; if not, what moved."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
import sqlalchemy as sa

from adapter.core.plan import Action, ActionKind
from adapter.jobs.braking import plan_again
from adapter.jobs.decisions import Terms
from adapter.jobs.practice import Practice
from adapter.store import basis, facts, runs
from adapter.store.held import HeldAccount, HeldPlan

RULES = "the mapping or the policy"
BESIDE = "what stands beside the records (the EHR's Consents, or the authority file)"
TIME = "a day on which an age or a period decides otherwise, or somebody's answer"
UNDECIDED = "what the last sync has read and not decided"


@dataclass(frozen=True, slots=True)
class Stale:
    """An account that is not as it was, by its address, and what moved: references, or words."""

    account: str
    moved: tuple[str, ...]


def fresh_actions(
    connection: sa.Connection, practice: Practice, plan: HeldPlan, now: datetime
) -> tuple[list[Action], list[Stale]]:
    """What releasing the plan does now, and the accounts for which that is not what the plan says."""
    state = runs.practice_state(connection, practice.id)
    at = max(now, state.decided_at) if state.decided_at else now
    at = at.astimezone(practice.zone)
    terms = Terms(policy=practice.policy, now=at, hold_welcome=plan.hold_welcome, only_restrict=False, first=False)
    keys = {key for one in plan.accounts for key in one.keys}
    seen = _by_key(plan_again(connection, practice.id, terms, keys))
    undecided = set(facts.undecided_charts(connection, practice.id, since=state.decided_run, today=at.date()))
    all_stale = RULES if practice.plainly_differs_from(state.rules_hash) else ""
    now_rests_on = basis.of_accounts(connection, practice.id, keys)
    stale = []
    for one in plan.accounts:
        rests_on = {ref: hash_ for key in one.keys for ref, hash_ in now_rests_on.get(key, {}).items()}
        moved = basis.moved(one.basis, rests_on)
        same = essence(one.actions) == essence([action for key in one.keys for action in seen.get(key, [])])
        waits = sorted(undecided & rests_on.keys())
        if all_stale or waits or not same:
            stale.append(Stale(one.account, tuple(moved or waits or [all_stale or TIME])))
    holds_now = practice.policy.hold_first_welcome and state.released_at is None
    if plan.hold_welcome != holds_now:
        seen = _by_key(
            plan_again(connection, practice.id, msgspec.structs.replace(terms, hold_welcome=holds_now), keys)
        )
    return _in_order(seen, plan.accounts), stale


def essence(actions: Iterable[Action]) -> list[Action]:
    """Actions without what may be otherwise and means the same: how far a Welcome email got meanwhile."""
    kept = [msgspec.structs.replace(one, was=None) for one in actions if one.action is not ActionKind.CANCEL_WELCOME]
    return sorted(kept, key=lambda action: (action.account, action.action, action.patient or ""))


def _by_key(actions: Sequence[Action]) -> dict[str, list[Action]]:
    found: dict[str, list[Action]] = {}
    for action in actions:
        found.setdefault(action.account, []).append(action)
    return found


def _in_order(seen: dict[str, list[Action]], accounts: Sequence[HeldAccount]) -> list[Action]:
    """Moves first, then account by account, as a run does it."""
    actions = [action for one in accounts for key in (one.account, one.moves_to) for action in seen.get(key, [])]
    return sorted(actions, key=lambda action: action.action is not ActionKind.MOVE_ACCOUNT)
