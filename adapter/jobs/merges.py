"""Merges and unmerges of charts in a human's hands: shown with what moves, then done in one transaction."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec
import sqlalchemy as sa

from adapter.core.audit import AuditEntry
from adapter.core.chart_merges import MERGED, UNMERGE_WAITING, ChartMerge, MergeState
from adapter.core.plan import Action
from adapter.core.reasons import REASONS
from adapter.errors import FatalError
from adapter.jobs.braking import plan_again, tell
from adapter.jobs.chart_merges import look_at_merges, names_of, say
from adapter.jobs.decisions import Terms
from adapter.jobs.held import families_of
from adapter.jobs.merge_view import Merging, moved
from adapter.jobs.practice import Practice
from adapter.jobs.stale import UNDECIDED, essence
from adapter.store import accounts, audit, basis, chart_merges, facts, held, runs
from adapter.store.apply import Applier
from adapter.store.engine import begin, read
from adapter.store.turns import take_turn

LONGEST_REASON = 500
"""Characters."""


class _Shown(Exception):
    """Ends the transaction: it was only to be shown."""


def merge(
    engine: sa.Engine,
    practice: Practice,
    source: str,
    target: str | None,
    *,
    unmerge: bool = False,
    reason: str = "",
    actor: str,
    now: datetime,
    apply: bool,
    expected: str | None = None,
    seen: Mapping[str, str] | None = None,
) -> Merging:
    """Lets a merge of ``source`` into ``target`` go, or takes one back; with ``apply`` False only says what that does.

    ``expected`` is the hash of what was shown, ``seen`` what that rested on: anything else is refused, naming what
    moved. Raises FatalError when there is no such merge, it ends nowhere, is done, is not what was shown, or when there
    is no reason.
    """
    text = " ".join(reason.split())
    if apply and (not text or len(text) > LONGEST_REASON):
        raise FatalError(
            f"Say why with --reason, in at most {LONGEST_REASON} characters: it is kept in the audit trail."
        )
    shown: Merging | None = None
    try:
        with begin(engine) as connection:
            take_turn(connection, practice.id)
            shown = _Mover(connection, practice, source, actor, now).do(target, unmerge, text)
            if expected is not None and shown.hash != expected:
                raise FatalError(_what_moved(shown, seen))
            if not apply:
                raise _Shown
            if practice.policy.release_needs_two and not _approved(connection, shown, actor):
                shown.needs_second = True
                raise _Shown
    except _Shown:
        assert shown is not None
        shown.done_by = None
    if shown.needs_second:
        with begin(engine) as connection:
            take_turn(connection, practice.id)
            chart_merges.save(connection, practice.id, source, approved_by=actor, approved_hash=shown.hash)
            _note(connection, shown, "approve-merge", text, actor, now, None)
    return shown


def look_at_merge(engine: sa.Engine, practice: Practice, chart: str, *, now: datetime) -> Merging:
    """What letting the merge of this chart (its id) go would do, or giving it back. Raises like ``merge``."""
    source = f"Patient/{chart}"
    with read(engine) as connection:
        known = {one.source: one.state for one in chart_merges.load(connection, practice.id)}
    unmerge = known.get(source) is MergeState.TAKEN_BACK
    return merge(engine, practice, source, None, unmerge=unmerge, actor="", now=now, apply=False)


def _approved(connection: sa.Connection, shown: Merging, actor: str) -> bool:
    by, what = chart_merges.approval(connection, shown.practice, shown.source)
    return bool(by) and by != actor and what == shown.hash


def _what_moved(shown: Merging, seen: Mapping[str, str] | None) -> str:
    other = basis.moved(dict(seen), shown.seen) if seen is not None else []
    which = f" What moved: {', '.join(other)}." if other else ""
    return f"Something has moved since this was shown, and nothing was done.{which} Look again: adapter merges"


class _Mover:
    """Carries one merge out inside a transaction."""

    def __init__(self, connection: sa.Connection, practice: Practice, source: str, actor: str, now: datetime) -> None:
        state = runs.practice_state(connection, practice.id)
        self.connection = connection
        self.practice = practice
        self.source = source
        self.actor = actor
        self.decided_run = state.decided_run
        self.now = (max(now, state.decided_at) if state.decided_at else now).astimezone(practice.zone)
        self.terms = Terms(
            policy=practice.policy,
            now=self.now,
            hold_welcome=practice.policy.hold_first_welcome and state.released_at is None,
            only_restrict=False,
            first=False,
        )

    def do(self, target: str | None, unmerge: bool, reason: str) -> Merging:
        connection, practice = self.connection, self.practice.id
        found = self._found(target, unmerge)
        end = found.done_into if unmerge else found.end
        names = names_of(connection, practice, [found])
        shown = Merging(
            practice=practice,
            source=self.source,
            target=end,
            unmerge=unmerge,
            said=say(found, names),
            path=list(found.trail.path),
        )
        keys = sorted(accounts.addresses_on(connection, practice, [self.source]))
        self._all_decided(keys)
        before = accounts.by_email(connection, practice, keys)
        shown.seen = _flat(basis.of_accounts(connection, practice, keys))
        shown.done_by = runs.start(connection, practice, "unmerge" if unmerge else "merge", self.now)
        if unmerge:
            chart_merges.save(connection, practice, self.source, back_run=shown.done_by)
        else:
            done = {"done_at": self.now, "done_by": self.actor, "done_into": end, "reason": reason}
            chart_merges.save(connection, practice, self.source, **done, run=shown.done_by, back_run=None)
        actions = plan_again(connection, practice, self.terms, keys, ending=() if unmerge else (self.source,))
        shown.families = families_of(connection, practice, actions)
        shown.hash = _hash(shown, actions)
        self._apply(shown, actions, reason)
        after = accounts.by_id(connection, practice, [account.id for account in before.values()])
        shown.moves = [moved(connection, shown, one, after[one.id]) for _, one in sorted(before.items())]
        return shown

    def _found(self, target: str | None, unmerge: bool) -> ChartMerge:
        known = {one.source: one for one in chart_merges.load(self.connection, self.practice.id)}
        found = known.get(self.source)
        wanted = MergeState.TAKEN_BACK if unmerge else MergeState.PENDING
        if found is None or found.state is None:
            raise FatalError(f"No merge of {self.source} waits: nobody has access to it, or it is not merged.")
        if found.state is MergeState.HELD:
            raise FatalError(f"Nothing can move, because {found.trail.problem}. {REASONS['merge-held'].remedy}")
        if found.state is not wanted:
            raise FatalError(f"{_STANDS[found.state]} Look: adapter merges")
        if target is not None and target != found.end and not unmerge:
            raise FatalError(f"The EHR says that {self.source} was merged into {found.end}, not into {target}.")
        return found

    def _all_decided(self, keys: Sequence[str]) -> None:
        """Raises FatalError where something was read about these families that no complete run has decided yet."""
        practice, today = self.practice.id, self.now.date()
        rests_on = _flat(basis.of_accounts(self.connection, practice, keys))
        undecided = set(facts.undecided_charts(self.connection, practice, since=self.decided_run, today=today))
        if waits := sorted(undecided & rests_on.keys()):
            raise FatalError(f"{UNDECIDED[0].upper()}{UNDECIDED[1:]}: {', '.join(waits)}. Sync first: adapter sync")

    def _apply(self, shown: Merging, actions: list[Action], reason: str) -> None:
        connection, practice, now = self.connection, self.practice.id, self.now
        counted: dict[str, int] = {}
        for action in actions:
            counted[str(action.action)] = counted.get(str(action.action), 0) + 1
        shown.changes = dict(sorted(counted.items()))
        assert shown.done_by is not None
        Applier(connection, practice, run=shown.done_by, actor=self.actor, now=now).apply(actions)
        report = {"changes": shown.changes, "merged": self.source, "into": shown.target}
        runs.finish(connection, shown.done_by, status="complete", plan_hash=None, report=report, now=now)
        _note(
            connection,
            shown,
            "unmerge-charts" if shown.unmerge else "merge-charts",
            reason,
            self.actor,
            now,
            shown.done_by,
        )
        keys = {key for action in actions for key in (action.account, action.new_key) if key}
        tell(connection, practice, held.close_accounts(connection, practice, keys, held.SUPERSEDED, now), now)
        look_at_merges(connection, practice, chart_merges.load(connection, practice), [], now)


_STANDS = {
    MergeState.DONE: "This merge is done.",
    MergeState.PENDING: "The EHR still says that the chart is merged, so there is nothing to take back.",
    MergeState.TAKEN_BACK: "The EHR has taken this merge back.",
}


def _flat(found: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """What several accounts rest on, by reference; the accounts themselves by address."""
    return {
        key if ref == basis.ACCOUNT else ref: hash_
        for key, some in sorted(found.items())
        for ref, hash_ in sorted(some.items())
    }


def _hash(shown: Merging, actions: Sequence[Action]) -> str:
    facts_ = (shown.source, shown.target, shown.path, shown.unmerge, shown.seen, essence(actions))
    return hashlib.sha256(msgspec.json.encode(facts_, order="deterministic")).hexdigest()


def _note(
    connection: sa.Connection, shown: Merging, action: str, text: str, actor: str, now: datetime, run: int | None
) -> None:
    known = {"source": shown.source, "target": shown.target, "path": shown.path, "hash": shown.hash, "reason": text}
    entry = AuditEntry(
        action=action,
        patient=shown.target,
        reason=UNMERGE_WAITING if shown.unmerge else MERGED,
        actor=actor,
        run=run,
        detail=msgspec.json.encode(known | {"changes": shown.changes}).decode(),
    )
    audit.append(connection, shown.practice, [entry], now)
