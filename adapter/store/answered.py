"""Writes of the JSON API that may come twice: the second time gets the answer of the first (Idempotency-Key)."""

import hashlib
from datetime import datetime, timedelta
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from adapter.store.client_tables import api_answer

KEPT = timedelta(hours=24)


class Before(NamedTuple):
    """What is known of a request with the same key: ``status`` is None while it is being done."""

    request_hash: str
    status: int | None
    answer: str | None


def claim(connection: sa.Connection, actor: str, key: str, request_hash: str, now: datetime) -> Before | None:
    """Begins a request; what is known of an earlier one with this key, or None when this is the first."""
    connection.execute(sa.delete(api_answer).where(api_answer.c.created_at <= now - KEPT))
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    row = {"actor": actor, "key": _hash(key), "request_hash": request_hash, "created_at": now}
    fresh = insert(api_answer).values(**row).on_conflict_do_nothing().returning(api_answer.c.key)
    if connection.execute(fresh).first() is not None:  # psycopg counts no rows of an INSERT
        return None
    columns = (api_answer.c.request_hash, api_answer.c.status, api_answer.c.answer)
    return Before._make(connection.execute(sa.select(*columns).where(_mine(actor, key))).one())


def keep(connection: sa.Connection, actor: str, key: str, status: int, answer: str) -> None:
    """What was answered."""
    connection.execute(sa.update(api_answer).where(_mine(actor, key)).values(status=status, answer=answer))


def forget(connection: sa.Connection, actor: str, key: str) -> None:
    """It was not done: the same key may try again."""
    connection.execute(sa.delete(api_answer).where(_mine(actor, key)))


def _mine(actor: str, key: str) -> sa.ColumnElement[bool]:
    return sa.and_(api_answer.c.actor == actor, api_answer.c.key == _hash(key))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
