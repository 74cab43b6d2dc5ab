"""Taking turns: whoever changes a practice's state or adds to its audit trail does so alone, on every database.

The trail is a chain, and an effect that is queued must not be claimed between the moment a sync sees it and the moment
that sync commits. SQLite has one writer anyway; PostgreSQL needs to be asked.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from adapter.store.engine import begin


@contextmanager
def turn(engine: sa.Engine, practice: str) -> Iterator[sa.Connection]:
    """A write transaction that has the practice to itself. Raises like ``begin``."""
    with begin(engine) as connection:
        take_turn(connection, practice)
        yield connection


def take_turn(connection: sa.Connection, practice: str) -> None:
    """Waits until nobody else has the practice; it is ours until the transaction ends. Do it before the first write."""
    if connection.dialect.name == "postgresql":
        key = sa.func.hashtextextended(f"practice:{practice}", 0)
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(key)))
