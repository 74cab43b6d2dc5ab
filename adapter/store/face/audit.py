"""The audit trail as AuditEvent resources see it: entries in the shape of ``adapter audit --json``."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from adapter.core.fhir_face.elements import event_id
from adapter.core.fhir_face.search import Search
from adapter.store import audit_trail
from adapter.store import tables as t
from adapter.store.face.source import Source, during, words

_HIGHEST = 2**31 - 1


def _rows(connection: sa.Connection, practice: str, search: Search, _: datetime) -> sa.Select[Any] | None:
    columns = t.audit.c
    query = audit_trail.selection(connection).where(
        columns.practice == practice, *during(search, "_lastUpdated", columns.at), *during(search, "date", columns.at)
    )
    for values in words(search, "_id"):
        query = query.where(columns.seq.in_([seq for value in values if (seq := _seq(practice, value)) is not None]))
    for values in words(search, "patient"):
        query = query.where(columns.patient.in_(values))
    return None if any(not values for _, values in search.words) else query


def _seq(practice: str, id_: str) -> int | None:
    text = id_.rpartition("-")[2]
    if not text.isascii() or not text.isdecimal() or int(text[:11]) > _HIGHEST:
        return None
    return int(text) if event_id(practice, int(text)) == id_ else None


def _views(_: sa.Connection, rows: Sequence[Any]) -> list[dict[str, Any]]:
    return [audit_trail.shape(dict(row._mapping)) for row in rows]


AUDIT = Source((t.audit.c.seq,), _rows, _views)
