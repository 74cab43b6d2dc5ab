"""Findings, open and closed, as Task resources see them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from adapter.core.fhir_face.search import Search
from adapter.core.fhir_face.task import CLOSED, OPEN, FindingView
from adapter.store import tables as t
from adapter.store.face.source import Source, during, either, latest, unindexed, words

_COLUMNS = ("id", "code", "severity", "patient", "contact", "message", "remedy", "since", "closed_at")
_WORDS = {"_id": "id", "code": "code", "patient": "patient", "focus": "contact"}


def _rows(connection: sa.Connection, practice: str, search: Search, _: datetime) -> sa.Select[Any] | None:
    columns = t.finding.c
    at = latest(connection, either(columns.changed_at, columns.since), either(columns.closed_at, columns.since))
    query = sa.select(*(columns[name] for name in _COLUMNS), at.label("at")).where(
        unindexed(columns.practice) == practice, *during(search, "_lastUpdated", at)
    )
    for name, column in _WORDS.items():
        for values in words(search, name):
            query = query.where(columns[column].in_(values))
    for values in words(search, "status"):
        wanted = {OPEN: columns.closed_at.is_(None), CLOSED: columns.closed_at.is_not(None)}
        query = query.where(sa.or_(sa.false(), *(wanted[value] for value in values if value in wanted)))
    return None if any(not values for _, values in search.words) else query


def _views(_: sa.Connection, rows: Sequence[Any]) -> list[FindingView]:
    return [FindingView(**{name: getattr(row, name) for name in _COLUMNS}, changed_at=row.at) for row in rows]


FINDINGS = Source((t.finding.c.id,), _rows, _views)
