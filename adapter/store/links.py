"""The links of Welcome emails as the store knows them: found by the hash of their token, counted, used once."""

from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa

from adapter.core.email import email_key
from adapter.core.redeem import MOST_TRIES, Link
from adapter.core.state import AccountStatus, EffectKind, EffectState
from adapter.store.ids import new_id
from adapter.store.sql import insert_all
from adapter.store.tables import account, effect, welcome


class FoundLink(NamedTuple):
    """A link with its Welcome and account."""

    welcome_id: str
    account_id: str
    email_key: str
    email: str
    language: str
    link: Link


def find(connection: sa.Connection, practice: str, token_hash: str) -> FoundLink | None:
    """The link of this token in this practice; None for one that is unknown here."""
    columns = (
        *(welcome.c[name] for name in ("id", "account_id", "link_expires_at", "link_closed_at", "link_tries")),
        welcome.c.email.label("sent_to"),
        *(account.c[name] for name in ("email_key", "email", "language", "status")),
    )
    joined = welcome.join(account, sa.and_(account.c.id == welcome.c.account_id, account.c.practice == practice))
    here = sa.and_(welcome.c.token_hash == token_hash, welcome.c.practice == practice)
    row = connection.execute(sa.select(*columns).select_from(joined).where(here)).first()
    if row is None:
        return None
    link = Link(
        status=AccountStatus(row.status),
        address_current=email_key(row.sent_to) == row.email_key,
        expires_at=row.link_expires_at,
        closed_at=row.link_closed_at,
        tries=row.link_tries,
    )
    return FoundLink(row.id, row.account_id, row.email_key, row.email, row.language, link)


def count_wrong(connection: sa.Connection, welcome_id: str, *, now: datetime) -> int:
    """One more wrong answer; returns how many are left. With the last one the link closes."""
    wrong = sa.update(welcome).where(welcome.c.id == welcome_id).values(link_tries=welcome.c.link_tries + 1)
    tries: int = connection.execute(wrong.returning(welcome.c.link_tries)).scalar_one()
    if tries >= MOST_TRIES:
        still = sa.and_(welcome.c.id == welcome_id, welcome.c.link_closed_at.is_(None))
        connection.execute(sa.update(welcome).where(still).values(link_closed_at=now))
    return max(0, MOST_TRIES - tries)


def use(connection: sa.Connection, found: FoundLink, *, practice: str, now: datetime) -> bool:
    """Uses the link up: the account is registered, its other links die, the portal is told. False: somebody was first.

    Both guards are in the UPDATE itself, so it holds whatever else goes on in the database.
    """
    mine = (welcome.c.id == found.welcome_id, welcome.c.link_closed_at.is_(None), welcome.c.link_tries < MOST_TRIES)
    if connection.execute(sa.update(welcome).where(*mine).values(link_closed_at=now)).rowcount != 1:
        return False
    invited = (
        account.c.id == found.account_id,
        account.c.email_key == found.email_key,
        account.c.status.in_((AccountStatus.PENDING, AccountStatus.INVITED)),
    )
    registered = {"status": AccountStatus.REGISTERED, "registered_at": now, "since": now}
    if connection.execute(sa.update(account).where(*invited).values(registered)).rowcount != 1:
        return False
    others = sa.and_(welcome.c.account_id == found.account_id, welcome.c.link_closed_at.is_(None))
    connection.execute(sa.update(welcome).where(others).values(link_closed_at=now))
    told = {
        "id": new_id(),
        "practice": practice,
        "kind": str(EffectKind.ACCOUNT),
        "subject": found.account_id,
        "to": found.email_key,
        "state": str(EffectState.QUEUED),
        "attempts": 0,
        "next_at": now,
        "created_at": now,
    }
    insert_all(connection, effect, [told])
    return True
