"""What PostgreSQL lets the service's role do: everything it needs; of the audit trail only reading and adding."""

from collections.abc import Iterable, Iterator

import sqlalchemy as sa

from adapter.errors import FatalError
from adapter.store.engine import begin
from adapter.store.tables import audit, metadata

_VERSION = "alembic_version"


def grant_to(engine: sa.Engine, role: str, more: Iterable[sa.Table] = ()) -> None:
    """Gives ``role`` exactly what the service needs on the adapter's tables, and on ``more`` (the embedded portal's).

    To be called as the owner of the tables. Doing it again is harmless, and needed after an update that adds tables.
    Raises FatalError on SQLite, or when the role is unknown or is the owner itself, whom no grant can limit.
    """
    if engine.dialect.name != "postgresql":
        raise FatalError("Only PostgreSQL has roles. A SQLite file is guarded by its own permissions.")
    with begin(engine) as connection:
        _check(connection, role)
        for statement in _statements(connection, role, [*metadata.sorted_tables, *more]):
            connection.exec_driver_sql(statement)


def _check(connection: sa.Connection, role: str) -> None:
    known = sa.text("SELECT 1 FROM pg_roles WHERE rolname = :role")
    if connection.execute(known, {"role": role}).first() is None:
        raise FatalError("There is no such role in this PostgreSQL. Make it with CREATE ROLE … LOGIN first.")
    owner = sa.text("SELECT pg_has_role(:role, relowner, 'MEMBER') FROM pg_class WHERE oid = CAST('audit' AS regclass)")
    if connection.scalar(owner, {"role": role}):
        raise FatalError(
            "This role owns the tables, is a member of their owner, or is a superuser: a grant cannot limit it. "
            "Make another role for the service."
        )


def _statements(connection: sa.Connection, role: str, tables: Iterable[sa.Table]) -> Iterator[str]:
    quote = connection.dialect.identifier_preparer.quote_identifier
    here = connection.execute(sa.text("SELECT current_schema() AS schema, current_database() AS database")).one()
    to = quote(role)
    yield f"GRANT CONNECT ON DATABASE {quote(here.database)} TO {to}"
    yield f"GRANT USAGE ON SCHEMA {quote(here.schema)} TO {to}"
    yield f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA {quote(here.schema)} TO {to}"
    for table in tables:
        yield f"REVOKE ALL ON {quote(table.name)} FROM {to}"
        rights = "SELECT, INSERT" if table is audit else "SELECT, INSERT, UPDATE, DELETE"
        yield f"GRANT {rights} ON {quote(table.name)} TO {to}"
    yield f"REVOKE ALL ON {quote(_VERSION)} FROM {to}"
    yield f"GRANT SELECT ON {quote(_VERSION)} TO {to}"
