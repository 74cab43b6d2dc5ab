"""The widget revisions of each practice: what was published when, and how far each has come."""

from datetime import datetime

import sqlalchemy as sa

from adapter.core.state import EffectKind, EffectState, WidgetState
from adapter.core.widget import Revision, Widget, widget_from_json, widget_hash, widget_json
from adapter.store.tables import effect, widget_revision


def subject(practice: str, revision: int) -> str:
    """What a widget effect points to: ``practice/revision``."""
    return f"{practice}/{revision}"


def latest(connection: sa.Connection, practice: str) -> Revision | None:
    """The newest revision; None when nothing was ever published."""
    found = history(connection, practice, limit=1)
    return found[0] if found else None


def history(connection: sa.Connection, practice: str, *, limit: int | None = None) -> list[Revision]:
    """Revisions, newest first."""
    mine = sa.select(widget_revision).where(widget_revision.c.practice == practice)
    rows = connection.execute(mine.order_by(widget_revision.c.revision.desc()).limit(limit))
    return [
        Revision(
            revision=row.revision,
            widget=widget_from_json(row.content),
            state=WidgetState(row.state),
            created_at=row.created_at,
            accepted_at=row.accepted_at,
            live_at=row.live_at,
        )
        for row in rows
    ]


def add(connection: sa.Connection, practice: str, widget: Widget | None, *, reason: str, now: datetime) -> Revision:
    """Makes the next revision and queues its delivery; the ones before it are replaced.

    The caller has the practice to itself (``store.turns``).
    """
    before = latest(connection, practice)
    number = before.revision + 1 if before else 1
    old = (widget_revision.c.practice == practice, widget_revision.c.state != WidgetState.REPLACED)
    connection.execute(sa.update(widget_revision).where(*old).values(state=WidgetState.REPLACED))
    values = {"revision": number, "hash": widget_hash(widget), "content": widget_json(widget), "reason": reason}
    connection.execute(
        sa.insert(widget_revision).values(practice=practice, state=WidgetState.QUEUED, created_at=now, **values)
    )
    connection.execute(
        sa.insert(effect).values(
            id=f"widget-{practice}-{number}",
            practice=practice,
            kind=EffectKind.WIDGET,
            subject=subject(practice, number),
            to="home page",
            state=EffectState.QUEUED,
            attempts=0,
            next_at=now,
            created_at=now,
        )
    )
    return Revision(revision=number, widget=widget, state=WidgetState.QUEUED, created_at=now)


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
