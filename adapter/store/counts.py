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


def open_charts(connection: sa.Connection, practice: str, most: int | None = None) -> int:
    """How many charts the practice's accounts may open; nobody counts further than ``most``."""
    active = sa.and_(t.account.c.practice == practice, t.grant.c.state == GrantState.ACTIVE)
    joined = t.account.join(t.grant, t.grant.c.account_id == t.account.c.id)
    return _count(connection, sa.select(t.grant.c.patient).select_from(joined).where(active), most)


def accounts(connection: sa.Connection, practice: str, most: int | None = None) -> int:
    """How many accounts the practice has; nobody counts further than ``most``."""
    return _count(connection, sa.select(t.account.c.id).where(t.account.c.practice == practice), most)


def _count(connection: sa.Connection, rows: sa.Select[tuple[str]], most: int | None) -> int:
    return connection.scalar(sa.select(sa.func.count()).select_from(rows.limit(most).subquery())) or 0
