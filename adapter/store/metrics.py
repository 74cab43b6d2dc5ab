"""Counts for whoever watches over the service: nothing here is about a person.

Each is an index's range or a table that stays small, so that asking every fifteen seconds costs little, whatever the
practice's size. What was sent in all is counted from an index alone.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa

from adapter.core.state import EffectKind, EffectState
from adapter.store import tables as t
from adapter.store.health import WHOLE

_WAITING = (EffectState.QUEUED, EffectState.SENDING, EffectState.HELD, EffectState.UNKNOWN, EffectState.FAILED)
_MAIL = (EffectKind.WELCOME, EffectKind.NOTICE)
_DUE = (EffectState.QUEUED, EffectState.SENDING)


class LastRun(NamedTuple):
    """A practice's last run over everything, or what changed, that has ended."""

    status: str
    seconds: float
    read: dict[str, int]
    held: dict[str, int]


class Depth(NamedTuple):
    """What waits of one kind in one state, and since when."""

    practice: str
    kind: str
    state: str
    number: int
    oldest: datetime


def runs(connection: sa.Connection, practices: Sequence[str]) -> dict[tuple[str, str, str], int]:
    """How many runs there were, by practice, kind and status."""
    columns = (t.run.c.practice, t.run.c.kind, t.run.c.status)
    query = sa.select(*columns, sa.func.count()).where(t.run.c.practice.in_(practices)).group_by(*columns)
    return {(row[0], row[1], row[2]): row[3] for row in connection.execute(query)}


def last_runs(connection: sa.Connection, practices: Sequence[str]) -> dict[str, LastRun]:
    """By practice; one that never had a run is missing."""
    found = {}
    for practice in practices:
        whole = sa.and_(t.run.c.practice == practice, t.run.c.kind.in_(WHOLE), t.run.c.finished_at.is_not(None))
        row = connection.execute(sa.select(t.run).where(whole).order_by(t.run.c.id.desc()).limit(1)).first()
        if row is not None:
            report = msgspec.json.decode(row.report)
            seconds = (row.finished_at - row.started_at).total_seconds()
            found[practice] = LastRun(row.status, seconds, _counts(report, "read"), _counts(report, "held"))
    return found


def outbox(connection: sa.Connection, practices: Sequence[str]) -> list[Depth]:
    """What waits, or needs a human, by kind and state."""
    columns = (t.effect.c.practice, t.effect.c.kind, t.effect.c.state)
    query = sa.select(*columns, sa.func.count(), sa.func.min(t.effect.c.created_at)).where(
        t.effect.c.state.in_(_WAITING), t.effect.c.practice.in_(practices)
    )
    return [Depth(*row) for row in connection.execute(query.group_by(*columns))]


def mail_sent(connection: sa.Connection, practices: Sequence[str]) -> dict[tuple[str, str], int]:
    """How many mails have left in all, by practice and kind: what is done has no next time (``ix_effect_due``)."""
    columns = (t.effect.c.practice, t.effect.c.kind)
    done = sa.and_(t.effect.c.state == EffectState.SENT, t.effect.c.next_at.is_(None), t.effect.c.kind.in_(_MAIL))
    query = sa.select(*columns, sa.func.count()).where(done, t.effect.c.practice.in_(practices)).group_by(*columns)
    return {(row[0], row[1]): row[2] for row in connection.execute(query)}


def findings(connection: sa.Connection, practices: Sequence[str]) -> dict[tuple[str, str, str], int]:
    """How many findings are open, by practice, code and severity."""
    columns = (t.finding.c.practice, t.finding.c.code, t.finding.c.severity)
    query = sa.select(*columns, sa.func.count()).where(
        t.finding.c.closed_at.is_(None), t.finding.c.practice.in_(practices)
    )
    return {(row[0], row[1], row[2]): row[3] for row in connection.execute(query.group_by(*columns))}


def brakes(connection: sa.Connection, practices: Sequence[str]) -> set[tuple[str, str]]:
    """The brakes that are on: practice and kind of change, of every plan that waits for a human."""
    query = sa.select(t.held_plan.c.practice, t.held_plan.c.brakes).where(
        t.held_plan.c.closed_at.is_(None), t.held_plan.c.practice.in_(practices)
    )
    return {(row.practice, brake) for row in connection.execute(query) for brake in msgspec.json.decode(row.brakes)}


def oldest_due(depths: Sequence[Depth]) -> dict[tuple[str, str], datetime]:
    """Since when the oldest that is to be delivered waits, by practice and kind."""
    found: dict[tuple[str, str], datetime] = {}
    for one in depths:
        if one.state in _DUE:
            key = (one.practice, one.kind)
            found[key] = min(one.oldest, found.get(key, one.oldest))
    return found


def _counts(report: dict[str, Any], name: str) -> dict[str, int]:
    return {key: value for key, value in report.get(name, {}).items() if isinstance(value, int)}
