"""What EHR vendors were given to read with: short-lived tokens by their hash, each assertion good for one."""

import hashlib
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from adapter.store.client_tables import vendor_assertion, vendor_token


class Issued(NamedTuple):
    """Whose token it is and what it was granted."""

    client_id: str
    scope: str


def use_up(connection: sa.Connection, client_id: str, jti: str, *, expires_at: datetime, now: datetime) -> bool:
    """Notes that an assertion was used; False when it had been used before. Forgets those that have expired."""
    connection.execute(sa.delete(vendor_assertion).where(vendor_assertion.c.expires_at <= now))
    row = {"client_id": client_id, "jti_hash": _hash(jti), "expires_at": expires_at}
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    fresh = insert(vendor_assertion).values(**row).on_conflict_do_nothing().returning(vendor_assertion.c.jti_hash)
    return connection.execute(fresh).first() is not None  # psycopg counts no rows of an INSERT


def keep(
    connection: sa.Connection, token: str, *, client_id: str, scope: str, now: datetime, expires_at: datetime
) -> None:
    """Keeps a new token's hash and forgets the tokens that have expired."""
    connection.execute(sa.delete(vendor_token).where(vendor_token.c.expires_at <= now))
    row = {"hash": _hash(token), "client_id": client_id, "scope": scope, "created_at": now, "expires_at": expires_at}
    connection.execute(sa.insert(vendor_token).values(**row))


def find(connection: sa.Connection, token: str, *, now: datetime) -> Issued | None:
    """What a token was granted; None for one that is not known or has expired."""
    here = sa.and_(vendor_token.c.hash == _hash(token), vendor_token.c.expires_at > now)
    row = connection.execute(sa.select(vendor_token.c.client_id, vendor_token.c.scope).where(here)).first()
    return Issued(row.client_id, row.scope) if row else None


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
