"""Welcome emails as Communication resources see them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from adapter.core.fhir_face.communication import STATUSES, WelcomeView
from adapter.core.fhir_face.search import Search
from adapter.core.state import AccountStatus, EffectState
from adapter.store import tables as t
from adapter.store.face.accounts import changed, grants_of, ids_on
from adapter.store.face.source import Source, during, either, latest, unindexed, words


def _rows(connection: sa.Connection, practice: str, search: Search, _: datetime) -> sa.Select[Any] | None:
    welcome, effect, account = t.welcome.c, t.effect.c, t.account.c
    at = latest(connection, either(effect.changed_at, effect.created_at), changed(connection))
    query = (
        sa.select(
            welcome.id,
            welcome.account_id,
            welcome.email,
            welcome.generation,
            welcome.created_at,
            account.status,
            effect.state,
            effect.done_at,
            at.label("at"),
        )
        .join(t.effect, effect.id == welcome.effect_id)
        .join(t.account, account.id == welcome.account_id)
        .where(unindexed(welcome.practice) == practice, *during(search, "_lastUpdated", at))
    )
    for spans in during(search, "sent", effect.done_at):
        query = query.where(effect.state == EffectState.SENT, spans)
    for values in words(search, "_id"):
        query = query.where(welcome.id.in_(values))
    for values in words(search, "status"):
        query = query.where(effect.state.in_([state for state, status in STATUSES.items() if status in values]))
    for values in words(search, "recipient"):
        query = query.where(welcome.account_id.in_(sorted(ids_on(connection, t.grant.c.contact.in_(values)))))
    for values in words(search, "patient"):
        query = query.where(welcome.account_id.in_(sorted(ids_on(connection, t.grant.c.patient.in_(values)))))
    return None if any(not values for _, values in search.words) else query


def _views(connection: sa.Connection, rows: Sequence[Any]) -> list[WelcomeView]:
    grants = grants_of(connection, sorted({row.account_id for row in rows}))
    return [
        WelcomeView(
            row.id,
            row.account_id,
            AccountStatus(row.status),
            row.email,
            row.generation,
            EffectState(row.state),
            row.created_at,
            row.done_at,
            row.at,
            tuple(sorted({grant.contact for grant in grants.get(row.account_id, ())})),
            tuple(sorted({grant.patient for grant in grants.get(row.account_id, ())})),
        )
        for row in rows
    ]


WELCOMES = Source((t.welcome.c.id,), _rows, _views)
