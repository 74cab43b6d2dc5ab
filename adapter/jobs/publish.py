"""Publishing what parents see for payments: a plan, applied as revisions, each watched until it shows."""

from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec
import sqlalchemy as sa

from adapter.core.audit import AuditEntry
from adapter.core.findings import Finding
from adapter.core.merchant import Merchant
from adapter.core.policy import Policy
from adapter.core.publication import (
    Drift,
    Late,
    MarkLive,
    Publish,
    PublishPlan,
    Revision,
    Shown,
    WidgetAction,
    plan_pages,
    plan_rollback,
    plan_widget,
)
from adapter.core.reasons import REASONS
from adapter.core.widget import OWN, Pages
from adapter.errors import FatalError
from adapter.portal import Portal
from adapter.store import audit, findings, widgets
from adapter.store.engine import read
from adapter.store.turns import turn

SCOPE = "widget"
_MESSAGES = {
    Late: "The published payment widget{} (revision {}) does not show in the portal yet.",
    Drift: "The portal shows another payment widget{} than the one that was published (revision {}).",
}


def plan_publish(engine: sa.Engine, *, practice: str, desired: Pages, again: bool = False) -> PublishPlan:
    """What publishing these pages would change; changes nothing. ``again`` takes in what is published already."""
    with read(engine) as connection:
        return plan_pages(practice, desired, widgets.newest(connection, practice), again=again)


def plan_back(engine: sa.Engine, *, merchant: Merchant, revision: int | None, organization: str = OWN) -> PublishPlan:
    """What going back to an earlier revision would change; changes nothing.

    ``revision`` None is the newest one before the present with another content, of that Organization's page. Raises
    FatalError when there is none, or when today's settings do not allow what it shows.
    """
    with read(engine) as connection:
        return _plan_back(connection, merchant, revision, organization)


def _plan_back(connection: sa.Connection, merchant: Merchant, revision: int | None, organization: str) -> PublishPlan:
    practice = merchant.practice
    if revision is not None:
        target = widgets.find(connection, practice, revision)
        if target is None:
            raise FatalError(f"{practice} has no revision {revision}. `adapter widgets history` lists them.")
        organization = target.organization
    past = widgets.history(connection, practice, organization=organization)
    if revision is None:
        target = next((one for one in past if one.widget != past[0].widget), None)
    if target is None:
        raise FatalError(
            f"{practice} has no earlier widget to go back to. `adapter widgets history` lists what it had."
        )
    objections = merchant.objections(organization, target.widget)
    if objections:
        faults = "; ".join(f"{fault.key} {fault.problem}" for fault in objections)
        raise FatalError(f"Revision {target.revision} may not be shown any more: {faults}. Change [practice.merchant].")
    return plan_rollback(practice, past[0], target, merchant.pages)


def publish(
    engine: sa.Engine,
    *,
    practice: str,
    desired: Pages,
    now: datetime,
    actor: str = "schedule",
    again: bool = False,
    expected: str | None = None,
) -> list[Revision]:
    """Makes a new revision of every page that is not what the settings say, and queues its delivery.

    ``desired`` has None for a page that is to show nothing. Returns the new revisions. Raises FatalError, with nothing
    done, when ``expected`` is not the hash of the plan any more.
    """
    with turn(engine, practice) as connection:
        plan = plan_pages(practice, desired, widgets.newest(connection, practice), again=again)
        return carry_out(connection, plan, now, actor, expected)


def rollback(
    engine: sa.Engine,
    *,
    merchant: Merchant,
    revision: int | None,
    organization: str = OWN,
    now: datetime,
    actor: str,
    expected: str | None = None,
) -> list[Revision]:
    """Publishes an earlier revision again, as a new one. It stays until the settings change or somebody publishes.

    Empty when that is what is published. Raises FatalError as ``plan_back`` and ``publish`` do.
    """
    with turn(engine, merchant.practice) as connection:
        plan = _plan_back(connection, merchant, revision, organization)
        return carry_out(connection, plan, now, actor, expected)


def carry_out(
    connection: sa.Connection, plan: PublishPlan, now: datetime, actor: str, expected: str | None
) -> list[Revision]:
    """Makes the plan's revisions. Raises FatalError when ``expected`` is given and is not its hash."""
    if expected is not None and plan.hash != expected:
        raise FatalError("What would be published has changed since it was shown. Look at it again, then publish.")
    made = []
    for change in plan.changes:
        made += _apply(connection, plan.practice, change.organization, [change.publish], now, actor)
    return made


def watch(
    engine: sa.Engine,
    *,
    practice: str,
    desired: Pages,
    portal: Portal,
    policy: Policy,
    now: Callable[[], datetime],
    actor: str = "schedule",
) -> tuple[WidgetAction, ...]:
    """Looks at what parents see and moves the newest revision of each page along: to live, late, or drifted.

    Publishes first whatever the settings ask for. Returns what was done; findings are opened and closed to
    match. Raises RetriableError when the portal is not well.
    """
    with read(engine) as connection:
        organizations = sorted(desired.keys() | widgets.newest(connection, practice).keys())
    if not portal.offers.home_page:
        _tell_no_place(engine, practice, desired, organizations, now())
        return ()
    homes = {organization: portal.get_home(organization) for organization in organizations}
    at = now()
    done: list[WidgetAction] = []
    with turn(engine, practice) as connection:
        for organization, home in homes.items():
            shown = Shown(home.widget, home.revision) if home else None
            latest = widgets.latest(connection, practice, organization)
            actions = plan_widget(desired.get(organization), latest, shown, at, policy)
            _apply(connection, practice, organization, actions, at, actor)
            found = [_finding(action, organization) for action in actions if isinstance(action, Late | Drift)]
            findings.settle(connection, practice, [_scope(organization)], found, at)
            done += actions
    return tuple(done)


def _tell_no_place(
    engine: sa.Engine, practice: str, desired: Pages, organizations: Sequence[str], now: datetime
) -> None:
    """One finding, as long as the settings ask for a widget: nothing that is published could ever show."""
    reason = REASONS["widget-no-place"]
    asked = any(widget is not None for widget in desired.values())
    message = "The practice's payment widget is not published: this portal has no place for it."
    finding = Finding(
        code=reason.code, message=message, remedy=reason.remedy, severity=reason.finding, scope=_scope(OWN)
    )
    with turn(engine, practice) as connection:
        scopes = [_scope(one) for one in {OWN, *organizations}]
        findings.settle(connection, practice, scopes, [finding] if asked else [], now)


def _apply(
    connection: sa.Connection,
    practice: str,
    organization: str,
    actions: Sequence[WidgetAction],
    now: datetime,
    actor: str,
) -> list[Revision]:
    """Carries one page's actions out, each with its audit row. Returns the revisions that were made."""
    made, entries = [], []
    for action in actions:
        if isinstance(action, Publish):
            made.append(widgets.add(connection, practice, action, organization=organization, now=now))
            entries.append(_entry("widget-published", action.reason, practice, made[-1].revision, actor))
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


def _scope(organization: str) -> str:
    return f"{SCOPE} {organization}" if organization else SCOPE


def _finding(action: Late | Drift, organization: str) -> Finding:
    reason = REASONS["widget-late" if isinstance(action, Late) else "widget-drift"]
    message = _MESSAGES[type(action)].format(f" of {organization}" if organization else "", action.revision)
    return Finding(
        code=reason.code, message=message, remedy=reason.remedy, severity=reason.finding, scope=_scope(organization)
    )
