"""Many rows in one statement on PostgreSQL: they travel as one JSON document, which the server unfolds into a table.

One document costs the client a tenth of what as many parameters cost (``python -m benchmarks --only postgresql``), and
the server plans and answers one statement instead of thousands.
Source: https://www.postgresql.org/docs/current/functions-json.html#FUNCTIONS-JSON-PROCESSING (json_to_recordset)
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

ROWS = 5000
"""Rows in one document: a few MB, so that memory stays flat on both sides."""


def insert(
    connection: sa.Connection,
    table: sa.Table,
    columns: tuple[str, ...],
    rows: Sequence[tuple[Any, ...]],
    *,
    replace: bool,
) -> None:
    """Inserts rows; with ``replace`` the last one given for a primary key takes the place of what is there."""
    if replace:
        rows = _last_of_each(rows, columns, tuple(column.name for column in table.primary_key.columns))
    _execute(connection, _insert(table, columns, replace), columns, rows)


def update(
    connection: sa.Connection,
    table: sa.Table,
    keys: tuple[str, ...],
    columns: tuple[str, ...],
    rows: Sequence[tuple[Any, ...]],
) -> None:
    """Updates rows by ``keys``, each to its own values; the last one given for a key counts."""
    _execute(connection, _update(table, keys, columns), columns, _last_of_each(rows, columns, keys))


def _execute(
    connection: sa.Connection, statement: sa.Executable, columns: tuple[str, ...], rows: Sequence[tuple[Any, ...]]
) -> None:
    for start in range(0, len(rows), ROWS):
        document = orjson.dumps([dict(zip(columns, row, strict=True)) for row in rows[start : start + ROWS]])
        connection.execute(statement, {"rows": document.decode()})


def _last_of_each(
    rows: Sequence[tuple[Any, ...]], columns: tuple[str, ...], keys: tuple[str, ...]
) -> Sequence[tuple[Any, ...]]:
    """One row for each key: a statement may not meet a row twice, and of several assignments the last is meant."""
    places = [columns.index(key) for key in keys]
    return list({tuple([row[place] for place in places]): row for row in rows}.values())


@lru_cache(maxsize=128)
def _insert(table: sa.Table, columns: tuple[str, ...], replace: bool) -> sa.Executable:
    given = _given(table, columns)
    chosen = sa.select(*(given.c[name] for name in columns))
    statement = postgresql.insert(table).from_select(columns, chosen, include_defaults=False)
    if not replace:
        return statement
    keys = [column.name for column in table.primary_key.columns]
    values = {name: statement.excluded[name] for name in columns if name not in keys}
    return statement.on_conflict_do_update(index_elements=keys, set_=values)


@lru_cache(maxsize=128)
def _update(table: sa.Table, keys: tuple[str, ...], columns: tuple[str, ...]) -> sa.Executable:
    given = _given(table, columns)
    here = [table.c[key] == given.c[key] for key in keys]
    values = {name: given.c[name] for name in columns if name not in keys}
    return sa.update(table).where(*here).values(values)


def _given(table: sa.Table, columns: tuple[str, ...]) -> sa.TableValuedAlias:
    """The rows of the statement's one parameter, with the types of the table's own columns."""
    document = sa.cast(sa.bindparam("rows", type_=sa.Text), postgresql.JSON)
    named = [sa.column(name, table.c[name].type) for name in columns]
    return sa.func.json_to_recordset(document).table_valued(*named, name="given").render_derived(with_types=True)
