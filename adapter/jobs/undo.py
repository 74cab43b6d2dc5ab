"""Taking a run back as a whole: shown first, then done in one transaction; what has left the house is listed."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from adapter.core.audit import AuditEntry
from adapter.core.families import Family
from adapter.core.plan import Action, ActionKind
from adapter.core.reasons import UNDONE
from adapter.core.state import Account, Grant, GrantState
from adapter.core.undo import Change, Undoing, undo_account
from adapter.core.until import WIDTH
from adapter.errors import FatalError
from adapter.jobs.braking import plan_again
from adapter.jobs.chart_merges import look_at_merges
from adapter.jobs.decisions import Terms
from adapter.jobs.held import families_of
from adapter.jobs.practice import Practice
from adapter.jobs.reopening import may_reopen
from adapter.store import accounts, audit, chart_merges, runs, undone
from adapter.store import tables as t
from adapter.store.apply import Applier
from adapter.store.engine import begin
from adapter.store.turns import take_turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocked:
    """An account that is not as the run left it: then nothing is taken back."""

    account: str
    what: str
    """A chart's reference, or ``account``."""
    by: int | None
    """The later run that changed it; take that back first. None: somebody else did."""


@dataclass(slots=True, kw_only=True)
class Undo:
    """What taking a run back does, or did."""

    run: int
    practice: str
    hash: str = ""
    changes: dict[str, int] = field(default_factory=dict)
    families: list[Family] = field(default_factory=list)
    blocked: list[Blocked] = field(default_factory=list)
    stays: list[tuple[str, str, str]] = field(default_factory=list)
    """Address, chart and the reason code for which it stays closed."""
    left: list[str] = field(default_factory=list)
    """Addresses to which mail has left that cannot be called back."""
    dead_links: list[str] = field(default_factory=list)
    """Addresses whose Welcome email had a link that stays dead: it can be sent again."""
    again: list[Family] = field(default_factory=list)
    """What the next sync that looks at these families would do at once."""
    done_by: int | None = None
    """The run that took it back."""


class _Shown(Exception):
    """Ends the transaction: it was only to be shown, or must not be done."""


def undo(
    engine: sa.Engine,
    practices: Mapping[str, Practice],
    run: int,
    *,
    actor: str,
    now: datetime,
    apply: bool,
    expected: str | None = None,
) -> Undo:
    """Takes a run back; with ``apply`` False only says what that would do, and nothing is changed.

    ``expected`` is the hash of what was shown: anything else is refused. Raises FatalError when there is no such run,
    when it has not ended, has changed nothing, or when it is no longer what was shown.
    """
    shown: Undo | None = None
    try:
        with begin(engine) as connection:
            row = runs.get(connection, run)
            if row is None or row["practice"] not in practices:
                raise FatalError(f"There is no run {run}. `adapter runs` lists them.")
            if row["status"] == "running":
                raise FatalError(f"Run {run} has not ended yet.")
            practice = practices[row["practice"]]
            take_turn(connection, practice.id)
            shown = _Undoer(connection, practice, run, actor, now).do()
            if expected is not None and shown.hash != expected:
                raise FatalError("Something has moved since this was shown, and nothing was done. Look again.")
            if not apply or shown.blocked:
                raise _Shown
    except _Shown:
        assert shown is not None
        shown.done_by = None
    return shown


class _Undoer:
    """Takes one run back inside a transaction."""

    def __init__(self, connection: sa.Connection, practice: Practice, run: int, actor: str, now: datetime) -> None:
        self.connection = connection
        self.practice = practice
        self.run = run
        self.actor = actor
        self.now = now.astimezone(practice.zone)

    def do(self) -> Undo:
        changes = undone.changes_of(self.connection, self.practice.id, self.run)
        if not changes:
            raise FatalError(f"Run {self.run} has changed nothing, so there is nothing to take back.")
        known = accounts.by_id(self.connection, self.practice.id, sorted(changes))
        notices = undone.notices_left(self.connection, self.run, sorted(changes))
        shown = Undo(run=self.run, practice=self.practice.id)
        actions: list[Action] = []
        for account in sorted(known.values(), key=lambda account: account.email_key):
            undoing = self._account(changes[account.id], account, account.id in notices)
            actions += undoing.actions
            self._note(shown, account, undoing)
        if actions and not shown.blocked:
            self._apply(shown, actions)
        return shown

    def _account(self, changes: Sequence[Change], account: Account, notice_left: bool) -> Undoing:
        key = next((change.email_key for change in changes if change.action is ActionKind.MOVE_ACCOUNT), "")
        key = key or account.email_key
        first: dict[str, Grant] = {}
        for change in changes:
            if change.patient is not None and change.patient not in first and change.before is not None:
                first[change.patient] = change.before
        opens = [grant for patient, grant in sorted(first.items()) if _would_open(grant, account.grants.get(patient))]
        allowed = may_reopen(self.connection, self.practice, account, key, opens, self.now) if opens else {}
        undoing = undo_account(changes, account, allowed, notice_left=notice_left)
        taken = key != account.email_key and accounts.by_email(self.connection, self.practice.id, [key])
        if taken:
            undoing.moved.append("account")
        return undoing

    def _note(self, shown: Undo, account: Account, undoing: Undoing) -> None:
        for what in undoing.moved:
            chart = None if what == "account" else what
            by = undone.changed_again_by(self.connection, self.practice.id, self.run, account.id, chart)
            shown.blocked.append(Blocked(account=account.email_key, what=what, by=by))
        shown.stays += [(account.email_key, chart, code) for chart, code in sorted(undoing.stays.items())]
        if undoing.left:
            shown.left.append(account.email_key)
        if undoing.dead_link:
            shown.dead_links.append(account.email_key)

    def _apply(self, shown: Undo, actions: list[Action]) -> None:
        connection, practice = self.connection, self.practice
        shown.families = families_of(connection, practice.id, actions)
        counted: dict[str, int] = {}
        for action in actions:
            counted[str(action.action)] = counted.get(str(action.action), 0) + 1
        shown.changes = dict(sorted(counted.items()))
        shown.hash = _hash(actions)
        shown.done_by = runs.start(connection, practice.id, "undo", self.now)
        Applier(connection, practice.id, run=shown.done_by, actor=self.actor, now=self.now).apply(actions)
        undone.cancel_notices(connection, self.run)
        chart_merges.take_back(connection, practice.id, self.run)
        look_at_merges(connection, practice.id, chart_merges.load(connection, practice.id), [], self.now)
        connection.execute(sa.delete(t.change_count).where(t.change_count.c.run == self.run))
        report: dict[str, Any] = {"changes": shown.changes, "undone": self.run}
        runs.finish(connection, shown.done_by, status="complete", plan_hash=shown.hash, report=report, now=self.now)
        detail = msgspec.json.encode({"run": shown.done_by, "changes": shown.changes}).decode()
        entry = AuditEntry(action="undo-run", reason=UNDONE, actor=self.actor, run=self.run, detail=detail)
        audit.append(connection, practice.id, [entry], self.now)
        keys = {key for action in actions for key in (action.account, action.new_key) if key}
        shown.again = families_of(connection, practice.id, self._next(keys))

    def _next(self, keys: set[str]) -> list[Action]:
        state = runs.practice_state(self.connection, self.practice.id)
        terms = Terms(
            policy=self.practice.policy,
            now=self.now,
            hold_welcome=self.practice.policy.hold_first_welcome and state.released_at is None,
            only_restrict=False,
            first=False,
        )
        return plan_again(self.connection, self.practice.id, terms, keys)


def _would_open(before: Grant, now: Grant | None) -> bool:
    if before.state is not GrantState.ACTIVE:
        return False
    return now is None or now.state is not GrantState.ACTIVE or WIDTH[before.access] > WIDTH[now.access]


def _hash(actions: Sequence[Action]) -> str:
    return hashlib.sha256(msgspec.json.encode(list(actions))).hexdigest()
