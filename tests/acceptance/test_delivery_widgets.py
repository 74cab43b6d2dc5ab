"""Publishing the payment widget: revision, pending, live, late, changed behind our back, taken off again."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from adapter.core.merchant import Merchant
from adapter.core.policy import Policy
from adapter.core.state import WidgetState
from adapter.core.widget import OWN, Widget, widget_hash
from adapter.errors import FatalError, RetriableError
from adapter.jobs.pages import history, status
from adapter.jobs.publish import plan_back, plan_publish, publish, rollback, watch
from adapter.mail.folder import FolderMailer
from adapter.portal import HomePage, Offers
from adapter.store import widgets
from adapter.store.engine import begin
from tests.acceptance.delivery import Outbound, PickyPortal
from tests.core.vendors import VENDORS
from tests.edges.effects import PRACTICE

OURS = Widget("instamed", "Pay your bill", "Pague su factura")
BANK = Widget("url", "Pay at First Bank", "Pay at First Bank", "https://bank.example/pay")


@pytest.fixture
def outbound(engine: sa.Engine, tmp_path: Path) -> Outbound:
    return Outbound(engine, FolderMailer(tmp_path / "mail"))


def merchant(widget: Widget | None) -> Merchant:
    """The practice's settings when they ask for this widget."""
    return Merchant(practice=PRACTICE, pages={OWN: widget}, vendors=VENDORS)


def put(outbound: Outbound, widget: Widget | None) -> int | None:
    made = publish(outbound.engine, practice=PRACTICE, desired={OWN: widget}, now=outbound.at, actor="alice")
    return made[0].revision if made else None


def look(outbound: Outbound, desired: Widget | None, policy: Policy | None = None) -> WidgetState | None:
    """Watches once; the state of the newest revision afterwards."""
    watch(
        outbound.engine,
        practice=PRACTICE,
        desired={OWN: desired},
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
    (row,) = status(
        outbound.engine, [merchant(BANK), Merchant(practice="elm-street", pages={OWN: None}, vendors=VENDORS)]
    )
    brief = {"revision": 1, "vendor": "url", "vendor_name": "Payment page", "title": "Pay at First Bank"}
    brief |= {"link": "https://bank.example/pay", "warning": None, "since": "2026-03-02T09:00:00Z"}
    assert row == {
        "practice": PRACTICE,
        "organization": None,
        "organization_name": None,
        "revision": 1,
        "hash": widget_hash(BANK),
        "vendor": "url",
        "vendor_name": "Payment page",
        "title": "Pay at First Bank",
        "link": "https://bank.example/pay",
        "warning": None,
        "state": "pending",
        "accepted_at": "2026-03-02T09:00:00Z",
        "live_at": None,
        "wait_until": "2026-03-02T09:15:00Z",
        "rolled_back": False,
        "settings_differ": False,
        "live": None,
        "pending": brief | {"wait_until": "2026-03-02T09:15:00Z"},
        "note": "Portals usually show a change within 15 minutes or longer.",
        "charts": None,
    }
    outbound.later(minutes=20)
    look(outbound, BANK)
    (row,) = status(outbound.engine, [merchant(BANK)])
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
    (row,) = status(outbound.engine, [merchant(None)])
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


class NoPlace(PickyPortal):
    """A portal that is only about accounts."""

    offers = Offers(registration=True)


def test_a_portal_without_a_place_for_the_widget_is_told_once_and_nothing_is_queued(outbound: Outbound) -> None:
    outbound.portal = NoPlace(outbound.engine, practice=PRACTICE, now=outbound.now)
    for _ in range(2):
        assert look(outbound, OURS) is None
        assert outbound.findings() == ["widget-no-place"]
        outbound.later(minutes=120)
    look(outbound, None)
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


def test_an_accepted_change_is_pending_while_parents_still_see_the_old_one(outbound: Outbound) -> None:
    live(outbound, OURS)
    put(outbound, BANK)
    outbound.deliver()
    look(outbound, BANK)
    (row,) = status(outbound.engine, [merchant(BANK)])
    assert (row["live"]["revision"], row["live"]["vendor"], row["live"]["since"]) == (
        1,
        "instamed",
        "2026-03-02T09:15:00Z",
    )
    assert (row["pending"]["revision"], row["pending"]["wait_until"]) == (2, "2026-03-02T09:30:00Z")


def test_a_rollback_is_a_new_revision_that_the_schedule_leaves_alone(outbound: Outbound) -> None:
    live(outbound, OURS)
    live(outbound, BANK)
    (made,) = rollback(outbound.engine, merchant=merchant(BANK), revision=None, now=outbound.at, actor="alice")
    assert (made.revision, made.widget) == (3, OURS)
    outbound.deliver()
    outbound.later(minutes=15)
    assert look(outbound, BANK) is WidgetState.LIVE
    assert look(outbound, BANK) is WidgetState.LIVE
    (row,) = status(outbound.engine, [merchant(BANK)])
    assert (row["revision"], row["rolled_back"], row["settings_differ"]) == (3, True, True)
    assert put(outbound, BANK) == 4
    assert [reason for action, _, reason in outbound.audit() if action == "widget-published"] == [
        "widget-new",
        "widget-changed",
        "widget-rollback",
        "widget-changed",
    ]


def test_a_revision_that_todays_settings_forbid_is_not_gone_back_to(outbound: Outbound) -> None:
    live(outbound, BANK)
    live(outbound, OURS)
    strict = Merchant(practice=PRACTICE, pages={OWN: OURS}, vendors=VENDORS, allowed={OWN: ("instamed.com",)})
    with pytest.raises(FatalError, match="not allowed"):
        rollback(outbound.engine, merchant=strict, revision=1, now=outbound.at, actor="alice")
    for revision, words in ((9, "no revision 9"), (None, "may not be shown any more")):
        with pytest.raises(FatalError, match=words):
            plan_back(outbound.engine, merchant=strict, revision=revision)


def test_a_plan_that_was_shown_is_carried_out_exactly_or_not_at_all(outbound: Outbound) -> None:
    shown = plan_publish(outbound.engine, practice=PRACTICE, desired={OWN: BANK})
    put(outbound, OURS)
    with pytest.raises(FatalError, match="has changed since"):
        publish(outbound.engine, practice=PRACTICE, desired={OWN: BANK}, now=outbound.at, expected=shown.hash)
    assert [row["revision"] for row in history(outbound.engine, merchant(BANK))] == [1]
    shown = plan_publish(outbound.engine, practice=PRACTICE, desired={OWN: BANK})
    assert publish(outbound.engine, practice=PRACTICE, desired={OWN: BANK}, now=outbound.at, expected=shown.hash)


def test_each_organizations_page_goes_its_own_way(outbound: Outbound) -> None:
    pages = {OWN: OURS, "Organization/2": BANK}
    made = publish(outbound.engine, practice=PRACTICE, desired=pages, now=outbound.at)
    assert [(one.revision, one.organization) for one in made] == [(1, OWN), (2, "Organization/2")]
    assert outbound.deliver() == {"widget": {"sent": 2}}
    outbound.later(minutes=15)
    watch(outbound.engine, practice=PRACTICE, desired=pages, portal=outbound.portal, policy=Policy(), now=outbound.now)
    outbound.portal.put_home(HomePage(practice=PRACTICE, revision=0, widget=OURS, organization="Organization/2"))
    outbound.later(minutes=15)
    watch(outbound.engine, practice=PRACTICE, desired=pages, portal=outbound.portal, policy=Policy(), now=outbound.now)
    several = Merchant(practice=PRACTICE, pages=pages, vendors=VENDORS, names={"Organization/2": "North"})
    own, north = status(outbound.engine, [several])
    assert (own["state"], north["state"], north["organization_name"]) == ("live", "drifted", "North")
    assert outbound.findings() == ["widget-drift"]
