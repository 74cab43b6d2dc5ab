"""The audit trail: append-only rows, one chain per practice, each bound to the row before it by its hash."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from msgspec.structs import astuple

from adapter.core.audit import GENESIS, AuditEntry, chain
from adapter.store import tables as t
from adapter.store.rows import stamp
from adapter.store.sql import insert_rows

_COLUMNS = ("practice", "seq", "at", *AuditEntry.__struct_fields__, "hash")


def append(connection: sa.Connection, practice: str, entries: Sequence[AuditEntry], at: datetime) -> None:
    """Adds entries in order, in the caller's transaction: what happened and its trace commit together or not at all."""
    if not entries:
        return
    seq, previous = head(connection, practice)
    chained = chain(previous, practice=practice, seq=seq + 1, at=at, entries=entries)
    when = stamp(at)
    rows = [
        (practice, number, when, *astuple(entry), digest) for number, (entry, digest) in enumerate(chained, seq + 1)
    ]
    insert_rows(connection, t.audit, _COLUMNS, rows, ready=True)


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
