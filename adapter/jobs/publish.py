"""Publishing a practice's payment widget: the configuration becomes a revision, which is watched until it shows."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from adapter.core.audit import AuditEntry
from adapter.core.findings import Finding
from adapter.core.policy import Policy
from adapter.core.reasons import REASONS
from adapter.core.vendors import VENDORS
from adapter.core.widget import (
    USUAL_WAIT,
    WAIT_SENTENCE,
    Drift,
    Late,
    MarkLive,
    Publish,
    Revision,
    Shown,
    Widget,
    WidgetAction,
    plan_publish,
    plan_widget,
)
from adapter.portal import Portal
from adapter.store import audit, findings, widgets
from adapter.store.engine import read
from adapter.store.turns import turn

SCOPE = "widget"
_MESSAGES = {
    Late: "The published payment widget (revision {}) does not show in the portal yet.",
    Drift: "The portal shows another payment widget than the one that was published (revision {}).",
}


def publish(
    engine: sa.Engine, *, practice: str, desired: Widget | None, now: datetime, actor: str = "schedule"
) -> Revision | None:
    """Makes a new revision when the configuration asks for something no revision says yet, and queues its delivery.

    ``desired`` is None when the practice has no merchant. Returns the new revision; None when nothing changed.
    """
    with turn(engine, practice) as connection:
        actions = plan_publish(desired, widgets.latest(connection, practice))
        return _apply(connection, practice, actions, now, actor)


def watch(
    engine: sa.Engine,
    *,
    practice: str,
    desired: Widget | None,
    portal: Portal,
    policy: Policy,
    now: Callable[[], datetime],
    actor: str = "schedule",
) -> tuple[WidgetAction, ...]:
    """Looks at what parents see and moves the newest revision along: pending to live, late, or drifted.

    Publishes first whatever the configuration asks for. Returns what was done; findings are opened and closed to
    match. Raises RetriableError when the portal is not well.
    """
    home = portal.get_home()
    shown = Shown(home.widget, home.revision) if home else None
    at = now()
    with turn(engine, practice) as connection:
        actions = plan_widget(desired, widgets.latest(connection, practice), shown, at, policy)
        _apply(connection, practice, actions, at, actor)
        found = [_finding(action) for action in actions if isinstance(action, Late | Drift)]
        findings.settle(connection, practice, [SCOPE], found, at)
    return actions


def _apply(
    connection: sa.Connection, practice: str, actions: Sequence[WidgetAction], now: datetime, actor: str
) -> Revision | None:
    """Carries the actions out, each with its audit row. Returns the revision that was made, if one was."""
    made, entries = None, []
    for action in actions:
        if isinstance(action, Publish):
            made = widgets.add(connection, practice, action.widget, reason=action.reason, now=now)
            entries.append(_entry("widget-published", action.reason, practice, made.revision, actor))
        elif isinstance(action, MarkLive) and widgets.mark_live(connection, practice, action.revision, now=now):
            entries.append(_entry("widget-live", "widget-shown", practice, action.revision, actor))
        elif isinstance(action, Drift) and widgets.mark_drifted(connection, practice, action.revision):
            entries.append(_entry("widget-drifted", "widget-drift", practice, action.revision, actor))
    audit.append(connection, practice, entries, now)
    return made


def _entry(action: str, reason: str, practice: str, revision: int, actor: str) -> AuditEntry:
    detail = msgspec.json.encode({"revision": revision}).decode()
    source = f"widget/{widgets.subject(practice, revision)}"
    return AuditEntry(action=action, reason=reason, source=source, detail=detail, actor=actor)


def _finding(action: Late | Drift) -> Finding:
    reason = REASONS["widget-late" if isinstance(action, Late) else "widget-drift"]
    message = _MESSAGES[type(action)].format(action.revision)
    return Finding(code=reason.code, message=message, remedy=reason.remedy, severity=reason.finding, scope=SCOPE)


def status(engine: sa.Engine, *, practices: Sequence[str]) -> list[dict[str, Any]]:
    """The newest revision of each practice that has one: the shape of ``adapter widgets --json``. Times are UTC."""
    with read(engine) as connection:
        newest = {practice: widgets.latest(connection, practice) for practice in practices}
    return [_row(practice, revision) for practice, revision in newest.items() if revision]


def _row(practice: str, revision: Revision) -> dict[str, Any]:
    widget, accepted = revision.widget, revision.accepted_at
    vendor = VENDORS.get(widget.vendor) if widget else None
    return {
        "practice": practice,
        "revision": revision.revision,
        "vendor": widget.vendor if widget else None,
        "vendor_name": vendor.name if vendor else None,
        "title": widget.title if widget else None,
        "link": (widget.link or None) if widget else None,
        "warning": widget.warning.level if widget and widget.warning else None,
        "state": revision.state,
        "accepted_at": _iso(accepted),
        "live_at": _iso(revision.live_at),
        "wait_until": _iso(accepted + USUAL_WAIT) if accepted and revision.live_at is None else None,
        "note": WAIT_SENTENCE,
    }


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
