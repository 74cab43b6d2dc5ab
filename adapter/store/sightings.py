"""What the portal was seen to have: when each account was last read back, and what the portal says of its owner."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa

from adapter.core.portal import PortalAccount
from adapter.core.state import AccountStatus, EffectKind, EffectState
from adapter.store.sql import batches, upsert
from adapter.store.tables import account, effect, sighting

_BEFORE_SIGN_IN = (AccountStatus.PENDING, AccountStatus.INVITED)


class Registered(NamedTuple):
    """An account whose owner has registered, as the store learns it."""

    id: str
    before: AccountStatus
    status: AccountStatus


class Absent(NamedTuple):
    """An account that the portal should have and a complete listing did not show."""

    id: str
    email: str


def save(connection: sa.Connection, practice: str, found: Iterable[PortalAccount], now: datetime) -> None:
    """These accounts of ours were seen in the portal now."""
    rows = [
        {
            "account_id": one.key,
            "practice": practice,
            "seen_at": now,
            "locked": one.locked,
            "last_sign_in": one.last_sign_in,
        }
        for one in found
    ]
    upsert(connection, sighting, rows)


def learn_registrations(connection: sa.Connection, found: Sequence[PortalAccount], now: datetime) -> list[Registered]:
    """Moves accounts whose owner has registered since; returns them.

    After a move to another address only a registration since the last status counts: the parent registers again.
    """
    stamps = {one.key: one.registered_at for one in found if one.registered_at is not None}
    query = sa.select(account.c.id, account.c.status, account.c.reason, account.c.since)
    learned = []
    for batch in batches(sorted(stamps)):
        rows = connection.execute(query.where(account.c.id.in_(batch), account.c.registered_at.is_(None))).all()
        for row in rows:
            at = stamps[row.id]
            if at is None or at > now or (row.reason == "email-changed" and at < row.since):
                continue
            before = AccountStatus(row.status)
            status = AccountStatus.REGISTERED if before in _BEFORE_SIGN_IN else before
            values = {"registered_at": at, "status": status, **({"since": at} if status is not before else {})}
            connection.execute(sa.update(account).where(account.c.id == row.id).values(values))
            learned.append(Registered(row.id, before, status))
    return learned


def forget(connection: sa.Connection, account_id: str, now: datetime) -> bool:
    """The portal has deleted the account: whoever had registered registers again. Returns whether somebody had."""
    connection.execute(sa.delete(sighting).where(sighting.c.account_id == account_id))
    here = sa.and_(account.c.id == account_id, account.c.registered_at.is_not(None))
    status = sa.case((account.c.status == AccountStatus.REGISTERED, str(AccountStatus.INVITED)), else_=account.c.status)
    again = sa.update(account).where(here).values(registered_at=None, status=status, since=now)
    return connection.execute(again).rowcount == 1


def known(connection: sa.Connection, keys: Collection[str]) -> set[str]:
    """Those of these keys that are accounts of ours."""
    found: set[str] = set()
    for batch in batches(sorted(keys)):
        found.update(connection.scalars(sa.select(account.c.id).where(account.c.id.in_(batch))))
    return found


def count(connection: sa.Connection, practice: str) -> int:
    """How many accounts the practice has."""
    mine = sa.select(sa.func.count()).select_from(account).where(account.c.practice == practice)
    return connection.scalar(mine) or 0


def absent(connection: sa.Connection, practice: str, *, since: datetime, after: str, limit: int) -> list[Absent]:
    """Accounts that were delivered and not seen since then, by id: the page behind ``after``."""
    delivered = sa.exists().where(
        effect.c.kind == EffectKind.ACCOUNT, effect.c.subject == account.c.id, effect.c.state == EffectState.SENT
    )
    unseen = sa.or_(sighting.c.seen_at.is_(None), sighting.c.seen_at < since)
    query = (
        sa.select(account.c.id, account.c.email)
        .select_from(account.outerjoin(sighting, sighting.c.account_id == account.c.id))
        .where(account.c.practice == practice, account.c.id > after, unseen, delivered)
    )
    return [Absent._make(row) for row in connection.execute(query.order_by(account.c.id).limit(limit))]
