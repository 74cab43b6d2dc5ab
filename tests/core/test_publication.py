"""Publishing what parents are shown: the next step of a page, what a human would publish, and going back."""

from datetime import UTC, datetime, timedelta

import pytest

from adapter.core.policy import Policy
from adapter.core.publication import (
    Drift,
    Late,
    MarkLive,
    Publish,
    Revision,
    Shown,
    WidgetAction,
    plan_pages,
    plan_rollback,
    plan_widget,
)
from adapter.core.state import WidgetState
from adapter.core.widget import OWN, Widget, widget_hash

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
OURS = Widget("instamed", "Pay your bill", "Pague su factura")
OTHER = Widget("url", "Pay online", "Pay online", "https://pay.bank.example/x")
OURS_HASH, OTHER_HASH, NOTHING = widget_hash(OURS), widget_hash(OTHER), widget_hash(None)
QUEUED, PENDING, LIVE, DRIFTED = WidgetState.QUEUED, WidgetState.PENDING, WidgetState.LIVE, WidgetState.DRIFTED


def revision(state: WidgetState, minutes: int = 0, widget: Widget | None = OURS) -> Revision:
    """Revision 2, made and (unless still queued) accepted this many minutes ago."""
    at = NOW - timedelta(minutes=minutes)
    accepted = None if state is QUEUED else at
    return Revision(
        revision=2, widget=widget, state=state, created_at=at, accepted_at=accepted, configured=widget_hash(widget)
    )


@pytest.mark.parametrize(
    ("desired", "latest", "shown", "actions"),
    [
        # Nothing was ever published.
        (None, None, None, ()),
        (OURS, None, None, (Publish(OURS, "widget-new", OURS_HASH),)),
        (OURS, None, Shown(OTHER), (Publish(OURS, "widget-new", OURS_HASH),)),
        # The configuration has changed.
        (OTHER, revision(LIVE), Shown(OURS, 2), (Publish(OTHER, "widget-changed", OTHER_HASH),)),
        (OTHER, revision(QUEUED), None, (Publish(OTHER, "widget-changed", OTHER_HASH),)),
        (None, revision(LIVE), Shown(OURS, 2), (Publish(None, "widget-removed", NOTHING),)),
        (None, revision(LIVE, widget=None), Shown(None, 2), ()),
        # On its way: 15 minutes or longer are normal, an hour is late.
        (OURS, revision(QUEUED), None, ()),
        (OURS, revision(QUEUED, 60), None, (Late(2, NOW - timedelta(minutes=60)),)),
        (OURS, revision(PENDING, 15), None, ()),
        (OURS, revision(PENDING, 59), Shown(OTHER, 1), ()),
        (OURS, revision(PENDING, 60), Shown(OTHER, 1), (Late(2, NOW - timedelta(minutes=60)),)),
        (OURS, revision(PENDING, 20), Shown(OURS, 2), (MarkLive(2),)),
        (OURS, revision(PENDING, 90), Shown(OURS), (MarkLive(2),)),
        # The same content, but still from the revision before: it will go away again before it comes back.
        (OURS, revision(PENDING, 5), Shown(OURS, 1), ()),
        # Live.
        (OURS, revision(LIVE), Shown(OURS, 2), ()),
        (OURS, revision(LIVE), Shown(OTHER), (Drift(2),)),
        (OURS, revision(LIVE), None, (Drift(2),)),
        (OURS, revision(DRIFTED), Shown(OTHER), (Drift(2),)),
        (OURS, revision(DRIFTED), Shown(OURS), (MarkLive(2),)),
    ],
)
def test_what_to_do_about_the_widget(
    desired: Widget | None, latest: Revision | None, shown: Shown | None, actions: tuple[WidgetAction, ...]
) -> None:
    assert plan_widget(desired, latest, shown, NOW, Policy()) == actions


@pytest.mark.parametrize("state", [LIVE, DRIFTED])
def test_a_widget_changed_behind_our_back_is_published_again_only_if_the_policy_says_so(state: WidgetState) -> None:
    actions = plan_widget(OURS, revision(state), Shown(OTHER), NOW, Policy(republish_drift=True))
    assert actions == (Drift(2), Publish(OURS, "widget-drift", OURS_HASH))


def test_when_a_widget_is_late_is_the_practices_policy() -> None:
    assert plan_widget(OURS, revision(PENDING, 60), None, NOW, Policy(widget_late_minutes=61)) == ()


NORTH = "Organization/2"


def test_each_organization_is_planned_by_itself() -> None:
    newest = {OWN: revision(LIVE), "Organization/gone": revision(LIVE, widget=OTHER)}
    plan = plan_pages("main-street", {OWN: OURS, NORTH: OTHER}, newest)
    assert [(one.organization, one.publish.reason, one.base) for one in plan.changes] == [
        (NORTH, "widget-new", 0),
        ("Organization/gone", "widget-removed", 2),
    ]


def test_nothing_is_planned_where_nothing_changed_unless_a_human_publishes_again() -> None:
    newest = {OWN: revision(PENDING)}
    assert plan_pages("main-street", {OWN: OURS}, newest).changes == ()
    again = plan_pages("main-street", {OWN: OURS}, newest, again=True)
    assert [one.publish for one in again.changes] == [Publish(OURS, "widget-again", OURS_HASH)]
    assert plan_pages("main-street", {OWN: None}, {}, again=True).changes == ()


def test_a_human_who_publishes_puts_back_what_somebody_changed_in_the_portal() -> None:
    (change,) = plan_pages("main-street", {OWN: OURS}, {OWN: revision(DRIFTED)}).changes
    assert change.publish == Publish(OURS, "widget-drift", OURS_HASH)


def test_a_plan_has_another_hash_when_anything_in_it_is_different() -> None:
    plans = [
        plan_pages("main-street", {OWN: OURS}, {}),
        plan_pages("elm-street", {OWN: OURS}, {}),
        plan_pages("main-street", {OWN: OTHER}, {}),
        plan_pages("main-street", {OWN: OTHER}, {OWN: revision(LIVE)}),
        plan_pages("main-street", {OWN: OURS}, {OWN: revision(DRIFTED)}),
    ]
    assert len({plan.hash for plan in plans}) == len(plans)
    assert plans[0].hash == plan_pages("main-street", {OWN: OURS}, {}).hash


def back(to: Widget | None, latest: Revision, desired: Widget | None) -> tuple[Publish, ...]:
    old = Revision(revision=1, widget=to, state=WidgetState.REPLACED, created_at=NOW)
    return tuple(change.publish for change in plan_rollback("main-street", latest, old, {OWN: desired}).changes)


def test_a_rollback_stays_until_the_settings_change_or_somebody_publishes() -> None:
    (publish,) = back(OURS, revision(LIVE, widget=OTHER), OTHER)
    assert publish == Publish(OURS, "widget-rollback", OTHER_HASH)
    rolled = Revision(revision=3, widget=OURS, state=LIVE, created_at=NOW, live_at=NOW, configured=publish.configured)
    assert not rolled.follows_settings
    assert plan_widget(OTHER, rolled, Shown(OURS, 3), NOW, Policy()) == ()
    third = Widget("url", "Third", "Third", "https://third.example/")
    assert plan_widget(third, rolled, Shown(OURS, 3), NOW, Policy()) == (
        Publish(third, "widget-changed", widget_hash(third)),
    )
    (change,) = plan_pages("main-street", {OWN: OTHER}, {OWN: rolled}).changes
    assert change.publish == Publish(OTHER, "widget-changed", OTHER_HASH)


def test_a_rolled_back_widget_that_drifts_is_put_back_and_not_what_the_settings_say() -> None:
    rolled = Revision(revision=3, widget=OURS, state=LIVE, created_at=NOW, configured=OTHER_HASH)
    actions = plan_widget(OTHER, rolled, Shown(OTHER), NOW, Policy(republish_drift=True))
    assert actions == (Drift(3), Publish(OURS, "widget-drift", OTHER_HASH))


def test_going_back_to_what_is_published_is_nothing_to_do_unless_it_drifted() -> None:
    assert back(OURS, revision(LIVE), OURS) == ()
    assert back(OURS, revision(DRIFTED), OURS) == (Publish(OURS, "widget-rollback", OURS_HASH),)
