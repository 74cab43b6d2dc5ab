"""The first full sync into a PostgreSQL server of the benchmark's own, beside the same into SQLite.

The server is durable as PostgreSQL is by default, on the same machine, in a temporary folder.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from tests import postgres

MISSING = "PostgreSQL: not measured, its programs are not on this machine (apt-get install postgresql)."


@contextmanager
def databases() -> Iterator["Databases | None"]:
    """New databases on a server that runs as long as the context; None where there are no programs."""
    programs = postgres.find_programs()
    if programs is None:
        yield None
        return
    with postgres.server(programs, durable=True) as folder:
        yield Databases(folder)


class Databases:
    """Makes one empty database after the other."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def new(self, name: str) -> Iterator[str]:
        """The address of a database that is dropped afterwards."""
        self._maintain(f'CREATE DATABASE "{name}"')
        try:
            yield postgres.url(self._folder, name)
        finally:
            self._maintain(f'DROP DATABASE "{name}" WITH (FORCE)')

    def _maintain(self, statement: str) -> None:
        engine = sa.create_engine(postgres.url(self._folder, "postgres"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(statement)
        engine.dispose()
