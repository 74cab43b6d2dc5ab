"""Small helpers that SQLite and PostgreSQL share: writing many rows, and queries over long lists of keys."""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import chain
from operator import itemgetter
from typing import Any, NamedTuple, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

T = TypeVar("T")
BATCH = 1000
"""Rows per statement: large enough to amortise a round trip, small enough to keep memory flat."""
_TOGETHER = 50
"""Rows in one INSERT: on SQLite a third faster than a statement for each row (``make bench``), whatever the table."""
_NAMED = re.compile(r"%\((b_\w+)\)s")


def batches(items: Sequence[T], size: int = BATCH) -> Iterator[Sequence[T]]:
    """Cuts a sequence into pieces of at most ``size``."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


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
) -> None:
    """Inserts rows given as the values of ``columns``; with ``replace`` as ``upsert`` does."""
    _execute_many(connection, _insert(connection.dialect.name, table, columns, replace), table, columns, rows)


def update_rows(
    connection: sa.Connection,
    table: sa.Table,
    keys: tuple[str, ...],
    columns: tuple[str, ...],
    rows: Sequence[tuple[Any, ...]],
) -> None:
    """Updates many rows by ``keys``, each to its own values; ``columns`` has the keys too."""
    _execute_many(connection, _update(table, keys, columns), table, columns, rows)


@lru_cache(maxsize=128)
def _insert(dialect: str, table: sa.Table, columns: tuple[str, ...], replace: bool) -> sa.Executable:
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    statement = insert(table).values({name: sa.bindparam(f"b_{name}") for name in columns})
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
    connection: sa.Connection,
    statement: sa.Executable,
    table: sa.Table,
    columns: tuple[str, ...],
    rows: Sequence[tuple[Any, ...]],
) -> None:
    """Hands all rows to the driver at once.

    SQLAlchemy's own path looks at every parameter of every row, which was a third of a first full load's time
    (``make bench``); here only the columns whose values the driver cannot take are looked at, a column at a time.
    """
    if not rows:
        return
    many = _compiled(connection.dialect, statement, table, columns)
    if many.convert:
        turned: list[Sequence[Any]] = list(zip(*rows, strict=True))
        for position, convert in many.convert:
            turned[position] = _converted(turned[position], convert)
        rows = list(zip(*turned, strict=True))
    if many.order is not None:
        rows = list(map(many.order, rows))
    whole = len(rows) - len(rows) % _TOGETHER if many.together else 0
    for start in range(0, whole, _TOGETHER):
        connection.exec_driver_sql(many.together, tuple(chain.from_iterable(rows[start : start + _TOGETHER])))
    if whole < len(rows):
        connection.exec_driver_sql(many.text, list(rows[whole:]))


def _converted(values: Sequence[Any], convert: Callable[[Any], Any]) -> Sequence[Any]:
    """One column's values as the driver takes them; a value that all rows share is converted once."""
    if values.count(values[0]) == len(values):
        return (convert(values[0]),) * len(values)
    return tuple(map(convert, values))


class _Many(NamedTuple):
    """A statement ready for the driver."""

    text: str
    order: Callable[[tuple[Any, ...]], tuple[Any, ...]] | None
    """Puts a row into the order of the parameters, where that is another one."""
    convert: tuple[tuple[int, Callable[[Any], Any]], ...]
    """What the values at some positions of a row need."""
    together: str
    """The same INSERT for ``_TOGETHER`` rows; empty for another statement, and on PostgreSQL for one that replaces:
    it refuses to meet a row twice in one statement."""


@lru_cache(maxsize=256)
def _compiled(dialect: sa.Dialect, statement: sa.Executable, table: sa.Table, columns: tuple[str, ...]) -> _Many:
    compiled = statement.compile(dialect=dialect)  # type: ignore[attr-defined]
    text = _NAMED.sub("%s", str(compiled))  # psycopg takes names as well, but then a dictionary for every row
    parameters = tuple(compiled.positiontup or _NAMED.findall(str(compiled)))
    wanted = tuple(columns.index(name.removeprefix("b_")) for name in parameters)
    processors = [table.c[name].type.dialect_impl(dialect).bind_processor(dialect) for name in columns]
    return _Many(
        text,
        None if wanted == tuple(range(len(columns))) else itemgetter(*wanted),
        tuple((position, processor) for position, processor in enumerate(processors) if processor is not None),
        _together(text) if compiled.isinsert and dialect.name != "sqlite" and "ON CONFLICT" not in text else "",
    )


def _together(text: str) -> str:
    start = text.index(" VALUES ") + len(" VALUES ")
    end = text.find(" ON CONFLICT ", start)
    end = len(text) if end < 0 else end
    return text[:start] + ", ".join([text[start:end]] * _TOGETHER) + text[end:]
