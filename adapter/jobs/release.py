"""A human's answer to a run: letting go what it held, Welcome emails and what its brakes kept back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import msgspec
import sqlalchemy as sa

from adapter.core.audit import AuditEntry
from adapter.core.plan import Action
from adapter.core.reasons import BRAKE_ON, FIRST_RUN, RELEASED
from adapter.core.state import EffectKind, EffectState
from adapter.errors import FatalError
from adapter.jobs.braking import tell
from adapter.jobs.practice import Practice
from adapter.jobs.stale import Stale, fresh_actions
from adapter.store import audit, counts, held, runs
from adapter.store import tables as t
from adapter.store.apply import Applier
from adapter.store.engine import begin
from adapter.store.held import HeldPlan
from adapter.store.turns import take_turn


@dataclass(frozen=True, slots=True)
class Released:
    """What a release let go, or why it did not."""

    practice: str
    run: int
    welcome: int
    """Welcome emails that were held for a first run."""
    changes: dict[str, int] = field(default_factory=dict)
    """What the brakes had held and is done now, by kind of action."""
    done_by: int | None = None
    """The run that did it, for ``adapter undo``."""
    stale: tuple[Stale, ...] = ()
    """Accounts that are not as they were. Then nothing was done: they are decided anew by the next sync."""
    left: int = 0
    """How many accounts still wait."""
    needs_second: bool = False
    """Noted as the first of two people; somebody else has to release it too."""


def release(
    engine: sa.Engine,
    practices: Mapping[str, Practice],
    run: int,
    *,
    actor: str,
    now: datetime,
    expected: str | None = None,
) -> Released:
    """Lets go what this run holds: its Welcome emails and those of earlier runs, and what its brakes kept back.

    ``expected`` is the hash of the plan that the human has seen; None releases what waits now. Later runs of the
    practice hold no first Welcome emails. Raises FatalError when there is no such run, when it is still running, when
    its plan is another one than ``expected``, or when that has expired.
    """
    with begin(engine) as connection:
        row = runs.get(connection, run)
        if row is None or row["practice"] not in practices:
            raise FatalError(f"There is no run {run}. `adapter runs` lists them.")
        if row["status"] == "running":
            raise FatalError(f"Run {run} has not ended yet. Release it when it has.")
        practice = practices[row["practice"]]
        take_turn(connection, practice.id)
        plan = held.get(connection, run)
        if plan is not None and plan.accounts:
            _check(plan, expected, now)
        elif expected is not None:
            raise FatalError(f"Run {run} holds nothing any more.")
        welcome = _let_welcome_go(connection, practice.id, run, now)
        entry = AuditEntry(
            action="release-run", reason=FIRST_RUN, actor=actor, run=run, detail=f'{{"welcome":{welcome}}}'
        )
        audit.append(connection, practice.id, [entry], now)
        if plan is None or not plan.accounts:
            return Released(practice.id, run, welcome)
        return _Release(connection, practice, plan, actor, now).do(welcome)


def _check(plan: HeldPlan, expected: str | None, now: datetime) -> None:
    if expected is not None and not plan.hash.startswith(expected):
        raise FatalError(
            f"What run {plan.run} holds is not what you have looked at any more. Look again: adapter held {plan.run}"
        )
    if plan.expires_at <= now:
        raise FatalError(
            f"What run {plan.run} held could be released until {plan.expires_at:%Y-%m-%d %H:%M} UTC. "
            "The next sync decides it anew: adapter sync"
        )


def _let_welcome_go(connection: sa.Connection, practice: str, run: int, now: datetime) -> int:
    waits = sa.and_(
        t.effect.c.practice == practice,
        t.effect.c.kind == EffectKind.WELCOME,
        t.effect.c.state == EffectState.HELD,
        t.effect.c.run <= run,
    )
    queued = sa.update(t.effect).where(waits).values(state=EffectState.QUEUED, next_at=now)
    released = connection.execute(queued).rowcount
    connection.execute(sa.update(t.run).where(t.run.c.id == run).values(released_at=now))
    runs.save_practice(connection, practice, released_at=now)
    return released


class _Release:
    """Lets go what the brakes of one run hold, in one transaction that has the practice to itself."""

    def __init__(
        self, connection: sa.Connection, practice: Practice, plan: HeldPlan, actor: str, now: datetime
    ) -> None:
        self.connection = connection
        self.practice = practice
        self.plan = plan
        self.actor = actor
        self.now = now

    def do(self, welcome: int) -> Released:
        connection, practice, plan = self.connection, self.practice, self.plan
        left = len(plan.accounts)
        actions, stale = fresh_actions(connection, practice, plan, self.now)
        if stale:
            ended = held.close_accounts(connection, practice.id, {one.account for one in stale}, held.STALE, self.now)
            tell(connection, practice.id, ended, self.now)
            return Released(practice.id, plan.run, welcome, stale=tuple(stale), left=left - len(stale))
        if practice.policy.release_needs_two and not self._approved():
            return Released(practice.id, plan.run, welcome, left=left, needs_second=True)
        changes = plan.counts()
        number = self._apply(actions, changes)
        self._note("release-plan", {"hash": plan.hash, "run": number, "changes": changes})
        return Released(practice.id, plan.run, welcome, changes, number)

    def _approved(self) -> bool:
        """Whether somebody else has released the same plan already; if not, this one is the first."""
        plan = self.plan
        if plan.approved_hash == plan.hash and plan.approved_by not in (None, self.actor):
            return True
        held.approve(self.connection, plan.run, self.actor, plan.hash)
        self._note("approve-plan", {"hash": plan.hash})
        return False

    def _apply(self, actions: list[Action], changes: dict[str, int]) -> int:
        connection, practice, now = self.connection, self.practice, self.now
        number = runs.start(connection, practice.id, "release", now)
        Applier(connection, practice.id, run=number, actor=self.actor, now=now).apply(actions)
        report = {"changes": changes, "released": self.plan.run}
        runs.finish(connection, number, status="complete", plan_hash=self.plan.hash, report=report, now=now)
        counts.forget(connection, practice.id, self.plan.brakes)
        keys = {key for one in self.plan.accounts for key in one.keys}
        tell(connection, practice.id, held.close_accounts(connection, practice.id, keys, RELEASED, now), now)
        return number

    def _note(self, action: str, detail: dict[str, object]) -> None:
        entry = AuditEntry(
            action=action,
            reason=BRAKE_ON,
            actor=self.actor,
            run=self.plan.run,
            detail=msgspec.json.encode(detail).decode(),
        )
        audit.append(self.connection, self.practice.id, [entry], self.now)
