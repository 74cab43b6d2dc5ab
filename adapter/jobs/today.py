"""How a practice is today: what ran, what comes next, what waits for a human, and the last thirty days."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from adapter.core.merchant import Merchant
from adapter.core.state import EffectKind, EffectState, GrantState
from adapter.jobs.pages import status as widget_status
from adapter.jobs.schedule import NextTime, next_times
from adapter.jobs.scheduled import ScheduledJob
from adapter.schedule_files import JobName
from adapter.store import accounts, findings, health, revocations, runs
from adapter.store import tables as t
from adapter.store.engine import read

DAYS = 30
MAIL = (EffectKind.WELCOME, EffectKind.NOTICE)
_MOST_RUNS = 20_000


@dataclass(frozen=True, slots=True)
class Day:
    """What one day changed."""

    day: date
    opened: int
    closed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """Everything the first page shows of a practice."""

    last_complete: datetime | None
    last_run: dict[str, Any] | None
    next_sync: NextTime | None
    findings: dict[str, int]
    """By severity."""
    held_mail: int
    held_run: int | None
    """The run whose release lets the held Welcome emails go."""
    mail: dict[str, int]
    """By state of delivery, of mail that has not arrived anywhere yet."""
    accounts: int
    suspended: list[tuple[str, str]]
    """Accounts that somebody has suspended by hand: id and name."""
    open_charts: int
    widgets: list[dict[str, Any]]
    days: list[Day]


def overview(
    engine: sa.Engine, merchant: Merchant, scheduled: Sequence[ScheduledJob], *, zone: ZoneInfo, now: datetime
) -> Overview:
    """The practice of this merchant as it is at this moment."""
    practice = merchant.practice
    mine = [job for job in scheduled if job.practice == practice and job.entry.job is JobName.SYNC]
    with read(engine) as connection:
        waiting = _mail(connection, practice)
        latest = runs.listing(connection, [practice], limit=1)
        shown = Overview(
            last_complete=health.last_complete(connection, [practice]).get(practice),
            last_run=latest[0] if latest else None,
            next_sync=next(iter(next_times(mine, now)), None),
            findings=_severities(connection, practice),
            held_mail=waiting.get(EffectState.HELD, 0),
            held_run=_held_run(connection, practice),
            mail=waiting,
            accounts=_count(connection, t.account, t.account.c.practice == practice),
            suspended=_suspended(connection, practice),
            open_charts=_open_charts(connection, practice),
            widgets=[],
            days=_days(connection, practice, zone, now),
        )
    shown.widgets.extend(widget_status(engine, [merchant]))
    return shown


def _severities(connection: sa.Connection, practice: str) -> dict[str, int]:
    counted: Counter[str] = Counter()
    for finding in findings.listing(connection, [practice]):
        counted[finding["severity"]] += 1
    return dict(counted)


def _mail(connection: sa.Connection, practice: str) -> dict[str, int]:
    effect = t.effect
    states = (
        EffectState.QUEUED,
        EffectState.SENDING,
        EffectState.UNKNOWN,
        EffectState.FAILED,
        EffectState.HELD,
    )
    here = (effect.c.practice == practice, effect.c.kind.in_(MAIL), effect.c.state.in_(states))
    query = sa.select(effect.c.state, sa.func.count()).where(*here).group_by(effect.c.state)
    return {state: count for state, count in connection.execute(query)}


def held_welcome(engine: sa.Engine, practice: str) -> tuple[int, int | None]:
    """How many first Welcome emails are held, and the run whose release lets them go."""
    with read(engine) as connection:
        return _mail(connection, practice).get(EffectState.HELD, 0), _held_run(connection, practice)


def _held_run(connection: sa.Connection, practice: str) -> int | None:
    effect = t.effect
    held = (effect.c.practice == practice, effect.c.kind == EffectKind.WELCOME, effect.c.state == EffectState.HELD)
    run: int | None = connection.scalar(sa.select(sa.func.max(effect.c.run)).where(*held))
    return run


def _count(connection: sa.Connection, table: sa.Table, here: sa.ColumnElement[bool]) -> int:
    return connection.scalar(sa.select(sa.func.count()).select_from(table).where(here)) or 0


def _suspended(connection: sa.Connection, practice: str) -> list[tuple[str, str]]:
    keys = sorted(revocations.suspensions(connection, practice))
    found = accounts.by_email(connection, practice, keys) if keys else {}
    return [(account.id, account.name or account.email) for _, account in sorted(found.items())]


def _open_charts(connection: sa.Connection, practice: str) -> int:
    joined = t.grant.join(t.account, t.account.c.id == t.grant.c.account_id)
    here = (t.account.c.practice == practice, t.grant.c.state == GrantState.ACTIVE)
    return connection.scalar(sa.select(sa.func.count()).select_from(joined).where(*here)) or 0


def _days(connection: sa.Connection, practice: str, zone: ZoneInfo, now: datetime) -> list[Day]:
    today = now.astimezone(zone).date()
    first = today - timedelta(days=DAYS - 1)
    opened: Counter[date] = Counter()
    closed: Counter[date] = Counter()
    since = datetime.combine(first, datetime.min.time(), zone)
    for run in runs.since(connection, practice, since, limit=_MOST_RUNS):
        day = datetime.fromisoformat(run["started_at"]).astimezone(zone).date()
        changes = run["changes"]
        opened[day] += changes.get("grant", 0)
        closed[day] += changes.get("end-grant", 0) + changes.get("suspend-grant", 0)
    days = [first + timedelta(days=number) for number in range(DAYS)]
    return [Day(day, opened[day], closed[day]) for day in days]
