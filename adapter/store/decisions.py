"""Humans' answers to findings: in force until they are withdrawn, replaced, expired, or the facts are others.

Nothing here is ever deleted: what was decided once, by whom and why, stays.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from adapter.core.answers import OPENS, Answer, Decision
from adapter.core.audit import AuditEntry
from adapter.store import audit
from adapter.store import tables as t
from adapter.store.ids import new_id
from adapter.store.sql import batches, insert_all

_FIELDS = [t.decision.c[name] for name in Decision.__struct_fields__]
_IN_FORCE = t.decision.c.ended_at.is_(None)
_to_json = msgspec.json.Encoder().encode


def any_in_force(connection: sa.Connection, practice: str) -> bool:
    """Whether any answer is in force at all: nearly always there are few, so whole runs need not ask again."""
    here = sa.select(t.decision.c.id).where(t.decision.c.practice == practice, _IN_FORCE).limit(1)
    return connection.execute(here).first() is not None


def in_force(connection: sa.Connection, practice: str, scopes: Sequence[str]) -> dict[str, list[Decision]]:
    """The answers in force in these scopes, by scope."""
    found: dict[str, list[Decision]] = defaultdict(list)
    for batch in batches(scopes):
        here = sa.and_(t.decision.c.practice == practice, _IN_FORCE, t.decision.c.scope.in_(batch))
        for row in connection.execute(sa.select(*_FIELDS).where(here).order_by(t.decision.c.id)):
            found[row.scope].append(Decision(**(dict(row._mapping) | {"answer": Answer(row.answer)})))
    return found


def give(
    connection: sa.Connection,
    practice: str,
    finding: Mapping[str, Any],
    answer: Answer,
    *,
    reason: str,
    last_day: date | None,
    until: datetime | None,
    actor: str,
    now: datetime,
) -> bool:
    """Keeps an answer to a finding (its row), in place of any earlier one, with its entry in the audit trail.

    ``until`` is the moment at which ``last_day`` is over in the practice's time zone.
    Returns whether either of them may matter for access.
    """
    earlier = _of(connection, practice, [finding["id"]])
    end(connection, practice, earlier, "replaced", now, actor=actor, quietly=True)
    names = ("scope", "code", "facts", "patient", "contact", "email")
    row = {"id": new_id(), "practice": practice, "finding": finding["id"], "answer": str(answer)}
    row |= {name: finding[name] for name in names} | {"reason": reason, "actor": actor}
    insert_all(connection, t.decision, [row | {"decided_at": now, "last_day": last_day, "until": until}])
    detail = {"finding": finding["id"], "answer": answer, "why": reason, "contact": finding["contact"]}
    if finding["email"]:
        detail["email"] = finding["email"]
    if last_day:
        detail["until"] = last_day
    entry = AuditEntry(
        action="decide-finding",
        patient=finding["patient"],
        reason=finding["code"],
        detail=_to_json(detail).decode(),
        actor=actor,
    )
    audit.append(connection, practice, [entry], now)
    return answer in OPENS or any(one.answer in OPENS for one in earlier)


def withdraw(
    connection: sa.Connection, practice: str, findings: Sequence[str], *, reason: str, actor: str, now: datetime
) -> int:
    """Ends the answers to these findings; returns how many there were."""
    return end(connection, practice, _of(connection, practice, findings), "withdrawn", now, actor=actor, reason=reason)


def end(
    connection: sa.Connection,
    practice: str,
    ended: Iterable[Any],
    because: str,
    now: datetime,
    *,
    actor: str = "schedule",
    reason: str | None = None,
    quietly: bool = False,
) -> int:
    """Ends these answers (rows with id, finding, code, patient, answer); ``quietly`` leaves the audit to the caller."""
    rows = list(ended)
    values = {"ended_at": now, "ended_because": because, "ended_by": actor, "ended_reason": reason}
    for batch in batches([row.id for row in rows]):
        connection.execute(sa.update(t.decision).where(t.decision.c.id.in_(batch)).values(**values))
    if rows and not quietly:
        entries = [
            AuditEntry(
                action="end-decision",
                patient=row.patient,
                reason=row.code,
                detail=_to_json(
                    {"finding": row.finding, "answer": row.answer, "because": because}
                    | ({"why": reason} if reason else {})
                ).decode(),
                actor=actor,
            )
            for row in rows
        ]
        audit.append(connection, practice, entries, now)
    return len(rows)


def expire(connection: sa.Connection, practice: str, now: datetime) -> list[str]:
    """Ends what has expired by now; returns the charts that have to be decided again."""
    here = sa.and_(t.decision.c.practice == practice, _IN_FORCE, t.decision.c.until <= now)
    rows = connection.execute(sa.select(*_FIELDS, t.decision.c.email).where(here)).all()
    end(connection, practice, rows, "expired", now)
    return charts_of(connection, practice, rows)


def distrust(connection: sa.Connection, practice: str, now: datetime, *, actor: str) -> int:
    """Ends every answer that opens something: once a backup is put back, nobody knows which were withdrawn since."""
    opening = t.decision.c.answer.in_(OPENS)
    here = sa.and_(t.decision.c.practice == practice, _IN_FORCE, opening)
    return end(
        connection, practice, connection.execute(sa.select(*_FIELDS).where(here)).all(), "restored", now, actor=actor
    )


def charts_of(connection: sa.Connection, practice: str, rows: Iterable[Any]) -> list[str]:
    """The charts that findings or answers (rows with patient and email) are about: of an address, all that it is on."""
    found: set[str] = set()
    emails: set[str] = set()
    for row in rows:
        if row.patient:
            found.add(row.patient)
        if row.email:
            emails.add(row.email)
    for batch in batches(sorted(emails)):
        here = sa.and_(t.contact.c.practice == practice, t.contact.c.email_key.in_(batch))
        found.update(connection.scalars(sa.select(t.contact.c.patient).where(here)))
    return sorted(found - {""})


def history(connection: sa.Connection, practice: str, findings: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """Every answer these findings ever had, by finding, the latest first, as ``adapter findings --json`` shows them."""
    names = ("answer", "reason", "actor", "ended_because", "ended_by", "ended_reason")
    found: dict[str, list[dict[str, Any]]] = {}
    for batch in batches(findings):
        here = sa.and_(t.decision.c.practice == practice, t.decision.c.finding.in_(batch))
        query = sa.select(t.decision).where(here).order_by(t.decision.c.decided_at.desc(), t.decision.c.id.desc())
        for row in connection.execute(query).mappings():
            shown = {name: row[name] for name in names} | {"in_force": row["ended_at"] is None}
            for name, column in (("decided_at", "decided_at"), ("until", "last_day"), ("ended_at", "ended_at")):
                shown[name] = row[column].isoformat() if row[column] else None
            found.setdefault(row["finding"], []).append(shown)
    return found


def about(connection: sa.Connection, practice: str, contacts: Sequence[str], scope: str) -> list[Any]:
    """The latest answer to each finding about these contacts, or in this scope; rows of ``decision``."""
    d = t.decision
    here = sa.and_(d.c.practice == practice, sa.or_(d.c.contact.in_(contacts), d.c.scope == scope))
    rows = connection.execute(sa.select(d).where(here).order_by(d.c.decided_at.desc(), d.c.id.desc())).all()
    return list({row.finding: row for row in reversed(rows)}.values())


def _of(connection: sa.Connection, practice: str, findings: Sequence[str]) -> list[Any]:
    rows: list[Any] = []
    for batch in batches(findings):
        here = sa.and_(t.decision.c.practice == practice, _IN_FORCE, t.decision.c.finding.in_(batch))
        rows += connection.execute(sa.select(*_FIELDS).where(here)).all()
    return rows
