"""The outbox for people: what goes out or went out, sending again what stopped, taking back what has not begun."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from adapter.core.audit import AuditEntry
from adapter.core.state import EffectKind, EffectState
from adapter.store import audit, outbox
from adapter.store import tables as t
from adapter.store.engine import read
from adapter.store.turns import turn

ASKED = "staff-decision"
CANCELLED = "cancelled-by-staff"
MAIL = (EffectKind.WELCOME, EffectKind.NOTICE)
"""Only mail is taken back: an account on its way to the portal may be the end of somebody's access."""
_STOPPED = (EffectState.FAILED, EffectState.UNKNOWN)
_WAITS = (EffectState.QUEUED, EffectState.HELD)


def look(
    engine: sa.Engine, practice: str, *, states: Sequence[EffectState] = (), kind: str = "", limit: int
) -> list[dict[str, Any]]:
    """The latest effects of a practice, newest first, each with what may be done with it: ``retry``, ``cancel``."""
    effect = t.effect
    names = ("id", "kind", "subject", "to", "state", "attempts", "next_at", "last_error", "created_at", "done_at")
    query = sa.select(*(effect.c[name] for name in names)).where(effect.c.practice == practice)
    if states:
        query = query.where(effect.c.state.in_(states))
    if kind:
        query = query.where(effect.c.kind == kind)
    with read(engine) as connection:
        rows = connection.execute(query.order_by(effect.c.created_at.desc(), effect.c.id).limit(limit)).mappings()
        return [_shape(dict(row)) for row in rows]


def counts(engine: sa.Engine, practice: str) -> dict[str, int]:
    """How many effects of a practice are in each state that is not the end of the matter."""
    open_ = (*_STOPPED, *_WAITS, EffectState.SENDING)
    here = (t.effect.c.practice == practice, t.effect.c.state.in_(open_))
    with read(engine) as connection:
        query = sa.select(t.effect.c.state, sa.func.count()).where(*here).group_by(t.effect.c.state)
        return {state: count for state, count in connection.execute(query)}


def retry(engine: sa.Engine, practice: str, ids: Sequence[str], *, actor: str, now: datetime) -> int:
    """Makes these due again, those that failed and those nobody knows about. Returns how many were."""
    with turn(engine, practice) as connection:
        mine = _mine(connection, practice, ids, _STOPPED)
        done = outbox.requeue(connection, [row.id for row in mine], now=now)
        audit.append(connection, practice, [_entry(row, "retried", actor) for row in mine], now)
    return done


def cancel(engine: sa.Engine, practice: str, ids: Sequence[str], *, actor: str, now: datetime) -> int:
    """Takes back mail that nobody has started on. Returns how many there were."""
    with turn(engine, practice) as connection:
        mine = [row for row in _mine(connection, practice, ids, _WAITS) if row.kind in MAIL]
        done = outbox.cancel(connection, [row.id for row in mine], reason=CANCELLED, now=now)
        audit.append(connection, practice, [_entry(row, "cancelled", actor) for row in mine], now)
    return done


def _mine(
    connection: sa.Connection, practice: str, ids: Sequence[str], states: Sequence[EffectState]
) -> list[sa.Row[Any]]:
    here = (t.effect.c.practice == practice, t.effect.c.id.in_(ids), t.effect.c.state.in_(states))
    query = sa.select(t.effect.c.id, t.effect.c.kind, t.effect.c.subject, t.effect.c.run).where(*here)
    return list(connection.execute(query.order_by(t.effect.c.id)))


def _entry(row: sa.Row[Any], what: str, actor: str) -> AuditEntry:
    detail = msgspec.json.encode({"effect": row.id}).decode()
    account = row.subject if row.kind in (EffectKind.ACCOUNT, EffectKind.NOTICE) else None
    return AuditEntry(
        action=f"{row.kind}-{what}", account=account, reason=ASKED, detail=detail, actor=actor, run=row.run
    )


def _shape(row: dict[str, Any]) -> dict[str, Any]:
    return row | {
        "retry": row["state"] in _STOPPED,
        "cancel": row["state"] in _WAITS and row["kind"] in MAIL,
    }
