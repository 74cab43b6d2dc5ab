"""Accounts as Person resources see them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from adapter.core.email import email_key
from adapter.core.fhir_face.person import AccountView, Link
from adapter.core.fhir_face.search import Search
from adapter.core.state import AccountStatus, GrantState
from adapter.store import tables as t
from adapter.store.face.source import Source, during, either, latest, unindexed, words
from adapter.store.sql import batches

_NOT_ENDED = t.grant.c.state != GrantState.ENDED


def changed(connection: sa.Connection) -> sa.ColumnElement[Any]:
    """When an account or any of its grants last changed, for a query on ``account``."""
    own = either(t.account.c.changed_at, t.account.c.since)
    grants = sa.select(sa.func.max(either(t.grant.c.changed_at, t.grant.c.since)))
    newest = grants.where(t.grant.c.account_id == t.account.c.id).scalar_subquery()
    return latest(connection, own, sa.func.coalesce(newest, own))


def ids_on(connection: sa.Connection, *conditions: sa.ColumnElement[bool]) -> set[str]:
    """The accounts with a grant like this.

    Looked up first: given a subquery, SQLite walks through every account of the practice instead.
    """
    return set(connection.scalars(sa.select(t.grant.c.account_id).where(*conditions)))


def grants_of(connection: sa.Connection, ids: Sequence[str]) -> dict[str, list[Any]]:
    """Every grant of these accounts, by account."""
    found: dict[str, list[Any]] = {}
    for batch in batches(ids):
        mine = sa.select(t.grant).where(t.grant.c.account_id.in_(batch)).order_by(t.grant.c.patient)
        for row in connection.execute(mine):
            found.setdefault(row.account_id, []).append(row)
    return found


def _rows(connection: sa.Connection, practice: str, search: Search, _: datetime) -> sa.Select[Any] | None:
    columns = t.account.c
    at = changed(connection)
    query = sa.select(
        columns.id, columns.email, columns.name, columns.status, columns.reason, columns.registered_at, at.label("at")
    ).where(unindexed(columns.practice) == practice, *during(search, "_lastUpdated", at))
    among: list[set[str]] = [set(values) for values in words(search, "_id")]
    for values in words(search, "relatedperson"):
        among.append(ids_on(connection, t.grant.c.contact.in_(values), _NOT_ENDED))
    for values in words(search, "patient"):
        among.append(ids_on(connection, t.grant.c.patient.in_(values), t.grant.c.is_self.is_(True), _NOT_ENDED))
    for values in words(search, "email"):
        keys = [email_key(value) for value in values]
        mine = sa.and_(columns.practice == practice, columns.email_key.in_(keys))
        among.append(set(connection.scalars(sa.select(columns.id).where(mine))))
    if not among:
        return query
    ids = set.intersection(*among)
    return query.where(columns.id.in_(sorted(ids))) if ids else None


def _views(connection: sa.Connection, rows: Sequence[Any]) -> list[AccountView]:
    grants = grants_of(connection, [row.id for row in rows])
    return [
        AccountView(
            row.id,
            row.email,
            row.name,
            AccountStatus(row.status),
            row.reason,
            row.registered_at,
            row.at,
            tuple(
                Link(grant.patient, grant.contact, GrantState(grant.state), grant.is_self)
                for grant in grants.get(row.id, ())
            ),
        )
        for row in rows
    ]


ACCOUNTS = Source((t.account.c.id,), _rows, _views)
