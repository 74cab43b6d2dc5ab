"""What every table is made of: the metadata, moments in time, text columns."""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from adapter.store.rows import stamp

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(column_0_N_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Instant(sa.types.TypeDecorator[datetime]):
    """An aware UTC datetime: timestamptz on PostgreSQL, sortable ISO-8601 text on SQLite."""

    impl = sa.String(32)
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(sa.TIMESTAMP(timezone=True))
        return dialect.type_descriptor(sa.String(32))

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> Any:
        if value is None:
            return None
        text = stamp(value)
        return value.astimezone(UTC) if dialect.name == "postgresql" else text

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        if isinstance(value, datetime):
            return value.astimezone(UTC)
        return datetime.fromisoformat(value)


def text(name: str, *args: Any, nullable: bool = False, **kwargs: Any) -> sa.Column[str]:
    """A column of text, not null unless told otherwise."""
    return sa.Column(name, sa.Text, *args, nullable=nullable, **kwargs)


def changed_at() -> sa.Column[datetime]:
    """When a row last changed at all, by this machine's clock: every UPDATE sets it by itself.

    An INSERT does not: a row that nobody has changed since it was made has None.
    """
    return sa.Column("changed_at", Instant, nullable=True, onupdate=_now)


def _now() -> datetime:
    return datetime.now(UTC)
