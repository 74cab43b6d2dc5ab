"""What a delivery needs to know at the moment it goes out: the account and its charts, the Welcome, the notice."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from adapter.core.state import AccountStatus, GrantState
from adapter.store.sql import update_rows
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


def _welcomes() -> sa.Select[Any]:
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
    return sa.select(*columns).select_from(joined).where(welcome.c.id.in_(_IDS))


_IDS: sa.BindParameter[str] = sa.bindparam("ids", expanding=True)
# Made once: making a statement costs as much of the processor's time as running it.
_WELCOMES = _welcomes()
_INVITE = (
    sa.update(account)
    .where(account.c.id.in_(_IDS), account.c.status == AccountStatus.PENDING)
    .values(status=AccountStatus.INVITED, since=sa.bindparam("now"))
    .returning(account.c.id)
)


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


def find_welcomes(connection: sa.Connection, ids: Sequence[str]) -> dict[str, WelcomeRow]:
    """These Welcomes, by id; those that are not there are left out."""
    return {row[0]: WelcomeRow(*row) for row in connection.execute(_WELCOMES, {"ids": list(ids)})}


def open_links(connection: sa.Connection, links: Sequence[tuple[str, str, str, datetime]]) -> None:
    """Makes the links of Welcomes work; each given as id, message id, hash of the token, and when it ends.

    Done before the mail is handed over: when nobody can tell whether it left, the reader who got it can still use it.
    """
    columns = ("id", "message_id", "token_hash", "link_expires_at")
    update_rows(connection, welcome, ("id",), columns, links)


def mark_invited(connection: sa.Connection, ids: Sequence[str], *, now: datetime) -> set[str]:
    """A Welcome has left to these accounts: ``pending`` becomes ``invited``. Returns which were pending."""
    return set(connection.scalars(_INVITE, {"ids": list(ids), "now": now})) if ids else set()
