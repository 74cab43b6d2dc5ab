"""Small helpers that SQLite and PostgreSQL share: writing many rows, and queries over long lists of keys."""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

T = TypeVar("T")
BATCH = 1000
"""Rows per statement: large enough to amortise a round trip, small enough to keep memory flat."""


def batches(items: Sequence[T], size: int = BATCH) -> Iterator[Sequence[T]]:
    """Cuts a sequence into pieces of at most ``size``."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def insert_all(connection: sa.Connection, table: sa.Table, rows: Sequence[dict[str, Any]]) -> None:
    """Inserts rows that all have the same keys; nothing for none."""
    _write(connection, table, rows, replace=False)


def upsert(connection: sa.Connection, table: sa.Table, rows: Sequence[dict[str, Any]]) -> None:
    """Inserts rows that all have the same keys, replacing those columns where the primary key is already there."""
    _write(connection, table, rows, replace=True)


def _write(connection: sa.Connection, table: sa.Table, rows: Sequence[dict[str, Any]], *, replace: bool) -> None:
    if not rows:
        return
    names = tuple(rows[0])
    statement = _statement(connection.dialect.name, table, names, replace)
    _execute_many(connection, statement, names, rows, table)


def update_each(
    connection: sa.Connection, table: sa.Table, keys: Sequence[str], rows: Sequence[dict[str, Any]]
) -> None:
    """Updates many rows by ``keys``, each to its own values; all rows have the same keys."""
    if not rows:
        return
    names = tuple(rows[0])
    _execute_many(connection, _update(table, tuple(keys), names), names, rows, table)


@lru_cache(maxsize=128)
def _statement(dialect: str, table: sa.Table, names: tuple[str, ...], replace: bool) -> sa.Executable:
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    statement = insert(table).values({name: sa.bindparam(name) for name in names})
    if not replace:
        return statement
    keys = [column.name for column in table.primary_key.columns]
    values = {name: statement.excluded[name] for name in names if name not in keys}
    return statement.on_conflict_do_update(index_elements=keys, set_=values)


@lru_cache(maxsize=128)
def _update(table: sa.Table, keys: tuple[str, ...], names: tuple[str, ...]) -> sa.Executable:
    here = [table.c[key] == sa.bindparam(f"b_{key}", type_=table.c[key].type) for key in keys]
    values = {name: sa.bindparam(f"b_{name}", type_=table.c[name].type) for name in names if name not in keys}
    return sa.update(table).where(*here).values(values)


def _execute_many(
    connection: sa.Connection,
    statement: sa.Executable,
    names: Sequence[str],
    rows: Sequence[dict[str, Any]],
    table: sa.Table,
) -> None:
    """Hands all rows to the driver at once.

    SQLAlchemy's own path looks at every parameter of every row, which was a third of a first full load's time
    (``make bench``); here each column's conversion is looked up once and applied only where there is one.
    """
    many = _compiled(connection.dialect, statement, table, tuple(names))
    values: Iterator[Any] = map(itemgetter(*many.columns), rows)
    if many.convert:
        values = (_converted(row, many.convert) for row in values)
    if not many.positional:
        values = (dict(zip(many.parameters, row, strict=True)) for row in values)
    connection.exec_driver_sql(many.text, list(values))


def _converted(row: tuple[Any, ...], convert: Sequence[tuple[int, Callable[[Any], Any]]]) -> tuple[Any, ...]:
    changed = list(row)
    for position, change in convert:
        changed[position] = change(changed[position])
    return tuple(changed)


class _Many(NamedTuple):
    """A statement ready for the driver: its text, its parameters, the columns they take, and what some values need."""

    text: str
    positional: bool
    parameters: tuple[str, ...]
    columns: tuple[str, ...]
    convert: tuple[tuple[int, Callable[[Any], Any]], ...]


@lru_cache(maxsize=256)
def _compiled(dialect: sa.Dialect, statement: sa.Executable, table: sa.Table, names: tuple[str, ...]) -> _Many:
    compiled = statement.compile(dialect=dialect)  # type: ignore[attr-defined]
    parameters = tuple(compiled.positiontup or compiled.params)
    columns = tuple(name.removeprefix("b_") for name in parameters)
    processors = [table.c[name].type.dialect_impl(dialect).bind_processor(dialect) for name in columns]
    convert = tuple((position, processor) for position, processor in enumerate(processors) if processor is not None)
    return _Many(str(compiled), bool(compiled.positiontup), parameters, columns, convert)
