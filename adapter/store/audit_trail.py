"""Reading the audit trail: every row of a practice in order, its head, and the entries that somebody asks for."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from adapter.core.audit import GENESIS, AuditEntry
from adapter.core.audit_check import Head, Row
from adapter.store import tables as t
from adapter.store.sql import batches

PAGE = 5_000
"""Rows in memory at a time."""
_TIME = "%Y-%m-%dT%H:%M:%S.%fZ"
_ENTRY = AuditEntry.__struct_fields__


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which entries somebody asks for; every condition that is given must hold."""

    practices: Sequence[str]
    since: dict[str, datetime] = field(default_factory=dict)
    """By practice: whose midnight a day begins at."""
    email_key: str | None = None
    patient: str | None = None
    actor: str | None = None
    run: int | None = None
    after: int | None = None
    """Only entries with a higher number."""


def practices(connection: sa.Connection) -> list[str]:
    """Every practice that has a trail, whether the configuration still has it or not."""
    return list(connection.scalars(sa.select(t.audit.c.practice).distinct().order_by(t.audit.c.practice)))


def head(connection: sa.Connection, practice: str) -> Head:
    """The end of a practice's trail; number 0 before its first entry."""
    mine = sa.select(t.audit.c.seq, t.audit.c.hash).where(t.audit.c.practice == practice)
    row = connection.execute(mine.order_by(t.audit.c.seq.desc()).limit(1)).first()
    return Head(practice, row.seq, row.hash) if row else Head(practice, 0, GENESIS)


def find_hash(connection: sa.Connection, wanted: str, among: Sequence[str]) -> Head | None:
    """The entry of these practices that has this hash."""
    here = sa.and_(t.audit.c.hash == wanted, t.audit.c.practice.in_(among))
    row = connection.execute(sa.select(t.audit.c.practice, t.audit.c.seq, t.audit.c.hash).where(here)).first()
    return Head(row.practice, row.seq, row.hash) if row else None


def count(connection: sa.Connection, among: Sequence[str]) -> int:
    """How many entries these practices have."""
    mine = sa.select(sa.func.count()).select_from(t.audit).where(t.audit.c.practice.in_(among))
    return connection.scalar(mine) or 0


def rows(connection: sa.Connection, practice: str, *, page: int = PAGE) -> Iterator[Row]:
    """A practice's whole trail in order, a page at a time, as it is stored: whatever that may be."""
    audit = t.audit
    columns = [audit.c.seq, _stored_at(connection), audit.c.hash, *(audit.c[name] for name in _ENTRY)]
    query = sa.select(*columns).where(audit.c.practice == practice).order_by(audit.c.seq)
    last = 0
    for seq, stored, hash_, *entry in connection.execute(query, execution_options={"yield_per": page}):
        numbered = isinstance(seq, int)
        last = seq if numbered else last + 1
        at_ = _time(stored) if numbered else None
        yield Row(practice, last, at_, AuditEntry(**dict(zip(_ENTRY, entry, strict=True))), hash_)


def _stored_at(connection: sa.Connection) -> sa.ColumnElement[Any]:
    """The time as it is stored: SQLite keeps text, and text that is no time must not end anybody's reading."""
    return sa.type_coerce(t.audit.c.at, sa.String) if connection.dialect.name == "sqlite" else t.audit.c.at


def _time(stored: Any) -> datetime | None:
    """The time in a row; None when it is not written as the adapter writes it."""
    if isinstance(stored, datetime):
        return stored
    try:
        at = datetime.fromisoformat(stored)
        return at if at.strftime(_TIME) == stored else None
    except (TypeError, ValueError):
        return None


def entries(
    connection: sa.Connection, wanted: Wanted, *, newest: bool = False, limit: int | None = None
) -> Iterator[dict[str, Any]]:
    """The entries somebody asks for, a page at a time: the shape of ``adapter audit --json``.

    By practice and number; with ``newest`` the latest first, whichever practice they are of.
    """
    audit = t.audit
    order = (audit.c.at.desc(), audit.c.practice, audit.c.seq.desc()) if newest else (audit.c.practice, audit.c.seq)
    query = selection(connection).where(*_conditions(connection, wanted)).order_by(*order).limit(limit)
    for row in connection.execute(query, execution_options={"yield_per": PAGE}).mappings():
        yield shape(dict(row))


def selection(connection: sa.Connection) -> sa.Select[Any]:
    """Entries with the address that their account has now, as ``shape`` takes them."""
    audit = t.audit
    columns = [
        *(audit.c[name] for name in ("practice", "seq")),
        _stored_at(connection).label("at"),
        *(audit.c[name] for name in ("actor", "run", "action", "account")),
        t.account.c.email,
        *(audit.c[name] for name in ("patient", "reason", "source", "detail", "hash")),
    ]
    return sa.select(*columns).select_from(audit.outerjoin(t.account, t.account.c.id == audit.c.account))


def _conditions(connection: sa.Connection, wanted: Wanted) -> Iterator[sa.ColumnElement[bool]]:
    audit = t.audit
    yield audit.c.practice.in_(wanted.practices)
    if wanted.since:
        begins = [sa.and_(audit.c.practice == name, audit.c.at >= at) for name, at in wanted.since.items()]
        yield sa.or_(*begins)
    if wanted.patient is not None:
        yield audit.c.patient == wanted.patient
    if wanted.actor is not None:
        yield sa.or_(audit.c.actor == wanted.actor, audit.c.actor == f"person:{wanted.actor}")
    if wanted.after is not None:
        yield audit.c.seq > wanted.after
    if wanted.run is not None:
        yield audit.c.run == wanted.run
    if wanted.email_key is not None:
        ids = _accounts(connection, wanted.practices, wanted.email_key)
        yield sa.or_(sa.false(), *(audit.c.account.in_(batch) for batch in batches(ids)))


def _accounts(connection: sa.Connection, names: Sequence[str], email_key: str) -> list[str]:
    """The accounts that have or ever had this address: one that has moved is named in the trail alone."""
    has = sa.select(t.account.c.id).where(t.account.c.practice.in_(names), t.account.c.email_key == email_key)
    written = msgspec.json.encode(email_key).decode()
    had = sa.select(t.audit.c.account).where(
        t.audit.c.practice.in_(names),
        t.audit.c.account.is_not(None),
        sa.or_(*(t.audit.c.detail.contains(f'"{key}":{written}', autoescape=True) for key in ("email", "new_email"))),
    )
    return sorted(set(connection.scalars(sa.union(has, had))))


def shape(row: dict[str, Any]) -> dict[str, Any]:
    """One entry in the shape of ``adapter audit --json``."""
    try:
        detail = msgspec.json.decode(row["detail"])
    except (msgspec.DecodeError, UnicodeError):
        detail = None
    if not isinstance(detail, dict):
        detail = {"unreadable": row["detail"]}
    before, after = detail.pop("before", None), detail.pop("after", None)
    at = _time(row["at"])
    return row | {"at": at.isoformat() if at else str(row["at"]), "before": before, "after": after, "detail": detail}
