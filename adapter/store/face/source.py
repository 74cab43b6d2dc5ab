"""What the sources have in common: conditions from a search, a page of rows, one row by its id."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from adapter.core.fhir_face.search import Search, Span
from adapter.store.columns import Instant

Key = tuple[str | int, ...]
"""Where a row stands in the order of its source."""


@dataclass(frozen=True, slots=True)
class Source:
    """One resource type's rows."""

    key: tuple[sa.Column[Any], ...]
    rows: Callable[[sa.Connection, str, Search, datetime], "sa.Select[Any] | None"]
    """``rows(connection, practice, search, now)``: a query that selects the key's columns among others; None where
    nothing can match."""
    views: Callable[[sa.Connection, Sequence[Any]], list[Any]]
    """The rows of a page as the core's values, in their order."""


class Page(NamedTuple):
    """Values of one page, and the key to go on after; None at the end."""

    views: list[Any]
    after: Key | None


def page(
    connection: sa.Connection, source: Source, practice: str, search: Search, after: Key | None, now: datetime
) -> Page:
    """The first ``search.count`` matches after ``after``."""
    query = source.rows(connection, practice, search, now)
    if query is None:
        return Page([], None)
    if after is not None:
        here = [sa.literal(value, column.type) for value, column in zip(after, source.key, strict=True)]
        query = query.where(sa.tuple_(*source.key) > sa.tuple_(*here) if len(here) > 1 else source.key[0] > here[0])
    rows = connection.execute(query.order_by(*source.key).limit(search.count + 1)).all()
    shown = rows[: search.count]
    last = tuple(getattr(shown[-1], column.name) for column in source.key) if len(rows) > len(shown) else None
    return Page(source.views(connection, shown), last)


def fits(source: Source, after: Sequence[Any]) -> bool:
    """Whether this can be a key of the source."""
    return len(after) == len(source.key) and all(
        ("\0" not in part if isinstance(part, str) else 0 <= part < 2**31) and isinstance(part, column.type.python_type)
        for part, column in zip(after, source.key, strict=True)
    )


def total(connection: sa.Connection, source: Source, practice: str, search: Search, now: datetime) -> int:
    """How many match."""
    query = source.rows(connection, practice, search, now)
    if query is None:
        return 0
    return connection.scalar(sa.select(sa.func.count()).select_from(query.order_by(None).subquery())) or 0


def find(connection: sa.Connection, source: Source, practice: str, id_: str, now: datetime) -> Any | None:
    """The one with this id, or None."""
    query = source.rows(connection, practice, Search(words=(("_id", (id_,)),)), now)
    rows = connection.execute(query.limit(1)).all() if query is not None else []
    return source.views(connection, rows)[0] if rows else None


def words(search: Search, name: str) -> Iterable[tuple[str, ...]]:
    """The values of each time a parameter was given."""
    return (values for given, values in search.words if given == name)


def during(search: Search, name: str, at: sa.ColumnElement[Any]) -> list[sa.ColumnElement[bool]]:
    """The conditions on a time."""
    return [sa.or_(*(_within(span, at) for span in spans)) for given, spans in search.spans if given == name]


def latest(connection: sa.Connection, *times: sa.ColumnElement[Any]) -> sa.ColumnElement[datetime]:
    """The latest of several times, none of which may be null."""
    function = sa.func.greatest if connection.dialect.name == "postgresql" else sa.func.max
    return sa.type_coerce(function(*times), Instant)


def either(column: sa.Column[Any], other: sa.Column[Any]) -> sa.ColumnElement[datetime]:
    """The first where there is one, else the second."""
    return sa.type_coerce(sa.func.coalesce(column, other), Instant)


def unindexed(column: sa.Column[str]) -> sa.ColumnElement[str]:
    """The column for a condition that must not choose the index: rows are to be found, or walked, by their key.

    SQLite, which knows nothing of how many rows a practice has, otherwise collects and sorts all of them for each page.
    """
    return column.concat("")


def _within(span: Span, at: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    inside = sa.and_(at >= span.start, at < span.end)
    return {
        "eq": inside,
        "ne": sa.not_(inside),
        "gt": at >= span.end,
        "ge": at >= span.start,
        "lt": at < span.start,
        "le": at < span.end,
    }[span.prefix]
