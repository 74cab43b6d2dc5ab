"""Addresses that get no mail, and the Welcome emails that a report is about."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

import sqlalchemy as sa

from adapter.core.bounce import Bounce
from adapter.core.email import email_key
from adapter.core.state import AccountStatus, EffectState
from adapter.store.mail_tables import suppressed
from adapter.store.sql import upsert
from adapter.store.tables import account, effect, welcome

LATELY = timedelta(days=7)
"""A report that does not name its mail is believed about an address that was written to so lately."""
_HANDED_OVER = (EffectState.SENT, EffectState.UNKNOWN)


class About(NamedTuple):
    """The Welcome that a report is about."""

    practice: str
    welcome_id: str
    effect_id: str
    account_id: str
    email_key: str
    registered: bool


def find(connection: sa.Connection, bounce: Bounce, now: datetime) -> About | None:
    """The newest Welcome that was handed over, fits the report's Message-ID, and went to the report's address."""
    columns = (
        *(welcome.c[name] for name in ("practice", "id", "effect_id", "account_id", "email", "message_id")),
        account.c.status,
    )
    query = (
        sa.select(*columns)
        .join(effect, effect.c.id == welcome.c.effect_id)
        .join(account, account.c.id == welcome.c.account_id)
        .where(effect.c.state.in_(_HANDED_OVER))
        .order_by(effect.c.done_at.desc())
    )
    if bounce.message_id:
        query = query.where(welcome.c.message_id == bounce.message_id)
    else:
        query = query.where(account.c.email_key == bounce.email_key, effect.c.done_at > now - LATELY)
    for row in connection.execute(query.limit(10)):
        key = email_key(row.email)
        if bounce.email_key in ("", key):
            registered = row.status == AccountStatus.REGISTERED
            return About(row.practice, row.id, row.effect_id, row.account_id, key, registered)
    return None


def suppress(connection: sa.Connection, practice: str, key: str, *, reason: str, now: datetime) -> None:
    """This address gets no mail any more."""
    upsert(connection, suppressed, [{"practice": practice, "email_key": key, "reason": reason, "since": now}])


def lift(connection: sa.Connection, practice: str, key: str) -> bool:
    """A human says that the address is right. Returns whether it was suppressed."""
    here = sa.and_(suppressed.c.practice == practice, suppressed.c.email_key == key)
    return connection.execute(sa.delete(suppressed).where(here)).rowcount == 1


def among(connection: sa.Connection, practice: str, keys: Iterable[str]) -> dict[str, str]:
    """Which of these addresses are suppressed, and why."""
    wanted = sorted(set(keys))
    if not wanted:
        return {}
    here = sa.and_(suppressed.c.practice == practice, suppressed.c.email_key.in_(wanted))
    rows = connection.execute(sa.select(suppressed.c.email_key, suppressed.c.reason).where(here))
    return {row.email_key: row.reason for row in rows}


def mark_bounced(connection: sa.Connection, effect_id: str, *, error: str, now: datetime) -> bool:
    """The mail came back. Returns whether that was news."""
    handed_over = (effect.c.id == effect_id, effect.c.state.in_(_HANDED_OVER))
    values = {"state": EffectState.FAILED, "done_at": now, "next_at": None, "last_error": error}
    return connection.execute(sa.update(effect).where(*handed_over).values(values)).rowcount == 1
