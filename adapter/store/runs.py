"""Runs and watermarks of each practice."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from adapter.store import tables as t
from adapter.store.sql import upsert

KILLED = "It was stopped from outside before it ended. Nothing was half-done: the next run takes up what it read."
_json = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class PracticeState:
    """What the store knows of a practice as a whole."""

    decided_run: int
    rules_hash: str | None
    released_at: datetime | None
    decided_at: datetime | None


def practice_state(connection: sa.Connection, practice: str) -> PracticeState:
    """The practice's row; the values of a practice that has never run when there is none."""
    row = connection.execute(sa.select(t.practice).where(t.practice.c.id == practice)).first()
    if row is None:
        return PracticeState(0, None, None, None)
    return PracticeState(row.decided_run, row.rules_hash, row.released_at, row.decided_at)


def save_practice(connection: sa.Connection, practice: str, **values: Any) -> None:
    """Sets columns of the practice's row, making the row when there is none."""
    if connection.execute(sa.select(t.practice.c.id).where(t.practice.c.id == practice)).first() is None:
        connection.execute(sa.insert(t.practice).values(id=practice, decided_run=0))
    connection.execute(sa.update(t.practice).where(t.practice.c.id == practice).values(**values))


def start(connection: sa.Connection, practice: str, kind: str, now: datetime) -> int:
    """Opens a run and returns its number."""
    result = connection.execute(
        sa.insert(t.run).values(practice=practice, kind=kind, status="running", started_at=now, report="{}")
    )
    key = result.inserted_primary_key
    assert key is not None
    return int(key[0])


def close_killed(connection: sa.Connection, practice: str, now: datetime) -> None:
    """Notes the end of runs that could not say so themselves. Only for who holds the practice's lease."""
    dead = sa.and_(t.run.c.practice == practice, t.run.c.status == "running")
    report = _json({"problems": [KILLED]}).decode()
    connection.execute(sa.update(t.run).where(dead).values(status="failed", finished_at=now, report=report))


def finish(
    connection: sa.Connection, run: int, *, status: str, plan_hash: str | None, report: dict[str, Any], now: datetime
) -> None:
    """Closes a run with what it did; one that is closed stays as it is."""
    values = {"status": status, "plan_hash": plan_hash, "report": _json(report).decode(), "finished_at": now}
    connection.execute(sa.update(t.run).where(t.run.c.id == run, t.run.c.finished_at.is_(None)).values(**values))


def started_at(connection: sa.Connection, run: int) -> datetime:
    """When a run began."""
    at: datetime = connection.execute(sa.select(t.run.c.started_at).where(t.run.c.id == run)).scalar_one()
    return at


def full_sizes(connection: sa.Connection, practice: str, *, before: int, limit: int) -> list[tuple[int, float]]:
    """The latest complete full runs before one: patients and contacts that were read, and seconds."""
    good = sa.and_(
        t.run.c.practice == practice,
        t.run.c.kind == "full",
        t.run.c.status.in_(("complete", "held")),
        t.run.c.id < before,
    )
    found = []
    for row in connection.execute(sa.select(t.run).where(good).order_by(t.run.c.id.desc()).limit(limit)):
        read = msgspec.json.decode(row.report).get("read", {})
        seconds = (row.finished_at - row.started_at).total_seconds()
        found.append((read.get("patients", 0) + read.get("contacts", 0), seconds))
    return found


def listing(
    connection: sa.Connection, practices: Sequence[str], *, limit: int = 20, before: int | None = None
) -> list[dict[str, Any]]:
    """The latest runs in the shape of ``adapter runs --json``, newest first; with ``before`` those before that one."""
    query = sa.select(t.run).where(t.run.c.practice.in_(practices)).order_by(t.run.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(t.run.c.id < before)
    return [shape(dict(row)) for row in connection.execute(query).mappings()]


def since(connection: sa.Connection, practice: str, at: datetime, *, limit: int) -> list[dict[str, Any]]:
    """Runs that began at this time or later and changed something, in the same shape, newest first."""
    here = (t.run.c.practice == practice, t.run.c.started_at >= at, ~t.run.c.report.contains('"changes":{}'))
    query = sa.select(t.run).where(*here).order_by(t.run.c.id.desc()).limit(limit)
    return [shape(dict(row)) for row in connection.execute(query).mappings()]


def shape(row: dict[str, Any]) -> dict[str, Any]:
    """One run's row as ``sync`` and ``runs`` print it."""
    report = {
        "read": {},
        "changes": {},
        "held": {},
        "findings": {},
        "problems": [],
        "strategy": "",
    } | msgspec.json.decode(row["report"])
    return {
        "run": row["id"],
        "practice": row["practice"],
        "kind": row["kind"],
        "status": row["status"],
        "started_at": row["started_at"].isoformat(),
        "finished_at": row["finished_at"].isoformat() if row["finished_at"] else None,
        **report,
    }


def get(connection: sa.Connection, run: int) -> dict[str, Any] | None:
    """One run's row, or None."""
    row = connection.execute(sa.select(t.run).where(t.run.c.id == run)).mappings().first()
    return dict(row) if row else None


def marks(connection: sa.Connection, practice: str) -> dict[str, datetime]:
    """The watermarks of the last complete run, by resource type."""
    query = sa.select(t.watermark.c.resource_type, t.watermark.c.at).where(t.watermark.c.practice == practice)
    return {resource_type: at for resource_type, at in connection.execute(query)}


def save_marks(connection: sa.Connection, practice: str, values: dict[str, datetime]) -> None:
    """Moves the watermarks."""
    upsert(
        connection,
        t.watermark,
        [{"practice": practice, "resource_type": name, "at": at} for name, at in sorted(values.items())],
    )
