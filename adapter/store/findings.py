"""The queue of findings: opened and closed by the runs themselves, by scope. What a human has answered is left out."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from adapter.core.answers import ABOUT_A_MAILBOX, Decision, answers_to
from adapter.core.findings import Finding, record_scope
from adapter.store import decisions
from adapter.store import tables as t
from adapter.store.sql import among, batches, upsert

GRAVITY = {"error": 0, "warning": 1}
"""Severities in the order of the queue; what is not among them comes last."""

_ANSWERED = sa.exists().where(
    t.decision.c.practice == t.finding.c.practice,
    sa.or_(
        t.decision.c.finding == t.finding.c.id,
        sa.and_(
            t.decision.c.scope == t.finding.c.scope,
            t.decision.c.code == t.finding.c.code,
            t.decision.c.answer.in_(ABOUT_A_MAILBOX),
        ),
    ),
    t.decision.c.ended_at.is_(None),
)


def settle(
    connection: sa.Connection,
    practice: str,
    scopes: Sequence[str],
    found: Iterable[Finding],
    now: datetime,
    *,
    close: bool = True,
    first: bool = False,
) -> tuple[int, int]:
    """Makes the open findings of these scopes equal to what was found; returns how many were opened and closed.

    A finding that was open stays the same finding with the same ``since``, unless a human had answered it and the facts
    are others now: then the answer ends, and it is as new. ``close=False`` only opens. ``first`` says that nothing was
    ever found in these scopes, so that nothing has to be looked up.
    """
    wanted = {finding.id(practice): finding for finding in found}
    known: dict[str, Any] = {}
    for batch in batches(() if first else scopes):
        here = sa.and_(t.finding.c.practice == practice, among(connection, t.finding.c.scope, batch))
        names = ("id", "closed_at", "message", "since", "facts")
        query = sa.select(*(t.finding.c[name] for name in names)).where(here)
        known |= {row.id: row for row in connection.execute(query).all()}
    again = set() if first else _end_answers(connection, practice, scopes, wanted, now, solved=close)
    rows, opened = [], 0
    for id_, finding in wanted.items():
        old = known.get(id_)
        if old is None or old.closed_at is not None or id_ in again:
            opened += 1
            rows.append(_row(practice, id_, finding, now, now))
        elif (old.message, old.facts) != (finding.message, finding.bound_to):
            rows.append(_row(practice, id_, finding, old.since, now))
    upsert(connection, t.finding, rows)
    gone = [id_ for id_, row in known.items() if row.closed_at is None and id_ not in wanted] if close else []
    for batch in batches(gone):
        connection.execute(sa.update(t.finding).where(t.finding.c.id.in_(batch)).values(closed_at=now))
    return opened, len(gone)


def any_decided(connection: sa.Connection, practice: str) -> bool:
    """Whether deciding has ever found anything; what reading has found does not count."""
    here = sa.and_(t.finding.c.practice == practice, t.finding.c.scope.not_like(f"{record_scope('')}%"))
    return connection.execute(sa.select(t.finding.c.id).where(here).limit(1)).first() is not None


def _end_answers(
    connection: sa.Connection,
    practice: str,
    scopes: Sequence[str],
    wanted: dict[str, Finding],
    now: datetime,
    *,
    solved: bool,
) -> set[str]:
    """Ends the answers that are to other facts, or to a problem that is gone; returns the findings that lost theirs."""
    if not decisions.any_in_force(connection, practice):
        return set()
    moved: list[Decision] = []
    gone: list[Decision] = []
    for answers in decisions.in_force(connection, practice, scopes).values():
        for one in answers:
            if one.finding in wanted and wanted[one.finding].bound_to != one.facts:
                moved.append(one)
            elif one.finding not in wanted and solved:
                gone.append(one)
    decisions.end(connection, practice, moved, "facts-changed", now)
    decisions.end(connection, practice, gone, "solved", now)
    return {one.finding for one in moved}


def get(connection: sa.Connection, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """These findings' rows, open or closed, by id."""
    found: dict[str, dict[str, Any]] = {}
    for batch in batches(ids):
        query = sa.select(t.finding).where(t.finding.c.id.in_(batch))
        found |= {row["id"]: dict(row) for row in connection.execute(query).mappings()}
    return found


def open_in(connection: sa.Connection, practice: str, scope: str, code: str) -> list[dict[str, Any]]:
    """The open findings of one kind in one scope."""
    here = sa.and_(t.finding.c.practice == practice, t.finding.c.scope == scope, t.finding.c.code == code)
    query = sa.select(t.finding).where(here, t.finding.c.closed_at.is_(None)).order_by(t.finding.c.id)
    return [dict(row) for row in connection.execute(query).mappings()]


def any_open(connection: sa.Connection, practice: str, code: str) -> bool:
    """Whether any finding of this kind is open."""
    here = sa.and_(t.finding.c.practice == practice, t.finding.c.code == code, t.finding.c.closed_at.is_(None))
    return connection.execute(sa.select(t.finding.c.id).where(here).limit(1)).first() is not None


def open_scopes(connection: sa.Connection, practice: str, scopes: Sequence[str]) -> list[str]:
    """Which of these scopes have an open finding."""
    here = sa.and_(t.finding.c.practice == practice, t.finding.c.closed_at.is_(None))
    found: set[str] = set()
    for batch in batches(scopes):
        found.update(
            connection.scalars(sa.select(t.finding.c.scope).where(here, among(connection, t.finding.c.scope, batch)))
        )
    return sorted(found)


def close_scopes_except(
    connection: sa.Connection, practice: str, prefix: str, keep: Iterable[str], now: datetime
) -> int:
    """Closes the open findings whose scope begins with ``prefix`` and is not in ``keep``; returns how many."""
    kept = set(keep)
    here = sa.and_(
        t.finding.c.practice == practice,
        t.finding.c.closed_at.is_(None),
        t.finding.c.scope.startswith(prefix, autoescape=True),
    )
    gone = [
        row.id
        for row in connection.execute(sa.select(t.finding.c.id, t.finding.c.scope).where(here))
        if row.scope not in kept
    ]
    for batch in batches(gone):
        connection.execute(sa.update(t.finding).where(t.finding.c.id.in_(batch)).values(closed_at=now))
    return len(gone)


def listing(
    connection: sa.Connection,
    practices: Sequence[str],
    *,
    email: str | None = None,
    refs: Sequence[str] = (),
    decided: bool = False,
    code: str | None = None,
    after: tuple[int, datetime, str] | None = None,
    limit: int | None = None,
) -> list[dict[str, Any]]:
    """Open findings in the shape of ``adapter findings --json``, the gravest and oldest first.

    With ``email`` or ``refs`` only those that name that address, chart or contact; with ``decided`` also those that a
    human has answered. ``decisions`` has every answer that each ever had, the latest first. A page goes on ``after``
    the gravity (``GRAVITY``), ``since`` and id of the last one.
    """
    query = sa.select(t.finding).where(t.finding.c.practice.in_(practices), t.finding.c.closed_at.is_(None))
    if not decided:
        query = query.where(~_ANSWERED)
    if email is not None or refs:
        query = query.where(
            sa.or_(t.finding.c.email == email, t.finding.c.patient.in_(refs), t.finding.c.contact.in_(refs))
        )
    gravity = sa.case(GRAVITY, value=t.finding.c.severity, else_=len(GRAVITY))
    if code is not None:
        query = query.where(t.finding.c.code == code)
    if after is not None:
        key = (sa.literal(after[0]), sa.literal(after[1], t.finding.c.since.type), sa.literal(after[2]))
        query = query.where(sa.tuple_(gravity, t.finding.c.since, t.finding.c.id) > sa.tuple_(*key))
    query = query.limit(limit)
    names = ("id", "practice", "code", "severity", "patient", "contact", "email", "message", "remedy")
    found = [
        {name: row[name] for name in names}
        | {"since": row["since"].isoformat(), "answers": [str(one) for one in answers_to(row["code"], row["scope"])]}
        for row in connection.execute(query.order_by(gravity, t.finding.c.since, t.finding.c.id)).mappings()
    ]
    for practice in practices:
        mine = [finding for finding in found if finding["practice"] == practice]
        answers = decisions.history(connection, practice, [finding["id"] for finding in mine])
        for finding in mine:
            finding["decisions"] = answers.get(finding["id"], [])
    return found


def counts(connection: sa.Connection, practice: str) -> dict[str, int]:
    """How many findings wait for an answer, by code."""
    query = (
        sa.select(t.finding.c.code, sa.func.count())
        .where(t.finding.c.practice == practice, t.finding.c.closed_at.is_(None), ~_ANSWERED)
        .group_by(t.finding.c.code)
        .order_by(t.finding.c.code)
    )
    return {code: count for code, count in connection.execute(query)}


def _row(practice: str, id_: str, finding: Finding, since: datetime, now: datetime) -> dict[str, Any]:
    return {
        "id": id_,
        "practice": practice,
        "scope": finding.scope,
        "code": finding.code,
        "severity": finding.severity or "info",
        "patient": finding.patient,
        "contact": finding.contact,
        "email": finding.email,
        "message": finding.message,
        "remedy": finding.remedy,
        "facts": finding.bound_to,
        "since": since,
        "closed_at": None,
        "changed_at": now,
    }
