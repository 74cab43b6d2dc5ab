"""What a delivery needs to know at the moment it goes out: the account and its charts, the Welcome, the notice."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from adapter.core.state import AccountStatus, GrantState
from adapter.store.tables import account, grant, welcome


class AccountRow(NamedTuple):
    """An account as it is now."""

    id: str
    practice: str
    email_key: str
    email: str
    name: str
    language: str
    status: str


class OpenChart(NamedTuple):
    """One active grant of ``account_id``."""

    account_id: str
    patient: str
    role: str
    authority: str
    access: str
    reason: str
    since: datetime
    is_self: bool
    until: datetime | None
    organization: str


class WelcomeRow(NamedTuple):
    """A Welcome with its account, and how many charts that account may open."""

    id: str
    practice: str
    account_id: str
    email: str
    reason: str
    link_closed_at: datetime | None
    account_key: str
    account_email: str
    name: str
    language: str
    status: str
    active_grants: int


def accounts(connection: sa.Connection, ids: Sequence[str]) -> tuple[list[AccountRow], list[OpenChart]]:
    """These accounts and every chart they may open now."""
    people = sa.select(*(account.c[name] for name in AccountRow._fields)).where(account.c.id.in_(ids))
    charts = sa.select(*(grant.c[name] for name in OpenChart._fields)).where(
        grant.c.account_id.in_(ids), grant.c.state == GrantState.ACTIVE
    )
    return (
        [AccountRow._make(row) for row in connection.execute(people).all()],
        [OpenChart._make(row) for row in connection.execute(charts).all()],
    )


def find_account(connection: sa.Connection, account_id: str) -> AccountRow | None:
    """One account; None when there is none of that id."""
    found, _ = accounts(connection, [account_id])
    return found[0] if found else None


def find_welcome(connection: sa.Connection, welcome_id: str) -> WelcomeRow | None:
    """One Welcome; None when there is none of that id."""
    charts = (
        sa.select(sa.func.count())
        .select_from(grant)
        .where(grant.c.account_id == account.c.id, grant.c.state == GrantState.ACTIVE)
        .scalar_subquery()
    )
    columns: list[sa.ColumnElement[Any]] = [
        *(welcome.c[name] for name in ("id", "practice", "account_id", "email", "reason", "link_closed_at")),
        *(account.c[name] for name in ("email_key", "email", "name", "language", "status")),
        charts,
    ]
    joined = welcome.join(account, account.c.id == welcome.c.account_id)
    row = connection.execute(sa.select(*columns).select_from(joined).where(welcome.c.id == welcome_id)).first()
    return WelcomeRow(*row) if row else None


def open_link(
    connection: sa.Connection, welcome_id: str, *, message_id: str, token_hash: str, expires_at: datetime
) -> None:
    """Makes a Welcome's link work.

    Done before the mail is handed over: when nobody can tell whether it left, the reader who got it can still use it.
    """
    values = {"message_id": message_id, "token_hash": token_hash, "link_expires_at": expires_at}
    connection.execute(sa.update(welcome).where(welcome.c.id == welcome_id).values(**values))


def mark_invited(connection: sa.Connection, account_id: str, *, now: datetime) -> bool:
    """A Welcome has left: ``pending`` becomes ``invited``. Returns whether it was pending."""
    first = sa.update(account).where(account.c.id == account_id, account.c.status == AccountStatus.PENDING)
    return connection.execute(first.values(status=AccountStatus.INVITED, since=now)).rowcount == 1
