"""Runs, watermarks, and the lease that lets one run per practice happen at a time."""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa

from adapter.errors import RetriableError
from adapter.store import tables as t
from adapter.store.engine import begin
from adapter.store.sql import upsert

LEASE = timedelta(minutes=10)
"""How long a run that stopped renewing its lease keeps others out."""
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


def finish(
    connection: sa.Connection, run: int, *, status: str, plan_hash: str | None, report: dict[str, Any], now: datetime
) -> None:
    """Closes a run with what it did; one that is closed stays as it is."""
    values = {"status": status, "plan_hash": plan_hash, "report": _json(report).decode(), "finished_at": now}
    connection.execute(sa.update(t.run).where(t.run.c.id == run, t.run.c.finished_at.is_(None)).values(**values))


def listing(connection: sa.Connection, practices: Sequence[str], *, limit: int = 20) -> list[dict[str, Any]]:
    """The latest runs in the shape of ``adapter runs --json``, newest first."""
    query = sa.select(t.run).where(t.run.c.practice.in_(practices)).order_by(t.run.c.id.desc()).limit(limit)
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


@contextmanager
def lease(engine: sa.Engine, name: str, now: datetime) -> Iterator[str]:
    """Holds the named lease while the block runs.

    Raises RetriableError when somebody else holds it. A lease that is older than LEASE belonged to a run that died.
    """
    owner = secrets.token_hex(8)
    with begin(engine) as connection:
        free = sa.and_(t.lease.c.name == name, t.lease.c.until < now)
        taken = connection.execute(sa.update(t.lease).where(free).values(owner=owner, until=now + LEASE)).rowcount == 1
        if not taken and connection.execute(sa.select(t.lease.c.name).where(t.lease.c.name == name)).first() is None:
            connection.execute(sa.insert(t.lease).values(name=name, owner=owner, until=now + LEASE))
            taken = True
    if not taken:
        raise RetriableError(
            f"Another run of {name.partition(':')[2] or name} is under way. Try again when it has ended."
        )
    try:
        yield owner
    finally:
        with begin(engine) as connection:
            connection.execute(sa.delete(t.lease).where(t.lease.c.name == name, t.lease.c.owner == owner))


def renew(connection: sa.Connection, name: str, owner: str, now: datetime) -> None:
    """Extends a lease that is still ours. Raises RetriableError when it was lost: somebody else is running."""
    mine = sa.and_(t.lease.c.name == name, t.lease.c.owner == owner)
    if connection.execute(sa.update(t.lease).where(mine).values(until=now + LEASE)).rowcount != 1:
        raise RetriableError("This run lost its lease to another one and stops.")
