"""What is written on the desk for parents: the settings' own rules, hosts that the settings name, and who wins."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from adapter.core.merchant import Merchant
from adapter.core.policy import Policy
from adapter.core.publication import Publish, Revision, Shown, plan_widget
from adapter.core.state import WidgetState
from adapter.core.vendors import Vendor
from adapter.core.widget import BillingWarning, Level, Widget
from adapter.core.widget_edit import fields_of, plan_edit, read_fields

NOW = datetime(2026, 5, 4, 9, 30, tzinfo=UTC)
VENDORS = {
    "instamed": Vendor(id="instamed", name="InstaMed", title="Pay", title_es="Pagar", hosts=("instamed.example",)),
    "url": Vendor(id="url", name="A bank", title="Pay", title_es="Pagar", link_required=True),
}
CONFIGURED = Widget("instamed", "Pay", "Pagar")
BANK = Widget(
    "url", "Pay at First Bank", "Pague aquí", "https://pay.bank.example/x", BillingWarning(Level.ALERT, "Moved")
)
MERCHANT = Merchant(
    practice="main-street", pages={"": CONFIGURED}, vendors=VENDORS, allowed={"": ("pay.bank.example",)}
)
OPEN = replace(MERCHANT, allowed={})


def test_what_is_read_is_what_was_written() -> None:
    assert read_fields(MERCHANT, "", fields_of(BANK)) == BANK
    assert read_fields(MERCHANT, "", fields_of(CONFIGURED)) == CONFIGURED
    assert read_fields(MERCHANT, "", fields_of(None)) is None


@pytest.mark.parametrize("merchant", [MERCHANT, OPEN], ids=["hosts are named", "no host is named"])
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("link", "https://pay.bank.example.evil.example/x"),
        ("link", "http://pay.bank.example/x"),
        ("en", "Pay at https://evil.example now"),
        ("es", "Pague en www.evil.example"),
        ("title", "<b>Pay</b>"),
        ("vendor", "somebody"),
    ],
)
def test_it_leads_nowhere_that_the_settings_do_not_name(merchant: Merchant, key: str, value: str) -> None:
    assert isinstance(read_fields(merchant, "", fields_of(BANK) | {key: value}), list)


def test_without_named_hosts_even_a_good_address_is_refused() -> None:
    faults = read_fields(OPEN, "", fields_of(BANK))
    assert isinstance(faults, list) and "allowed_hosts" in faults[0].problem
    assert read_fields(OPEN, "", fields_of(replace_link("")) | {"vendor": "instamed"}) != faults


def replace_link(link: str) -> Widget:
    return Widget(BANK.vendor, BANK.title, BANK.title_es, link, BANK.warning)


def test_what_was_written_stays_until_the_settings_change() -> None:
    live = Revision(revision=1, widget=CONFIGURED, state=WidgetState.LIVE, created_at=NOW)
    (change,) = plan_edit("main-street", "", live, BANK, MERCHANT.pages).changes
    assert (change.publish.reason, change.base) == ("widget-edited", 1)
    edited = Revision(
        revision=2, widget=BANK, state=WidgetState.LIVE, created_at=NOW, configured=change.publish.configured
    )
    shown = Shown(BANK, 2)
    assert plan_widget(CONFIGURED, edited, shown, NOW, Policy()) == ()
    (published,) = plan_widget(Widget("instamed", "Pay here", "Pagar"), edited, shown, NOW, Policy())
    assert isinstance(published, Publish) and published.reason == "widget-changed"


def test_what_is_published_already_changes_nothing() -> None:
    live = Revision(revision=1, widget=BANK, state=WidgetState.LIVE, created_at=NOW)
    assert not plan_edit("main-street", "", live, BANK, MERCHANT.pages).changes
