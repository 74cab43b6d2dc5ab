"""The embedded portal's own tables and rows. It shares a database with the adapter at most, never a row or a type."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from adapter.core.portal import PortalAccount, PortalDependent

metadata = sa.MetaData()
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(tuple[PortalDependent, ...]).decode


def _text(name: str, *, key: bool = False, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, primary_key=key, nullable=nullable)


# Times are UTC in ISO-8601 text of one width, so that they sort alike on every database.
account = sa.Table(
    "portal_account",
    metadata,
    _text("practice", key=True),
    _text("key", key=True),
    _text("email"),
    _text("name"),
    sa.Column("active", sa.Boolean, nullable=False),
    _text("status"),
    _text("dependents"),  # JSON: the charts that can be opened; replaced as a whole
    _text("registered_at", nullable=True),
    sa.Index("ix_portal_account_email", "practice", "email"),
)

clock = sa.Table(
    "portal_clock",
    metadata,
    _text("practice", key=True),
    _text("at"),  # the latest time that was seen: a chart that has closed stays closed when a clock goes back
)

home = sa.Table(
    "portal_home",
    metadata,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
    _text("practice"),
    sa.Column("revision", sa.Integer, nullable=False),
    _text("content"),
    _text("accepted_at"),
    _text("visible_at"),
    sa.Column("organization", sa.Text, nullable=False, server_default=""),
    sa.Index("ix_portal_home_visible", "practice", "visible_at"),
)


def make_tables(engine: sa.Engine) -> None:
    """The tables, with the columns that a later version of them has more."""
    metadata.create_all(engine)
    if any(column["name"] == "organization" for column in sa.inspect(engine).get_columns(home.name)):
        return
    try:
        with engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE portal_home ADD COLUMN organization TEXT NOT NULL DEFAULT ''")
    except sa.exc.DBAPIError:  # another process was faster, or the next statement will say what is wrong
        return


def to_row(practice: str, one: PortalAccount) -> dict[str, Any]:
    """An account as its row holds it; one that is not active opens nothing, whatever was put."""
    return {
        "practice": practice,
        "key": one.key,
        "email": one.email,
        "name": one.name,
        "active": one.active,
        "status": one.status,
        "dependents": _encode(one.dependents if one.active else ()).decode(),
    }


def from_row(row: Any) -> PortalAccount:
    """The account of a row."""
    return PortalAccount(
        row.key,
        row.email,
        row.name,
        row.active,
        row.status,
        _decode(row.dependents),
        registered_at=datetime.fromisoformat(row.registered_at) if row.registered_at else None,
    )


def stamp(at: datetime) -> str:
    """UTC in one width, so that text sorts as time."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")
