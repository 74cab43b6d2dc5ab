"""The widget revisions of each practice and its Organizations: what was published when, and how far each has come."""

from datetime import datetime

import sqlalchemy as sa

from adapter.core.publication import Publish, Revision
from adapter.core.state import EffectKind, EffectState, GrantState, WidgetState
from adapter.core.widget import OWN, widget_from_json, widget_hash, widget_json
from adapter.store.tables import account, effect, grant, widget_revision


def subject(practice: str, revision: int) -> str:
    """What a widget effect points to: ``practice/revision``."""
    return f"{practice}/{revision}"


def latest(connection: sa.Connection, practice: str, organization: str = OWN) -> Revision | None:
    """The newest revision of one page; None when nothing was ever published there."""
    found = history(connection, practice, organization=organization, limit=1)
    return found[0] if found else None


def newest(connection: sa.Connection, practice: str) -> dict[str, Revision]:
    """The newest revision of every page that was ever published, by Organization."""
    rows = widget_revision.alias("later")
    last = sa.select(sa.func.max(rows.c.revision)).where(
        rows.c.practice == widget_revision.c.practice, rows.c.organization == widget_revision.c.organization
    )
    found = _read(connection, practice, widget_revision.c.revision == last.scalar_subquery())
    return {one.organization: one for one in found}


def last_live(connection: sa.Connection, practice: str) -> dict[str, Revision]:
    """The newest revision of every page that parents have seen, by Organization."""
    found: dict[str, Revision] = {}
    for one in _read(connection, practice, widget_revision.c.live_at.is_not(None)):
        found.setdefault(one.organization, one)
    return found


def charts(connection: sa.Connection, practice: str) -> dict[str, int]:
    """How many open charts each Organization keeps; ``OWN`` has those that name none."""
    opened = sa.and_(account.c.practice == practice, grant.c.state == GrantState.ACTIVE)
    query = (
        sa.select(grant.c.organization, sa.func.count(sa.distinct(grant.c.patient)))
        .join(account, account.c.id == grant.c.account_id)
        .where(opened)
        .group_by(grant.c.organization)
    )
    return {organization: number for organization, number in connection.execute(query)}


def find(connection: sa.Connection, practice: str, revision: int) -> Revision | None:
    """One revision; None when there is none of that number."""
    found = _read(connection, practice, widget_revision.c.revision == revision)
    return found[0] if found else None


def history(
    connection: sa.Connection, practice: str, *, organization: str | None = None, limit: int | None = None
) -> list[Revision]:
    """Revisions, newest first: of one page, or of all."""
    here = [] if organization is None else [widget_revision.c.organization == organization]
    return _read(connection, practice, *here, limit=limit)


def _read(
    connection: sa.Connection, practice: str, *which: sa.ColumnElement[bool], limit: int | None = None
) -> list[Revision]:
    mine = sa.select(widget_revision).where(widget_revision.c.practice == practice, *which)
    rows = connection.execute(mine.order_by(widget_revision.c.revision.desc()).limit(limit))
    return [
        Revision(
            revision=row.revision,
            widget=widget_from_json(row.content),
            state=WidgetState(row.state),
            created_at=row.created_at,
            accepted_at=row.accepted_at,
            live_at=row.live_at,
            organization=row.organization,
            reason=row.reason,
            configured=row.configured,
        )
        for row in rows
    ]


def add(
    connection: sa.Connection, practice: str, publish: Publish, *, organization: str = OWN, now: datetime
) -> Revision:
    """Makes the next revision of a page and queues its delivery; the ones before it are replaced.

    The caller has the practice to itself (``store.turns``).
    """
    before = history(connection, practice, limit=1)
    number = before[0].revision + 1 if before else 1
    old = (
        widget_revision.c.practice == practice,
        widget_revision.c.organization == organization,
        widget_revision.c.state != WidgetState.REPLACED,
    )
    connection.execute(sa.update(widget_revision).where(*old).values(state=WidgetState.REPLACED))
    configured = publish.configured or widget_hash(publish.widget)
    values = {
        "revision": number,
        "organization": organization,
        "hash": widget_hash(publish.widget),
        "configured": configured,
        "content": widget_json(publish.widget),
        "reason": publish.reason,
    }
    connection.execute(
        sa.insert(widget_revision).values(practice=practice, state=WidgetState.QUEUED, created_at=now, **values)
    )
    connection.execute(
        sa.insert(effect).values(
            id=f"widget-{practice}-{number}",
            practice=practice,
            kind=EffectKind.WIDGET,
            subject=subject(practice, number),
            to=f"home page of {organization}" if organization else "home page",
            state=EffectState.QUEUED,
            attempts=0,
            next_at=now,
            created_at=now,
        )
    )
    return Revision(
        revision=number,
        widget=publish.widget,
        state=WidgetState.QUEUED,
        created_at=now,
        organization=organization,
        reason=publish.reason,
        configured=configured,
    )


def revision_of(subject: str) -> int:
    """The inverse of ``subject``, as far as the number goes."""
    return int(subject.rpartition("/")[2])


def mark_accepted(connection: sa.Connection, practice: str, revision: int, *, now: datetime) -> bool:
    """The portal took it: ``queued`` becomes ``pending``. False when it was no longer queued."""
    return _move(
        connection, practice, revision, (WidgetState.QUEUED,), {"state": WidgetState.PENDING, "accepted_at": now}
    )


def mark_live(connection: sa.Connection, practice: str, revision: int, *, now: datetime) -> bool:
    """Parents see it. False when it was replaced meanwhile, or is live already."""
    before = (WidgetState.PENDING, WidgetState.DRIFTED)
    return _move(connection, practice, revision, before, {"state": WidgetState.LIVE, "live_at": now})


def mark_drifted(connection: sa.Connection, practice: str, revision: int) -> bool:
    """Parents see something else than what was live. False when that was known already."""
    return _move(connection, practice, revision, (WidgetState.LIVE,), {"state": WidgetState.DRIFTED})


def _move(
    connection: sa.Connection, practice: str, revision: int, before: tuple[WidgetState, ...], values: dict[str, object]
) -> bool:
    guard = (
        widget_revision.c.practice == practice,
        widget_revision.c.revision == revision,
        widget_revision.c.state.in_(before),
    )
    return connection.execute(sa.update(widget_revision).where(*guard).values(**values)).rowcount == 1
