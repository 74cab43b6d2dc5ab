"""A human's answers to findings: checked, kept, and acted upon at once for the families they are about.

Nothing is read from the EHR: what it said last is decided again with the answer in view, in one transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from adapter.core.answers import OPENS, Answer, Decision, about_everybody, answers_to
from adapter.core.brakes import Brake
from adapter.core.dates import ends_at
from adapter.core.findings import address_scope
from adapter.ehr import quietly
from adapter.errors import FatalError
from adapter.jobs.deciders import Here
from adapter.jobs.deciding import Decider
from adapter.jobs.decisions import Terms
from adapter.jobs.practice import Clock, Practice
from adapter.jobs.run import CLOCK_SLACK
from adapter.jobs.spool import PlanSpool
from adapter.store import accounts, decisions, facts, findings, held, runs
from adapter.store.apply import Applier
from adapter.store.engine import read
from adapter.store.turns import turn

LONGEST_REASON = 500
"""Characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What came of it. ``changes`` counts actions by kind."""

    practice: str
    findings: list[str]
    """Everything that was answered: an answer about the people at an address answers all that is held for them."""
    changes: dict[str, int] = field(default_factory=dict)
    waits: bool = False
    """Nothing was opened: something was read that no complete run has decided yet, or a brake holds this family. The
    next complete sync decides it."""


def practice_of(engine: sa.Engine, finding: str) -> str | None:
    """Which practice a finding is of; None when there is none of this id."""
    with read(engine) as connection:
        row = findings.get(connection, [finding]).get(finding)
    return str(row["practice"]) if row else None


def decide(
    engine: sa.Engine,
    practice: Practice,
    ids: Sequence[str],
    answer: Answer,
    *,
    reason: str,
    until: date | None = None,
    actor: str,
    clock: Clock,
) -> Decided:
    """Answers these findings of one practice, all with one reason, or none of them.

    ``until`` is the last day of the answer, by the practice's calendar. Raises FatalError, naming each finding and what
    is wrong, when one is unknown, no longer open, or does not take this answer; and when there is no reason.
    """
    reason = _reason(reason)
    with turn(engine, practice.id) as connection:
        moment = _Moment(connection, practice, clock)
        now, expires = moment.now, _expiry(until, moment.now)
        rows = _checked(connection, practice, ids, answer)
        taken_back = _end_what_was_said_of_everybody(connection, practice, rows, answer, actor, now)
        said: dict[str, Any] = {"reason": reason, "last_day": until, "until": expires, "actor": actor, "now": now}
        matters = [decisions.give(connection, practice.id, row, answer, **said) for row in rows]
        if not any([taken_back, *matters]):
            return Decided(practice=practice.id, findings=[row["id"] for row in rows])
        return _act(connection, practice, rows, actor, moment)


def withdraw(
    engine: sa.Engine, practice: Practice, ids: Sequence[str], *, reason: str, actor: str, clock: Clock
) -> Decided:
    """Takes back the answers to these findings: it is as if nobody had answered. Raises like ``decide``."""
    reason = _reason(reason)
    with turn(engine, practice.id) as connection:
        moment = _Moment(connection, practice, clock)
        rows = _known(connection, practice, ids)
        answered = decisions.in_force(connection, practice.id, [row["scope"] for row in rows])
        given = {row["id"]: _given(row, answered.get(row["scope"], [])) for row in rows}
        faults = [f"Finding {id_} has no answer in force." for id_, one in given.items() if one is None]
        if faults:
            raise FatalError("\n".join(faults))
        rows = [
            other
            for row in rows
            for other in (_siblings(connection, row) if _of_everybody(given[row["id"]]) else [row])
        ]
        decisions.withdraw(
            connection, practice.id, [row["id"] for row in rows], reason=reason, actor=actor, now=moment.now
        )
        return _act(connection, practice, rows, actor, moment, narrows=True)


def _given(row: dict[str, Any], answers: Sequence[Decision]) -> Decision | None:
    """The answer in force to a finding: its own, or what was said of everybody at its address."""
    own = [one for one in answers if one.finding == row["id"]]
    return next(iter([*own, *(one for one in answers if _of_everybody(one))]), None)


def _of_everybody(one: Decision | None) -> bool:
    return one is not None and about_everybody(one.answer)


def _end_what_was_said_of_everybody(
    connection: sa.Connection,
    practice: Practice,
    rows: Sequence[dict[str, Any]],
    answer: Answer,
    actor: str,
    now: datetime,
) -> bool:
    """The latest answer counts: one about a single chart takes back what was said about the people at its address.

    Returns whether that may matter for access.
    """
    if about_everybody(answer):
        return False
    answered = decisions.in_force(connection, practice.id, [row["scope"] for row in rows])
    old = [one for answers in answered.values() for one in answers if _of_everybody(one)]
    decisions.end(connection, practice.id, old, "replaced", now, actor=actor)
    return any(one.answer in OPENS for one in old)


def _checked(connection: sa.Connection, practice: Practice, ids: Sequence[str], answer: Answer) -> list[dict[str, Any]]:
    """The findings that this answers, each once."""
    faults, rows = [], {}
    for row in _known(connection, practice, ids):
        takes = answers_to(row["code"], row["scope"])
        if row["closed_at"] is not None:
            faults.append(f"Finding {row['id']} is closed: the problem is gone.")
        elif not row["facts"]:
            faults.append(f"Finding {row['id']} is older than this version of the adapter. Sync first.")
        elif answer not in takes:
            faults.append(_refusal(row, answer, takes))
        for one in _siblings(connection, row) if about_everybody(answer) else [row]:
            rows[one["id"]] = one
    if faults:
        raise FatalError("\n".join(faults))
    return [row for _, row in sorted(rows.items())]


def _refusal(row: dict[str, Any], answer: Answer, takes: tuple[Answer, ...]) -> str:
    if not takes:
        return f"Finding {row['id']} ({row['code']}) takes no answer. {row['remedy']}"
    can = " or ".join(takes)
    why = " No human's answer opens a chart against it." if answer is Answer.APPROVE else ""
    return f"Finding {row['id']} ({row['code']}) takes only {can}, not {answer}.{why} {row['remedy']}"


def _siblings(connection: sa.Connection, row: dict[str, Any]) -> list[dict[str, Any]]:
    """Everything that is held for the people at the same address."""
    return findings.open_in(connection, row["practice"], row["scope"], row["code"])


def _known(connection: sa.Connection, practice: Practice, ids: Sequence[str]) -> list[dict[str, Any]]:
    found = findings.get(connection, ids)
    mine = {id_: row for id_, row in found.items() if row["practice"] == practice.id}
    unknown = [f"There is no finding {id_}. `adapter findings` lists them." for id_ in ids if id_ not in mine]
    if unknown:
        raise FatalError("\n".join(unknown))
    return [mine[id_] for id_ in dict.fromkeys(ids)]


def _act(
    connection: sa.Connection,
    practice: Practice,
    rows: Sequence[dict[str, Any]],
    actor: str,
    moment: "_Moment",
    *,
    narrows: bool = False,
) -> Decided:
    """Decides again whatever these findings are about, and applies what follows.

    Nothing is opened while something that was read is undecided, or while a brake holds changes of the same family: an
    answer to one finding releases nothing else. Taking an answer back (``narrows``) takes away all the same.
    """
    now, clock_is_back = moment.now, moment.clock_is_back
    state = runs.practice_state(connection, practice.id)
    unread = facts.any_changed(connection, practice.id, since=state.decided_run)
    terms = Terms(
        policy=practice.policy,
        now=now,
        hold_welcome=practice.policy.hold_first_welcome and state.released_at is None,
        only_restrict=unread or practice.differs_from(state.rules_hash) or clock_is_back,
        first=not accounts.any_account(connection, practice.id),
    )
    charts = decisions.charts_of(connection, practice.id, map(_Row, rows))
    with PlanSpool() as spool:
        decider = Decider(connection, practice.id, terms, Here(terms), quietly)
        decider.charts(charts)
        decider.own_charts()
        if braked := _waits_for_a_release(connection, practice.id, decider.addresses):
            on = tuple(brake for brake in Brake if not (narrows and brake is Brake.REVOCATION))
            terms = msgspec.structs.replace(terms, brakes=on)
        planner = Decider(connection, practice.id, terms, Here(terms), quietly)
        planner.touch(decider.addresses)
        planner.plan(spool)
        applier = Applier(connection, practice.id, run=None, actor=actor, now=now)
        for batch in spool.batches():
            applier.apply(batch)
        changes = dict(sorted(spool.counts.items()))
    waits = terms.only_restrict or braked
    if waits:
        facts.mark_due(connection, practice.id, charts, now.date())
    return Decided(practice=practice.id, findings=[row["id"] for row in rows], changes=changes, waits=waits)


def _waits_for_a_release(connection: sa.Connection, practice: str, addresses: frozenset[str]) -> bool:
    if not held.any_waiting(connection, practice):
        return False
    plans = held.waiting(connection, [practice])
    return any(not one.keys.isdisjoint(addresses) for plan in plans for one in plan.accounts)


class _Row:
    """A finding's row as ``charts_of`` takes it."""

    def __init__(self, row: dict[str, Any]) -> None:
        self.patient = row["patient"]
        self.email = row["email"] if row["scope"] == address_scope(row["email"] or "") else None


class _Moment:
    """The time to decide by: never before that of an earlier run. A clock that has gone back far opens nothing."""

    def __init__(self, connection: sa.Connection, practice: Practice, clock: Clock) -> None:
        now = clock().astimezone(practice.zone)
        decided_at = runs.practice_state(connection, practice.id).decided_at
        self.now = max(now, decided_at.astimezone(practice.zone)) if decided_at else now
        self.clock_is_back = self.now - now > CLOCK_SLACK


def _expiry(until: date | None, now: datetime) -> datetime | None:
    if until is None:
        return None
    expires = ends_at(until.isoformat(), now)
    if expires <= now:
        raise FatalError(f"{until.isoformat()} is over already. Name a day to come, or leave it out.")
    return expires


def _reason(text: str) -> str:
    words = " ".join(text.split())
    if not words:
        raise FatalError("Say why, in your own words: it stays with the decision.")
    if len(words) > LONGEST_REASON:
        raise FatalError(f"The reason is longer than {LONGEST_REASON} characters. Say it in fewer.")
    return words
