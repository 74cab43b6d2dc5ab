"""Somebody who owns the database and changes the audit trail, once the triggers are out of the way."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from adapter.store import tables as t
from adapter.store.engine import begin

UNGUARDED = {
    "sqlite": ["DROP TRIGGER IF EXISTS audit_no_update", "DROP TRIGGER IF EXISTS audit_no_delete"],
    "postgresql": ["ALTER TABLE audit DISABLE TRIGGER audit_only_grows"],
}


@contextmanager
def unguarded(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A transaction in which the trail can be changed."""
    with begin(engine) as connection:
        for statement in UNGUARDED[engine.dialect.name]:
            connection.exec_driver_sql(statement)
        yield connection


def edit(engine: sa.Engine, number: int, **values: Any) -> None:
    """Changes one entry."""
    with unguarded(engine) as connection:
        connection.execute(sa.update(t.audit).where(t.audit.c.seq == number).values(**values))


def delete(engine: sa.Engine, first: int, last: int | None = None) -> None:
    """Takes entries out."""
    with unguarded(engine) as connection:
        connection.execute(sa.delete(t.audit).where(t.audit.c.seq.between(first, last or first)))


def renumber(engine: sa.Engine, start: int, by: int) -> None:
    """Moves the numbers of all entries from ``start`` on, by way of numbers that nobody has."""
    with unguarded(engine) as connection:
        for change in (1_000_000, by - 1_000_000):
            behind = t.audit.c.seq >= (start if change > 0 else 1_000_000)
            connection.execute(sa.update(t.audit).where(behind).values(seq=t.audit.c.seq + change))


def swap(engine: sa.Engine, one: int, other: int) -> None:
    """Has two entries change places."""
    for seq, new in ((one, -1), (other, one), (-1, other)):
        edit(engine, seq, seq=new)
