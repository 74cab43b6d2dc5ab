"""What is live, what is pending and what was: a practice's pages for people and programs to look at."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from adapter.core.merchant import Merchant
from adapter.core.publication import USUAL_WAIT, WAIT_SENTENCE, PublishPlan, Revision
from adapter.core.state import WidgetState
from adapter.core.widget import Widget, widget_hash
from adapter.store import widgets
from adapter.store.engine import read

UNPUBLISHED = "unpublished"
_ON_ITS_WAY = (WidgetState.QUEUED, WidgetState.PENDING)


def status(engine: sa.Engine, merchants: Iterable[Merchant]) -> list[dict[str, Any]]:
    """Every page that was published or is to be, practice by practice: the shape of ``adapter widgets --json``.

    Times are UTC. ``live`` is what parents see (as far as the last look goes) and since when, ``pending`` what is on
    its way and until when to wait; ``charts`` how many open charts an Organization keeps. The other keys are those of
    the newest revision.
    """
    rows = []
    with read(engine) as connection:
        for merchant in merchants:
            newest = widgets.newest(connection, merchant.practice)
            seen = widgets.last_live(connection, merchant.practice)
            charts = widgets.charts(connection, merchant.practice)
            wanted = {organization for organization, widget in merchant.pages.items() if widget}
            for organization in sorted(newest.keys() | wanted):
                row = _row(merchant, organization, newest.get(organization), seen.get(organization))
                rows.append(row | {"charts": charts.get(organization, 0) if organization else None})
    return rows


def _row(merchant: Merchant, organization: str, latest: Revision | None, seen: Revision | None) -> dict[str, Any]:
    widget = latest.widget if latest else merchant.pages.get(organization)
    on_its_way = latest is not None and latest.state in _ON_ITS_WAY
    accepted = latest.accepted_at if latest else None
    wait_until = _iso(accepted + USUAL_WAIT) if accepted and on_its_way else None
    pending = latest if on_its_way else None
    return {
        "practice": merchant.practice,
        "organization": organization or None,
        "organization_name": merchant.name_of(organization) or None,
        "revision": latest.revision if latest else None,
        "hash": latest.hash if latest else None,
        **_shown(merchant, widget),
        "state": latest.state if latest else UNPUBLISHED,
        "accepted_at": _iso(accepted),
        "live_at": _iso(latest.live_at) if latest else None,
        "wait_until": wait_until,
        "rolled_back": latest is not None and not latest.follows_settings,
        "settings_differ": (latest.widget if latest else None) != merchant.pages.get(organization),
        "live": _brief(merchant, seen, since=seen.live_at if seen else None),
        "pending": (_brief(merchant, pending, since=accepted) or {}) | {"wait_until": wait_until} if pending else None,
        "note": WAIT_SENTENCE,
    }


def _brief(merchant: Merchant, revision: Revision | None, *, since: datetime | None) -> dict[str, Any] | None:
    if revision is None:
        return None
    return {"revision": revision.revision, **_shown(merchant, revision.widget), "since": _iso(since)}


def history(engine: sa.Engine, merchant: Merchant, *, limit: int | None = None) -> list[dict[str, Any]]:
    """Every revision of a practice's pages, newest first: the shape of ``adapter widgets history --json``."""
    with read(engine) as connection:
        found = widgets.history(connection, merchant.practice, limit=limit)
    return [
        {
            "practice": merchant.practice,
            "organization": one.organization or None,
            "organization_name": merchant.name_of(one.organization) or None,
            "revision": one.revision,
            "hash": one.hash,
            **_shown(merchant, one.widget),
            "state": one.state,
            "reason": one.reason,
            "created_at": _iso(one.created_at),
            "accepted_at": _iso(one.accepted_at),
            "live_at": _iso(one.live_at),
        }
        for one in found
    ]


def changes(merchant: Merchant, plan: PublishPlan) -> dict[str, Any]:
    """A plan for people and programs to look at, before it is carried out by its hash."""
    return {
        "practice": plan.practice,
        "hash": plan.hash,
        "changes": [
            {
                "organization": one.organization or None,
                "organization_name": merchant.name_of(one.organization) or None,
                "reason": one.publish.reason,
                "base": one.base or None,
                "before": _whole(merchant, one.before),
                "after": _whole(merchant, one.publish.widget),
            }
            for one in plan.changes
        ],
    }


def _shown(merchant: Merchant, widget: Widget | None) -> dict[str, Any]:
    """The lines that tell one widget from another."""
    vendor = merchant.vendors.get(widget.vendor) if widget else None
    return {
        "vendor": (widget.vendor or None) if widget else None,
        "vendor_name": vendor.name if vendor else ((widget.vendor or None) if widget else None),
        "title": (widget.title or None) if widget else None,
        "link": (widget.link or None) if widget else None,
        "warning": widget.warning.level if widget and widget.warning else None,
    }


def _whole(merchant: Merchant, widget: Widget | None) -> dict[str, Any] | None:
    """A widget with all its words."""
    if widget is None:
        return None
    warning = widget.warning
    return {
        **_shown(merchant, widget),
        "title_es": widget.title_es or None,
        "warning_en": warning.en if warning else None,
        "warning_es": (warning.es or None) if warning else None,
        "hash": widget_hash(widget),
    }


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
