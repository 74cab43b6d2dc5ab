"""Accounts as people and programs look at them: the shape of ``adapter accounts --json``."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from adapter.store import revocations
from adapter.store import tables as t
from adapter.store.accounts import latest_welcomes
from adapter.store.sql import batches


def accounts(
    connection: sa.Connection,
    practices: Sequence[str],
    *,
    email_key: str | None = None,
    after: str | None = None,
    limit: int | None = None,
) -> list[dict[str, Any]]:
    """Accounts that have or had a grant, by practice and address; with ``email_key`` that one alone.

    Of one practice a page can be had: at most ``limit`` of those whose address comes after ``after``.
    """
    query = (
        sa.select(t.account)
        .where(t.account.c.practice.in_(practices))
        .order_by(t.account.c.practice, t.account.c.email_key)
    )
    if email_key is not None:
        query = query.where(t.account.c.email_key == email_key)
    if after is not None:
        query = query.where(t.account.c.email_key > after)
    query = query.limit(limit)
    rows = connection.execute(query).mappings().all()
    shown = []
    for batch in batches(rows):
        ids = [row["id"] for row in batch]
        dependents: dict[str, list[dict[str, Any]]] = {}
        grants = (
            sa.select(t.grant).where(t.grant.c.account_id.in_(ids)).order_by(t.grant.c.account_id, t.grant.c.patient)
        )
        for grant in connection.execute(grants):
            dependents.setdefault(grant.account_id, []).append(
                {
                    "patient": grant.patient,
                    "contact": grant.contact,
                    "role": grant.role,
                    "authority": grant.authority,
                    "access": grant.access,
                    "state": grant.state,
                    "reason": grant.reason,
                    "self": grant.is_self,
                    "organization": grant.organization or None,
                    "since": grant.since.isoformat(),
                    "until": _iso(grant.until),
                    "source": grant.source,
                }
            )
        welcomes = latest_welcomes(connection, ids)
        seen = sa.select(t.sighting).where(t.sighting.c.account_id.in_(ids))
        sightings = {row["account_id"]: dict(row) for row in connection.execute(seen).mappings()}
        by_hand: dict[tuple[str, str], dict[str, Any]] = {}
        for practice, keys in _keys(batch).items():
            shut = revocations.suspensions(connection, practice, keys)
            by_hand |= {(practice, key): one for key, one in shut.items()}
        for row in batch:
            of_row = (dependents.get(row["id"], []), welcomes.get(row["id"]), sightings.get(row["id"], {}))
            suspended = by_hand.get((row["practice"], row["email_key"]))
            shown.append(_account(dict(row), *of_row) | {"suspension": _suspension(suspended)})
    return shown


def _account(
    row: dict[str, Any], dependents: list[dict[str, Any]], welcome: dict[str, Any] | None, seen: dict[str, Any]
) -> dict[str, Any]:
    sent_at = welcome["last_sent_at"] if welcome else None
    return {
        "practice": row["practice"],
        "email": row["email"],
        "name": row["name"],
        "status": row["status"],
        "dependents": dependents,
        "welcome": {
            "status": welcome["state"] if welcome else "none",
            "sent_count": welcome["sent_count"] if welcome else 0,
            "last_sent_at": _iso(sent_at),
            "last_error": welcome["last_error"] if welcome else None,
        },
        "portal": {
            "registered_at": _iso(row["registered_at"]),
            "seen_at": _iso(seen.get("seen_at")),
            "locked": bool(seen.get("locked")),
            "last_sign_in": _iso(seen.get("last_sign_in")),
        },
    }


def _keys(rows: Sequence[Any]) -> dict[str, list[str]]:
    """The addresses of these accounts, by practice."""
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(row["practice"], []).append(row["email_key"])
    return found


def _suspension(row: dict[str, Any] | None) -> dict[str, Any] | None:
    """Who suspended the account by hand, when and why; None where nobody did."""
    return {"actor": row["actor"], "at": row["at"].isoformat(), "reason": row["reason"]} if row else None


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
