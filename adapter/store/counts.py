"""What brakes compare with: how many changes of each kind the last days have seen, and how much there is."""

from collections.abc import Mapping
from datetime import datetime

import sqlalchemy as sa

from adapter.core.brakes import Brake
from adapter.core.state import GrantState
from adapter.store import tables as t
from adapter.store.sql import insert_all


def done(connection: sa.Connection, practice: str, since: datetime) -> dict[Brake, int]:
    """How many changes of each kind were done after ``since``."""
    here = sa.and_(t.change_count.c.practice == practice, t.change_count.c.at > since)
    query = sa.select(t.change_count.c.brake, sa.func.sum(t.change_count.c.number)).where(here)
    return {Brake(brake): int(number) for brake, number in connection.execute(query.group_by(t.change_count.c.brake))}


def save(connection: sa.Connection, practice: str, run: int, numbers: Mapping[Brake, int], now: datetime) -> None:
    """Notes how many changes of each kind a run did."""
    rows = [
        {"practice": practice, "run": run, "brake": str(brake), "number": number, "at": now}
        for brake, number in sorted(numbers.items())
        if number
    ]
    insert_all(connection, t.change_count, rows)


def forget(connection: sa.Connection, practice: str, brakes: list[Brake]) -> None:
    """Begins to count anew: a human has looked at what was counted so far."""
    here = sa.and_(t.change_count.c.practice == practice, t.change_count.c.brake.in_([str(brake) for brake in brakes]))
    connection.execute(sa.delete(t.change_count).where(here))


def open_charts(connection: sa.Connection, practice: str) -> int:
    """How many charts the practice's accounts may open."""
    mine = sa.select(t.account.c.id).where(t.account.c.practice == practice)
    active = sa.and_(t.grant.c.state == GrantState.ACTIVE, t.grant.c.account_id.in_(mine))
    return connection.scalar(sa.select(sa.func.count()).select_from(t.grant).where(active)) or 0


def accounts(connection: sa.Connection, practice: str) -> int:
    """How many accounts the practice has."""
    mine = t.account.c.practice == practice
    return connection.scalar(sa.select(sa.func.count()).select_from(t.account).where(mine)) or 0
