"""Publishing what parents are shown: the difference between the settings, what was published and what the portal shows.

A practice has one page of its own and one for each Organization with a merchant of its own; each goes its own way.
"""

import hashlib
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

import msgspec

from adapter.core.policy import Policy
from adapter.core.state import WidgetState
from adapter.core.widget import OWN, Pages, Widget, widget_hash

USUAL_WAIT = timedelta(minutes=15)
WAIT_SENTENCE = "Portals usually show a change within 15 minutes or longer."


class Revision(msgspec.Struct, frozen=True, kw_only=True):
    """One published version of a page, as the store knows it. Revisions are counted over all pages of a practice."""

    revision: int
    widget: Widget | None
    state: WidgetState
    created_at: datetime
    accepted_at: datetime | None = None
    live_at: datetime | None = None
    organization: str = OWN
    reason: str = ""
    configured: str = ""
    """Hash of what the settings asked for when this was made; another one than its own after a rollback."""

    @property
    def hash(self) -> str:
        return widget_hash(self.widget)

    @property
    def follows_settings(self) -> bool:
        """Whether this is what the settings asked for when it was made."""
        return self.configured in ("", self.hash)


class Shown(msgspec.Struct, frozen=True):
    """What parents see now. ``revision`` is 0 when the portal cannot say which one it is."""

    widget: Widget | None
    revision: int = 0


class Publish(msgspec.Struct, frozen=True):
    """Make a new revision. ``reason`` is ``widget-`` new, changed, removed, drift, again or rollback.

    ``configured`` is the hash of what the settings ask for.
    """

    widget: Widget | None
    reason: str
    configured: str = ""


class MarkLive(msgspec.Struct, frozen=True):
    """Parents see this revision."""

    revision: int


class Late(msgspec.Struct, frozen=True):
    """This revision should have shown by now: finding ``widget-late``."""

    revision: int
    since: datetime


class Drift(msgspec.Struct, frozen=True):
    """The home page no longer shows what was live: finding ``widget-drift``."""

    revision: int


WidgetAction = Publish | MarkLive | Late | Drift


class Change(msgspec.Struct, frozen=True):
    """One page that would be published: ``before`` is the newest revision of it, ``base`` its number, 0 for none."""

    organization: str
    base: int
    before: Widget | None
    publish: Publish


class PublishPlan(msgspec.Struct, frozen=True):
    """What publishing would do to one practice; ``hash`` changes with anything in it."""

    practice: str
    changes: tuple[Change, ...]

    @property
    def hash(self) -> str:
        return hashlib.sha256(msgspec.json.encode(self, order="deterministic")).hexdigest()


def plan_pages(practice: str, desired: Pages, newest: Mapping[str, Revision], *, again: bool = False) -> PublishPlan:
    """What a human who publishes would change: every page that is not what the settings say, or that has drifted.

    With ``again`` also those that are, for a portal that has lost them.
    """
    changes = []
    for organization in sorted(desired.keys() | newest.keys()):
        latest, wanted = newest.get(organization), desired.get(organization)
        publish = _asked_for(wanted, latest, by_human=True)
        if publish is None and again and wanted is not None:
            publish = Publish(wanted, "widget-again", widget_hash(wanted))
        if publish is not None:
            changes.append(_change(organization, latest, publish))
    return PublishPlan(practice, tuple(changes))


def plan_rollback(practice: str, latest: Revision, to: Revision, desired: Pages) -> PublishPlan:
    """Publishes an earlier revision's content again; empty when the newest revision of that page shows it already.

    The settings that were in force are remembered as answered, so that only a change of them publishes by itself.
    """
    if latest.widget == to.widget and latest.state is not WidgetState.DRIFTED:
        return PublishPlan(practice, ())
    publish = Publish(to.widget, "widget-rollback", widget_hash(desired.get(to.organization)))
    return PublishPlan(practice, (_change(to.organization, latest, publish),))


def _change(organization: str, latest: Revision | None, publish: Publish) -> Change:
    return Change(organization, latest.revision if latest else 0, latest.widget if latest else None, publish)


def _asked_for(desired: Widget | None, latest: Revision | None, *, by_human: bool) -> Publish | None:
    """What the settings ask for that no revision says yet."""
    configured = widget_hash(desired)
    if latest is None:
        return Publish(desired, "widget-new", configured) if desired else None
    if latest.widget == desired:
        drifted = by_human and latest.state is WidgetState.DRIFTED
        return Publish(desired, "widget-drift", configured) if drifted else None
    if not by_human and configured == latest.configured:
        return None  # somebody has rolled back what these settings ask for
    return Publish(desired, "widget-changed" if desired else "widget-removed", configured)


def plan_widget(
    desired: Widget | None, latest: Revision | None, portal_home: Shown | None, now: datetime, policy: Policy
) -> tuple[WidgetAction, ...]:
    """What to do about one page by itself, in order; empty when everything is as it should be.

    ``desired`` is what the settings say, ``latest`` the page's newest revision, ``portal_home`` what the portal shows
    (None: nothing was ever shown). ``policy`` gives ``widget_late_minutes`` and ``republish_drift``.
    """
    publish = _asked_for(desired, latest, by_human=False)
    if publish is not None:
        return (publish,)
    return tuple(_look_after(latest, portal_home or Shown(None), now, policy)) if latest else ()


def _look_after(latest: Revision, shown: Shown, now: datetime, policy: Policy) -> Iterator[WidgetAction]:
    """What the newest revision needs, given what the portal shows."""
    if latest.state in (WidgetState.QUEUED, WidgetState.PENDING):
        visible = shown.widget == latest.widget and shown.revision in (0, latest.revision)
        since = latest.accepted_at or latest.created_at
        if visible and latest.state is WidgetState.PENDING:
            yield MarkLive(latest.revision)
        elif now - since >= timedelta(minutes=policy.widget_late_minutes):
            yield Late(latest.revision, since)
    elif shown.widget != latest.widget:
        yield Drift(latest.revision)
        if policy.republish_drift:
            yield Publish(latest.widget, "widget-drift", latest.configured)
    elif latest.state is not WidgetState.LIVE:
        yield MarkLive(latest.revision)
