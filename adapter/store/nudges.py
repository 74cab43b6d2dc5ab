"""Charts that an EHR named as changed, until they have been read again. Named twice before that counts once.

A nudge is taken by a guarded UPDATE and a lease. It goes when its work is done, unless it was named again meanwhile
(``seq``): then the reading may have come too early, and it is due once more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from adapter.core.notice import Channel, Notice, missed
from adapter.store.sql import batches
from adapter.store.tables import Instant, nudge, push_channel

EVERYTHING = "*"
"""The nudge for whatever changed."""
MOST = 1000
"""Nudges of one practice, at most: what is named beyond that becomes one for whatever changed."""
MOST_CHANNELS = 50
LEASE = timedelta(minutes=10)
_UNKNOWN = Channel("", events=0)
"""What a notification came over that does not say."""


@dataclass(frozen=True, slots=True)
class Nudge:
    """One nudge that is ours until its lease ends."""

    ref: str
    deleted: bool
    """For ``EVERYTHING``: something was deleted that is not named singly any more."""
    attempts: int
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Heard:
    """What was last heard over one Subscription."""

    subscription: str
    status: str
    seen_at: datetime


def receive(connection: sa.Connection, practice: str, notices: Sequence[Notice], now: datetime) -> None:
    """Keeps what these notifications name, and how far each Subscription has counted; a gap asks for everything."""
    wanted: dict[str, bool] = {}
    for notice in notices:
        for ref in notice.refs:
            wanted[ref] = wanted.get(ref, False) or ref in notice.deleted
        if notice.everything:
            wanted.setdefault(EVERYTHING, False)
    for channel in {notice.channel or _UNKNOWN: None for notice in notices}:  # each once, in order
        if _note_channel(connection, practice, channel, now):
            wanted.setdefault(EVERYTHING, False)
    if wanted:
        _keep(connection, practice, _within_bounds(connection, practice, wanted), now)


def ask_for_everything(connection: sa.Connection, practice: str, *, deleted: bool, now: datetime) -> None:
    """Has whatever changed read; with ``deleted`` everything, for what is gone cannot be searched for."""
    _keep(connection, practice, {EVERYTHING: deleted}, now)


def due(connection: sa.Connection, now: datetime) -> list[str]:
    """The practices that have a nudge to work on."""
    query = sa.select(nudge.c.practice).where(_due(now)).distinct().order_by(nudge.c.practice)
    return list(connection.scalars(query).all())


def claim(connection: sa.Connection, practice: str, *, owner: str, now: datetime, limit: int) -> list[Nudge]:
    """Takes nudges that are due, longest waiting first."""
    query = sa.select(nudge.c.ref).where(nudge.c.practice == practice, _due(now)).order_by(nudge.c.received_at)
    refs = connection.scalars(query.limit(limit).with_for_update(skip_locked=True)).all()
    taken = (
        sa.update(nudge)
        .where(nudge.c.practice == practice, nudge.c.ref.in_(refs), _due(now))
        .values(lease_owner=owner, lease_until=now + LEASE, taken=nudge.c.seq)
        .returning(nudge.c.ref, nudge.c.deleted, nudge.c.attempts, nudge.c.received_at)
    )
    found = [Nudge(*row) for row in connection.execute(taken).all()] if refs else []
    return sorted(found, key=lambda one: (one.received_at, one.ref))


def done(connection: sa.Connection, practice: str, refs: Sequence[str], *, owner: str) -> None:
    """These have been read: they go, or stay due when they were named again meanwhile."""
    for batch in batches(refs):
        mine = (nudge.c.practice == practice, nudge.c.lease_owner == owner, nudge.c.ref.in_(batch))
        connection.execute(sa.delete(nudge).where(*mine, nudge.c.seq == nudge.c.taken))
        connection.execute(sa.update(nudge).where(*mine).values(lease_owner=None, lease_until=None, taken=None))


def put_off(connection: sa.Connection, practice: str, ref: str, *, owner: str, until: datetime, failed: bool) -> None:
    """This one could not be read now; ``failed`` counts as an attempt. Named again meanwhile, it does not wait."""
    mine = (nudge.c.practice == practice, nudge.c.lease_owner == owner, nudge.c.ref == ref)
    again = sa.case((nudge.c.seq == nudge.c.taken, sa.literal(until, Instant())), else_=nudge.c.next_at)
    values = {"next_at": again, "attempts": nudge.c.attempts + int(failed), "lease_owner": None, "lease_until": None}
    connection.execute(sa.update(nudge).where(*mine).values(**values, taken=None))


def waiting(connection: sa.Connection, practice: str) -> int:
    """How many nudges there are, those being worked on included."""
    query = sa.select(sa.func.count()).select_from(nudge).where(nudge.c.practice == practice)
    return connection.scalar(query) or 0


def heard(connection: sa.Connection, practice: str) -> list[Heard]:
    """What was heard over each Subscription, the latest first."""
    columns = (push_channel.c.subscription, push_channel.c.status, push_channel.c.seen_at)
    query = sa.select(*columns).where(push_channel.c.practice == practice).order_by(push_channel.c.seen_at.desc())
    return [Heard(*row) for row in connection.execute(query).all()]


def _due(now: datetime) -> sa.ColumnElement[bool]:
    free = sa.or_(nudge.c.lease_until.is_(None), nudge.c.lease_until <= now)
    return sa.and_(nudge.c.next_at <= now, free)


def _note_channel(connection: sa.Connection, practice: str, told: Channel, now: datetime) -> bool:
    """Notes a sign of life; True when events may have been lost."""
    key = (push_channel.c.practice == practice, push_channel.c.subscription == told.subscription)
    known = connection.execute(sa.select(push_channel).where(*key).with_for_update()).first()
    if known is None and _channels(connection, practice) >= MOST_CHANNELS:
        return True
    before = known.events if known else None
    counted = told.events if told.begins or told.events is None else max(told.events, before or 0)
    values: dict[str, Any] = {
        "status": told.status or (known.status if known else ""),
        "events": before if counted is None else counted,
        "seen_at": now,
    }
    insert = _insert(connection, push_channel)
    again = {name: insert.excluded[name] for name in values}
    keys = ["practice", "subscription"]
    row = {"practice": practice, "subscription": told.subscription, **values}
    connection.execute(insert.on_conflict_do_update(index_elements=keys, set_=again), [row])
    return missed(told, before)


def _channels(connection: sa.Connection, practice: str) -> int:
    query = sa.select(sa.func.count()).select_from(push_channel).where(push_channel.c.practice == practice)
    return connection.scalar(query) or 0


def _within_bounds(connection: sa.Connection, practice: str, wanted: dict[str, bool]) -> dict[str, bool]:
    """What is wanted, as long as there is room; else all that is not there yet becomes one nudge for everything."""
    known = set(connection.scalars(sa.select(nudge.c.ref).where(nudge.c.practice == practice)).all())
    if len(known | wanted.keys()) <= MOST:
        return wanted
    kept = {ref: deleted for ref, deleted in wanted.items() if ref in known}
    kept[EVERYTHING] = any(deleted for ref, deleted in wanted.items() if ref not in known)
    return kept


def _keep(connection: sa.Connection, practice: str, wanted: dict[str, bool], now: datetime) -> None:
    rows = [
        {
            "practice": practice,
            "ref": ref,
            "seq": 1,
            "deleted": deleted,
            "received_at": now,
            "next_at": now,
            "attempts": 0,
        }
        for ref, deleted in sorted(wanted.items())  # in one order, so that two writers cannot block one another
    ]
    insert = _insert(connection, nudge)
    again = {
        "seq": nudge.c.seq + 1,
        "next_at": insert.excluded.next_at,
        "attempts": 0,
        "deleted": sa.or_(nudge.c.deleted, insert.excluded.deleted),
    }
    connection.execute(insert.on_conflict_do_update(index_elements=["practice", "ref"], set_=again), rows)


def _insert(connection: sa.Connection, table: sa.Table) -> postgresql.Insert | sqlite.Insert:
    """An INSERT that can say what happens to a row that is there; its values come with the execution."""
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)
