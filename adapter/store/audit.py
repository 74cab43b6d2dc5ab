"""The audit trail: append-only rows, one chain per practice, each bound to the row before it by its hash."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from adapter.core.audit import GENESIS, AuditEntry, chain_hash
from adapter.store import tables as t
from adapter.store.sql import insert_all


def append(connection: sa.Connection, practice: str, entries: Sequence[AuditEntry], at: datetime) -> None:
    """Adds entries in order, inside the caller's transaction: what happened and its trace commit together or not at all."""
    if not entries:
        return
    seq, previous = head(connection, practice)
    rows = []
    for entry in entries:
        seq += 1
        previous = chain_hash(previous, practice=practice, seq=seq, at=at, entry=entry)
        rows.append(
            {
                "practice": practice,
                "seq": seq,
                "at": at,
                "actor": entry.actor,
                "run": entry.run,
                "action": entry.action,
                "account": entry.account,
                "patient": entry.patient,
                "reason": entry.reason,
                "source": entry.source,
                "detail": entry.detail,
                "hash": previous,
            }
        )
    insert_all(connection, t.audit, rows)


def head(connection: sa.Connection, practice: str) -> tuple[int, str]:
    """The last row's sequence number and hash; ``(0, GENESIS)`` before the first."""
    query = (
        sa.select(t.audit.c.seq, t.audit.c.hash)
        .where(t.audit.c.practice == practice)
        .order_by(t.audit.c.seq.desc())
        .limit(1)
    )
    row = connection.execute(query).first()
    return (row.seq, row.hash) if row else (0, GENESIS)
