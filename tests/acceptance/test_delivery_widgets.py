"""Publishing the payment widget: revision, pending, live, late, changed behind our back, taken off again."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from adapter.core.policy import Policy
from adapter.core.state import WidgetState
from adapter.core.widget import Widget
from adapter.errors import RetriableError
from adapter.jobs.publish import publish, status, watch
from adapter.mail.folder import FolderMailer
from adapter.portal import HomePage
from adapter.store import widgets
from adapter.store.engine import begin
from tests.acceptance.delivery import Outbound, PickyPortal
from tests.edges.effects import PRACTICE

OURS = Widget("instamed", "Pay your bill", "Pague su factura")
BANK = Widget("url", "Pay at First Bank", "Pay at First Bank", "https://bank.example/pay")


@pytest.fixture
def outbound(engine: sa.Engine, tmp_path: Path) -> Outbound:
    return Outbound(engine, FolderMailer(tmp_path / "mail"))


def put(outbound: Outbound, widget: Widget | None) -> int | None:
    made = publish(outbound.engine, practice=PRACTICE, desired=widget, now=outbound.at, actor="alice")
    return made.revision if made else None


def look(outbound: Outbound, desired: Widget | None, policy: Policy | None = None) -> WidgetState | None:
    """Watches once; the state of the newest revision afterwards."""
    watch(
        outbound.engine,
        practice=PRACTICE,
        desired=desired,
        portal=outbound.portal,
        policy=policy or Policy(),
        now=outbound.now,
    )
    with begin(outbound.engine) as connection:
        latest = widgets.latest(connection, PRACTICE)
    return latest.state if latest else None


def test_a_widget_is_pending_once_accepted_and_live_once_parents_see_it(outbound: Outbound) -> None:
    assert put(outbound, OURS) == 1
    assert put(outbound, OURS) is None
    assert look(outbound, OURS) is WidgetState.QUEUED
    assert outbound.deliver() == {"widget": {"sent": 1}}
    assert look(outbound, OURS) is WidgetState.PENDING
    outbound.later(minutes=14)
    assert look(outbound, OURS) is WidgetState.PENDING
    outbound.later(minutes=1)
    assert look(outbound, OURS) is WidgetState.LIVE
    assert look(outbound, OURS) is WidgetState.LIVE
    assert [action for action, _, _ in outbound.audit()] == ["widget-published", "widget-accepted", "widget-live"]
    assert outbound.findings() == []


def test_the_status_says_how_long_a_change_may_take(outbound: Outbound) -> None:
    put(outbound, BANK)
    outbound.deliver()
    (row,) = status(outbound.engine, practices=[PRACTICE, "elm-street"])
    assert row == {
        "practice": PRACTICE,
        "revision": 1,
        "vendor": "url",
        "vendor_name": "Payment page",
        "title": "Pay at First Bank",
        "link": "https://bank.example/pay",
        "warning": None,
        "state": "pending",
        "accepted_at": "2026-03-02T09:00:00Z",
        "live_at": None,
        "wait_until": "2026-03-02T09:15:00Z",
        "note": "Portals usually show a change within 15 minutes or longer.",
    }
    outbound.later(minutes=20)
    look(outbound, BANK)
    (row,) = status(outbound.engine, practices=[PRACTICE])
    assert (row["state"], row["live_at"], row["wait_until"]) == ("live", "2026-03-02T09:20:00Z", None)


def test_a_changed_configuration_replaces_what_was_on_its_way(outbound: Outbound) -> None:
    put(outbound, OURS)
    assert put(outbound, BANK) == 2
    assert outbound.deliver() == {"widget": {"cancelled": 1, "sent": 1}}
    outbound.later(minutes=15)
    assert look(outbound, BANK) is WidgetState.LIVE
    assert outbound.portal.get_home() == HomePage(practice=PRACTICE, revision=2, widget=BANK)
    with begin(outbound.engine) as connection:
        assert [one.state for one in widgets.history(connection, PRACTICE)] == [WidgetState.LIVE, WidgetState.REPLACED]


def test_a_merchant_taken_out_of_the_configuration_leaves_the_home_page(outbound: Outbound) -> None:
    assert put(outbound, None) is None
    put(outbound, OURS)
    outbound.deliver()
    outbound.later(minutes=15)
    assert put(outbound, None) == 2
    outbound.deliver()
    outbound.later(minutes=15)
    assert look(outbound, None) is WidgetState.LIVE
    assert outbound.portal.get_home() == HomePage(practice=PRACTICE, revision=2, widget=None)
    (row,) = status(outbound.engine, practices=[PRACTICE])
    assert (row["vendor"], row["link"]) == (None, None)


def test_a_widget_that_does_not_show_is_a_finding_until_it_does(outbound: Outbound) -> None:
    portal = PickyPortal(outbound.engine, practice=PRACTICE, now=outbound.now, show_after_minutes=120)
    outbound.portal = portal
    put(outbound, OURS)
    outbound.deliver()
    outbound.later(minutes=59)
    look(outbound, OURS)
    assert outbound.findings() == []
    outbound.later(minutes=1)
    assert look(outbound, OURS) is WidgetState.PENDING
    assert outbound.findings() == ["widget-late"]
    outbound.later(minutes=60)
    assert look(outbound, OURS) is WidgetState.LIVE
    assert outbound.findings() == []


def test_a_portal_that_does_not_take_the_widget_is_asked_again(outbound: Outbound) -> None:
    portal = PickyPortal(outbound.engine, practice=PRACTICE, now=outbound.now)
    portal.refuses_home = RetriableError("The portal does not answer.")
    outbound.portal = portal
    put(outbound, OURS)
    assert outbound.deliver() == {"widget": {"queued": 1}}
    assert look(outbound, OURS) is WidgetState.QUEUED
    portal.refuses_home = None
    outbound.later(seconds=30)
    assert outbound.deliver() == {"widget": {"sent": 1}}


def live(outbound: Outbound, widget: Widget) -> None:
    put(outbound, widget)
    outbound.deliver()
    outbound.later(minutes=15)
    assert look(outbound, widget) is WidgetState.LIVE


def change_by_hand(outbound: Outbound, widget: Widget | None) -> None:
    """Somebody edits the home page in the portal itself."""
    outbound.portal.put_home(HomePage(practice=PRACTICE, revision=0, widget=widget))
    outbound.later(minutes=15)


def test_a_widget_changed_in_the_portal_is_found_and_left_alone(outbound: Outbound) -> None:
    live(outbound, OURS)
    change_by_hand(outbound, BANK)
    assert look(outbound, OURS) is WidgetState.DRIFTED
    assert outbound.findings() == ["widget-drift"]
    assert look(outbound, OURS) is WidgetState.DRIFTED
    assert outbound.deliver() == {}
    change_by_hand(outbound, OURS)
    assert look(outbound, OURS) is WidgetState.LIVE
    assert outbound.findings() == []


def test_a_widget_changed_in_the_portal_is_published_again_if_the_policy_says_so(outbound: Outbound) -> None:
    live(outbound, OURS)
    change_by_hand(outbound, BANK)
    assert look(outbound, OURS, Policy(republish_drift=True)) is WidgetState.QUEUED
    assert outbound.deliver() == {"widget": {"sent": 1}}
    outbound.later(minutes=15)
    assert look(outbound, OURS, Policy(republish_drift=True)) is WidgetState.LIVE
    assert outbound.portal.get_home() == HomePage(practice=PRACTICE, revision=2, widget=OURS)
    assert outbound.findings() == []
