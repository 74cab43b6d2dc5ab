"""Tokens of programs that use the JSON API, by their hash."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

import msgspec
import sqlalchemy as sa

from adapter.core.staff import StaffRole
from adapter.store.client_tables import api_token

_roles = msgspec.json.Decoder(dict[str, StaffRole]).decode


class ApiToken(NamedTuple):
    """One token, without what opens anything."""

    id: str
    name: str
    roles: Mapping[str, StaffRole]
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None


_COLUMNS = [api_token.c[name] for name in ApiToken._fields]


def keep(connection: sa.Connection, token: str, made: ApiToken) -> None:
    """Keeps a new token's hash."""
    roles = msgspec.json.encode(dict(made.roles), order="sorted").decode()
    connection.execute(sa.insert(api_token).values(**made._asdict() | {"roles": roles, "hash": _hash(token)}))


def find(connection: sa.Connection, token: str, now: datetime) -> ApiToken | None:
    """The token, if it is one that lives."""
    here = sa.and_(api_token.c.hash == _hash(token), api_token.c.expires_at > now, api_token.c.revoked_at.is_(None))
    return next(iter(_load(connection, here)), None)


def listing(connection: sa.Connection) -> list[ApiToken]:
    """All there ever were, the newest first."""
    return _load(connection, sa.true())


def named(connection: sa.Connection, name: str, now: datetime) -> ApiToken | None:
    """The living token of this name or id."""
    alive = sa.and_(api_token.c.expires_at > now, api_token.c.revoked_at.is_(None))
    here = sa.or_(api_token.c.name == name, api_token.c.id == name)
    return next(iter(_load(connection, sa.and_(alive, here))), None)


def revoke(connection: sa.Connection, id_: str, now: datetime) -> None:
    """From now on it opens nothing."""
    connection.execute(sa.update(api_token).where(api_token.c.id == id_).values(revoked_at=now))


def _load(connection: sa.Connection, here: sa.ColumnElement[bool]) -> list[ApiToken]:
    rows = connection.execute(sa.select(*_COLUMNS).where(here).order_by(api_token.c.created_at.desc()))
    return [ApiToken._make(row)._replace(roles=_roles(row.roles)) for row in rows]


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
