"""Tokens for programs that use the JSON API: made, shown once, revoked; each change stands in the staff trail."""

import re
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from adapter.core.staff import StaffRole
from adapter.errors import FatalError
from adapter.jobs.people import note
from adapter.store import api_tokens
from adapter.store.api_tokens import ApiToken
from adapter.store.engine import begin, read
from adapter.store.ids import new_id

PREFIX = "adp_"
"""So that a token that got somewhere it should not be is recognised there."""
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


def add(
    engine: sa.Engine, name: str, roles: Mapping[str, StaffRole], *, days: int, actor: str, now: datetime
) -> tuple[str, ApiToken]:
    """Makes a token; it is returned this once. Raises FatalError for a name that cannot be used or is in use."""
    if not _NAME.fullmatch(name):
        raise FatalError("A name has up to 64 small letters, digits, or any of . _ - and begins with none of these.")
    token = PREFIX + secrets.token_urlsafe(32)
    made = ApiToken(new_id(), name, roles, now, now + timedelta(days=days), None)
    with begin(engine) as connection:
        if api_tokens.named(connection, name, now) is not None:
            raise FatalError(f"There is a token named {name} already. Choose another name, or revoke it first.")
        api_tokens.keep(connection, token, made)
        detail = {"name": name, "roles": {practice: str(role) for practice, role in roles.items()}}
        note(connection, "add-token", detail, actor=actor, now=now)
    return token, made


def revoke(engine: sa.Engine, name: str, *, actor: str, now: datetime) -> None:
    """Ends a token, by its name or id. Raises FatalError when no living one is called so."""
    with begin(engine) as connection:
        found = api_tokens.named(connection, name, now)
        if found is None:
            raise FatalError("There is no such token that could be revoked. `adapter tokens list` shows them.")
        api_tokens.revoke(connection, found.id, now)
        note(connection, "revoke-token", {"name": found.name}, actor=actor, now=now)


def listing(engine: sa.Engine, now: datetime) -> list[dict[str, Any]]:
    """Every token as ``adapter tokens list --json`` shows it, the newest first."""
    with read(engine) as connection:
        return [shape(one, now) for one in api_tokens.listing(connection)]


def shape(token: ApiToken, now: datetime) -> dict[str, Any]:
    """``{"id","name","roles","state","created_at","expires_at"}``; state is active, expired or revoked."""
    state = "revoked" if token.revoked_at else "expired" if token.expires_at <= now else "active"
    return {
        "id": token.id,
        "name": token.name,
        "roles": {practice: str(role) for practice, role in token.roles.items()},
        "state": state,
        "created_at": token.created_at.isoformat(),
        "expires_at": token.expires_at.isoformat(),
    }
