"""What the practice itself has taken away, as the deciding needs it, and as it is written down."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from adapter.core.revoked import EVERY
from adapter.store import chart_merges
from adapter.store import tables as t
from adapter.store.ids import new_id
from adapter.store.sql import batches


def in_force(connection: sa.Connection, practice: str) -> dict[str, list[str]]:
    """The charts that were taken away, by the address they were taken away from.

    A contact that has another address by now takes what was taken away along; a chart that was merged takes it to the
    one that is left, which is the same child's.
    """
    found: dict[str, list[str]] = {}
    rows = listing(connection, practice)
    for row in rows:
        found.setdefault(row["email_key"], []).append(row["patient"])
    by_contact: dict[str, set[str]] = {}
    for row in rows:
        if row["contact"]:
            by_contact.setdefault(row["contact"], set()).add(row["patient"])
    for batch in batches(sorted(by_contact)):
        here = sa.and_(t.contact.c.practice == practice, t.contact.c.ref.in_(batch))
        for ref, key in connection.execute(sa.select(t.contact.c.ref, t.contact.c.email_key).where(here)):
            if key:
                charts = found.setdefault(key, [])
                charts += sorted(by_contact[ref] - set(charts))
    ends = chart_merges.ends_of(connection, practice) if found else {}
    for charts in found.values():
        charts += [end for chart in charts for end in ends.get(chart, []) if end not in charts]
    return found


def listing(connection: sa.Connection, practice: str) -> list[dict[str, Any]]:
    """Every revocation that is in force, the oldest first."""
    here = sa.and_(t.revocation.c.practice == practice, t.revocation.c.lifted_at.is_(None))
    query = sa.select(t.revocation).where(here).order_by(t.revocation.c.at, t.revocation.c.id)
    return [dict(row) for row in connection.execute(query).mappings()]


def suspensions(connection: sa.Connection, practice: str, keys: Sequence[str] = ()) -> dict[str, dict[str, Any]]:
    """Accounts that are suspended by hand: by address (of ``keys`` alone, where given) the suspension in force.

    The address is the one that each of its people has by now.
    """
    rows = [row for row in listing(connection, practice) if row["patient"] == EVERY]
    found: dict[str, dict[str, Any]] = {row["email_key"]: row for row in reversed(rows)}
    by_contact = {row["contact"]: row for row in rows if row["contact"]}
    for batch in batches(sorted(by_contact)):
        here = sa.and_(t.contact.c.practice == practice, t.contact.c.ref.in_(batch))
        for ref, key in connection.execute(sa.select(t.contact.c.ref, t.contact.c.email_key).where(here)):
            if key:
                found.setdefault(key, by_contact[ref])
    return {key: row for key, row in found.items() if not keys or key in keys}


def add(
    connection: sa.Connection,
    practice: str,
    email_key: str,
    patient: str,
    *,
    contact: str | None,
    reason: str,
    actor: str,
    now: datetime,
) -> None:
    """Writes one down."""
    values = {"id": new_id(), "practice": practice, "email_key": email_key, "patient": patient, "contact": contact}
    connection.execute(sa.insert(t.revocation).values(**values, reason=reason, actor=actor, at=now))


def lift(connection: sa.Connection, ids: Sequence[str], *, reason: str, actor: str, now: datetime) -> None:
    """These are no longer in force."""
    values = {"lifted_at": now, "lifted_by": actor, "lifted_reason": reason}
    connection.execute(sa.update(t.revocation).where(t.revocation.c.id.in_(ids)).values(values))
