"""Accounts as they are now, with their grants and the state of their Welcome email."""

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from adapter.core.facts import Authority, Role
from adapter.core.policy import Access
from adapter.core.state import Account, AccountStatus, EffectState, Grant, GrantState
from adapter.store import tables as t
from adapter.store.sql import among, batches


def any_account(connection: sa.Connection, practice: str) -> bool:
    """Whether the practice has accounts at all: before its first run there is nothing to compare with."""
    return (
        connection.execute(sa.select(t.account.c.id).where(t.account.c.practice == practice).limit(1)).first()
        is not None
    )


def by_email(connection: sa.Connection, practice: str, email_keys: Sequence[str]) -> dict[str, Account]:
    """These addresses' accounts, by e-mail key."""
    return {account.email_key: account for account in _load(connection, practice, t.account.c.email_key, email_keys)}


# By id alone: with the practice in the condition too, SQLite walks all of the practice's accounts instead.
_BY_ID = sa.select(t.account.c.practice, t.account.c.email_key)


def addresses_on(connection: sa.Connection, practice: str, charts: Sequence[str]) -> set[str]:
    """The e-mail keys of every account that has or had a grant on one of these charts."""
    ids: set[str] = set()
    for batch in batches(charts):
        ids.update(
            connection.scalars(sa.select(t.grant.c.account_id).where(among(connection, t.grant.c.patient, batch)))
        )
    found: set[str] = set()
    for batch in batches(sorted(ids)):
        rows = connection.execute(_BY_ID.where(among(connection, t.account.c.id, batch)))
        found.update(email_key for owner, email_key in rows if owner == practice)
    return found


def by_id(connection: sa.Connection, practice: str, ids: Sequence[str]) -> dict[str, Account]:
    """These accounts, by id."""
    return {account.id: account for account in _load(connection, practice, t.account.c.id, ids)}


def resting_on(connection: sa.Connection, practice: str, contacts: Iterable[str]) -> dict[str, list[Account]]:
    """Accounts with a grant that rests on one of these contacts, by contact reference."""
    refs = sorted(set(contacts))
    ids: set[str] = set()
    for batch in batches(refs):
        ids.update(
            connection.scalars(sa.select(t.grant.c.account_id).where(among(connection, t.grant.c.contact, batch)))
        )
    found: dict[str, list[Account]] = {}
    wanted = set(refs)
    for account in _load(connection, practice, t.account.c.id, sorted(ids)):
        for contact in {grant.contact for grant in account.grants.values()} & wanted:
            found.setdefault(contact, []).append(account)
    return found


def _load(connection: sa.Connection, practice: str, column: sa.Column[str], values: Sequence[str]) -> list[Account]:
    accounts = []
    for batch in batches(values):
        here = among(connection, column, batch)
        if column is not t.account.c.id:
            here = sa.and_(t.account.c.practice == practice, here)
        found = connection.execute(sa.select(t.account).where(here)).mappings().all()
        rows = [row for row in found if row["practice"] == practice]
        ids = [row["id"] for row in rows]
        grants = _grants(connection, ids)
        welcomes = latest_welcomes(connection, ids)
        for row in rows:
            welcome = welcomes.get(row["id"])
            accounts.append(
                Account(
                    row["id"],
                    row["email_key"],
                    row["email"],
                    row["name"],
                    row["language"],
                    AccountStatus(row["status"]),
                    grants.get(row["id"], {}),
                    EffectState(welcome["state"]) if welcome else None,
                    welcome["generation"] if welcome else 0,
                    row["registered_at"] is not None,
                    row["registered_at"],
                )
            )
    return accounts


def _grants(connection: sa.Connection, ids: Sequence[str]) -> dict[str, dict[str, Grant]]:
    found: dict[str, dict[str, Grant]] = {}
    for row in connection.execute(sa.select(t.grant).where(among(connection, t.grant.c.account_id, ids))):
        found.setdefault(row.account_id, {})[row.patient] = Grant(
            row.patient,
            row.contact,
            Role(row.role),
            Authority(row.authority),
            Access(row.access),
            GrantState(row.state),
            row.reason,
            row.source,
            row.is_self,
            row.until,
            row.organization,
        )
    return found


def latest_welcomes(connection: sa.Connection, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The newest Welcome email of each account with its delivery state, by account id.

    Keys: every column of ``welcome``; its effect's ``state``, ``attempts``, ``last_error``, ``done_at``; sent_count.
    """
    found: dict[str, dict[str, Any]] = {}
    columns = (
        t.welcome,
        t.effect.c.state,
        t.effect.c.attempts,
        t.effect.c.last_error,
        t.effect.c.done_at,
        t.effect.c.run,
    )
    query = sa.select(*columns).join(t.effect, t.effect.c.id == t.welcome.c.effect_id).order_by(t.welcome.c.generation)
    for batch in batches(ids):
        for row in connection.execute(query.where(among(connection, t.welcome.c.account_id, batch))).mappings():
            before = found.get(row["account_id"], {})
            sent = row["state"] == EffectState.SENT
            found[row["account_id"]] = dict(row) | {
                "sent_count": before.get("sent_count", 0) + sent,
                "last_sent_at": row["done_at"] if sent else before.get("last_sent_at"),
            }
    return found
