"""Small helpers that SQLite and PostgreSQL share: writing many rows, and queries over long lists of keys."""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from adapter.store import recordset

T = TypeVar("T")
BATCH = 1000
"""Rows per statement: large enough to amortise a round trip, small enough to keep memory flat."""


def batches(items: Sequence[T], size: int = BATCH) -> Iterator[Sequence[T]]:
    """Cuts a sequence into pieces of at most ``size``."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def among(connection: sa.Connection, column: sa.Column[str], values: Sequence[str]) -> sa.ColumnElement[bool]:
    """Whether the column is one of these values.

    PostgreSQL is given them as one array: over a list of a thousand parameters it thinks fifty times as long.
    """
    if connection.dialect.name == "postgresql":
        return column == sa.any_(sa.literal(list(values), postgresql.ARRAY(sa.Text)))
    return column.in_(values)


def insert_all(connection: sa.Connection, table: sa.Table, rows: Sequence[dict[str, Any]]) -> None:
    """Inserts rows that all have the same keys; nothing for none."""
    if rows:
        insert_rows(connection, table, tuple(rows[0]), [tuple(row.values()) for row in rows])


def upsert(connection: sa.Connection, table: sa.Table, rows: Sequence[dict[str, Any]]) -> None:
    """Inserts rows that all have the same keys, replacing those columns where the primary key is already there."""
    if rows:
        insert_rows(connection, table, tuple(rows[0]), [tuple(row.values()) for row in rows], replace=True)


def insert_rows(
    connection: sa.Connection,
    table: sa.Table,
    columns: tuple[str, ...],
    rows: Sequence[tuple[Any, ...]],
    *,
    replace: bool = False,
    ready: bool = False,
) -> None:
    """Inserts rows given as the values of ``columns``; with ``replace`` as ``upsert`` does.

    ``ready`` says that the rows hold what the driver takes: moments are given as ``rows.stamp`` makes them.
    """
    if not rows:
        return
    if not ready:
        rows = _for_the_driver(connection.dialect, table, columns, rows)
    if connection.dialect.name == "postgresql":
        recordset.insert(connection, table, columns, rows, replace=replace)
    else:
        _execute_many(connection, _insert(table, columns, replace), columns, rows)


def update_rows(
    connection: sa.Connection,
    table: sa.Table,
    keys: tuple[str, ...],
    columns: tuple[str, ...],
    rows: Sequence[tuple[Any, ...]],
    *,
    ready: bool = False,
) -> None:
    """Updates many rows by ``keys``, each to its own values; ``columns`` has the keys too. ``ready`` as above."""
    if not rows:
        return
    if not ready:
        rows = _for_the_driver(connection.dialect, table, columns, rows)
    if connection.dialect.name == "postgresql":
        recordset.update(connection, table, keys, columns, rows)
    else:
        _execute_many(connection, _update(table, keys, columns), columns, rows)


@lru_cache(maxsize=128)
def _insert(table: sa.Table, columns: tuple[str, ...], replace: bool) -> sa.Executable:
    statement = sqlite.insert(table).values({name: sa.bindparam(f"b_{name}") for name in columns})
    if not replace:
        return statement
    keys = [column.name for column in table.primary_key.columns]
    values = {name: statement.excluded[name] for name in columns if name not in keys}
    return statement.on_conflict_do_update(index_elements=keys, set_=values)


@lru_cache(maxsize=128)
def _update(table: sa.Table, keys: tuple[str, ...], columns: tuple[str, ...]) -> sa.Executable:
    here = [table.c[key] == sa.bindparam(f"b_{key}", type_=table.c[key].type) for key in keys]
    values = {name: sa.bindparam(f"b_{name}", type_=table.c[name].type) for name in columns if name not in keys}
    return sa.update(table).where(*here).values(values)


def _execute_many(
    connection: sa.Connection, statement: sa.Executable, columns: tuple[str, ...], rows: Sequence[tuple[Any, ...]]
) -> None:
    """Hands all rows to SQLite's driver at once.

    SQLAlchemy's own path looks at every parameter of every row, which was a third of a first full load's time
    (``make bench``).
    """
    text, wanted = _compiled(connection.dialect, statement, columns)
    if wanted != tuple(range(len(columns))):
        rows = list(map(itemgetter(*wanted), rows))
    connection.exec_driver_sql(text, list(rows))


@lru_cache(maxsize=256)
def _compiled(dialect: sa.Dialect, statement: sa.Executable, columns: tuple[str, ...]) -> tuple[str, tuple[int, ...]]:
    """The statement's text, and which column each of its parameters is."""
    compiled = statement.compile(dialect=dialect)  # type: ignore[attr-defined]
    return str(compiled), tuple(columns.index(name.removeprefix("b_")) for name in compiled.positiontup)


def _for_the_driver(
    dialect: sa.Dialect, table: sa.Table, columns: tuple[str, ...], rows: Sequence[tuple[Any, ...]]
) -> Sequence[tuple[Any, ...]]:
    """The rows with those columns turned whose values the driver cannot take, a column at a time."""
    processors = _processors(dialect, table, columns)
    if not processors:
        return rows
    turned: list[Sequence[Any]] = list(zip(*rows, strict=True))
    for position, convert in processors:
        turned[position] = _converted(turned[position], convert)
    return list(zip(*turned, strict=True))


def _converted(values: Sequence[Any], convert: Callable[[Any], Any]) -> Sequence[Any]:
    """One column's values as the driver takes them; a value that all rows share is converted once."""
    if values.count(values[0]) == len(values):
        return (convert(values[0]),) * len(values)
    return tuple(map(convert, values))


@lru_cache(maxsize=256)
def _processors(
    dialect: sa.Dialect, table: sa.Table, columns: tuple[str, ...]
) -> tuple[tuple[int, Callable[[Any], Any]], ...]:
    found = [table.c[name].type.dialect_impl(dialect).bind_processor(dialect) for name in columns]
    return tuple((position, processor) for position, processor in enumerate(found) if processor is not None)
