"""Grants as Consent resources see them."""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from adapter.core.facts import Authority, Role
from adapter.core.fhir_face.consent import ACTIVE, INACTIVE, PROPOSED, SHUT, GrantView
from adapter.core.fhir_face.search import Search
from adapter.core.policy import Access
from adapter.core.state import AccountStatus, GrantState
from adapter.store import tables as t
from adapter.store.face.source import Source, during, either, latest, unindexed, words


def consent_id(account: str, patient: str) -> str:
    """A grant has no id of its own: its account's, and 16 hex digits for the chart."""
    return f"{account}.{hashlib.sha256(patient.encode()).hexdigest()[:16]}"


def _rows(connection: sa.Connection, practice: str, search: Search, now: datetime) -> sa.Select[Any] | None:
    columns, account = t.grant.c, t.account.c
    ended = sa.and_(columns.until.is_not(None), columns.until <= now)
    changed = either(columns.changed_at, columns.since)
    at = latest(
        connection,
        changed,
        either(account.changed_at, account.since),
        sa.case((ended, columns.until), else_=changed),  # that its time is over changes it too
    )
    query = (
        sa.select(t.grant, account.status.label("account_status"), at.label("at"))
        .join(t.account, t.account.c.id == columns.account_id)
        .where(unindexed(t.account.c.practice) == practice, *during(search, "_lastUpdated", at))
    )
    for values in words(search, "_id"):
        named = list(_named(connection, values))
        query = query.where(sa.or_(sa.false(), *named))
    for values in words(search, "patient"):
        query = query.where(columns.patient.in_(values))
    for values in words(search, "actor"):
        query = query.where(columns.contact.in_(values))
    for values in words(search, "status"):
        opens = sa.and_(columns.state == GrantState.ACTIVE, account.status.not_in(SHUT), ~ended)
        held = columns.state == GrantState.HELD
        wanted = {ACTIVE: opens, PROPOSED: held, INACTIVE: ~sa.or_(opens, held)}
        query = query.where(sa.or_(sa.false(), *(wanted[value] for value in values if value in wanted)))
    return None if any(not values for _, values in search.words) else query


def _named(connection: sa.Connection, ids: Iterable[str]) -> Iterable[sa.ColumnElement[bool]]:
    for id_ in ids:
        account = id_.rpartition(".")[0]
        charts = connection.scalars(sa.select(t.grant.c.patient).where(t.grant.c.account_id == account))
        for patient in charts:
            if consent_id(account, patient) == id_:
                yield sa.and_(t.grant.c.account_id == account, t.grant.c.patient == patient)


def _views(_: sa.Connection, rows: Sequence[Any]) -> list[GrantView]:
    return [
        GrantView(
            consent_id(row.account_id, row.patient),
            row.account_id,
            AccountStatus(row.account_status),
            row.patient,
            row.contact,
            Role(row.role),
            Authority(row.authority),
            Access(row.access),
            GrantState(row.state),
            row.reason,
            row.since,
            row.until,
            row.at,
        )
        for row in rows
    ]


GRANTS = Source((t.grant.c.account_id, t.grant.c.patient), _rows, _views)
