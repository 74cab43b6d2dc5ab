"""The payment widget and the Billing warning: what they may contain, and who sees which."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.core.merchant import Merchant, WidgetFault
from adapter.core.preview import preview
from adapter.core.widget import (
    OWN,
    BillingWarning,
    Level,
    Widget,
    pages_for,
    widget_from_json,
    widget_hash,
    widget_json,
)
from tests.core.vendors import VENDORS, read

OURS = Widget("instamed", "Pay your bill", "Pague su factura")
OTHER = Widget("url", "Pay online", "Pay online", "https://pay.bank.example/x")


def test_instamed_is_the_preferred_vendor_and_needs_nothing_but_its_name() -> None:
    assert VENDORS["instamed"].preferred
    assert read({"vendor": "instamed"}) == OURS


def test_a_bank_paid_through_a_url_becomes_a_custom_widget_with_a_billing_warning() -> None:
    widget = read(
        {
            "vendor": "url",
            "title": "Pay at First Bank",
            "title_es": "Pague en First Bank",
            "link": "https://pay.bank.example/practice/1",
            "allowed_hosts": ("pay.bank.example",),
            "warning": {"level": "alert", "en": "Cards are charged 3 % more.", "es": "Las tarjetas pagan 3 % más."},
        }
    )
    assert isinstance(widget, Widget)
    assert widget.link == "https://pay.bank.example/practice/1"
    assert widget.warning is not None
    assert (widget.warning.level, widget.warning.es) == ("alert", "Las tarjetas pagan 3 % más.")


def test_without_spanish_texts_a_title_of_ones_own_is_shown_in_both_languages() -> None:
    widget = read({"vendor": "url", "title": "First Bank", "link": "https://bank.example/"})
    assert isinstance(widget, Widget)
    assert widget.title_es == "First Bank"


URL = {"vendor": "url", "link": "https://pay.bank.example/"}


@pytest.mark.parametrize(
    ("merchant", "key", "problem"),
    [
        ({"vendor": "paypal"}, "vendor", "must be one of instamed, url"),
        ({}, "vendor", "nothing to show"),
        ({"title": "Pay", "warning": {"en": "Closed."}}, "title", "of no use without a vendor"),
        ({"vendor": "url"}, "link", "is missing"),
        (URL | {"link": "http://pay.bank.example/"}, "link", "https"),
        (URL | {"link": "javascript:alert(1)"}, "link", "https"),
        (URL | {"link": "https://"}, "link", "https"),
        (URL | {"link": "https://user:secret@pay.bank.example/"}, "link", "user name"),
        (URL | {"link": "https://pay.bank.example:8443/"}, "link", "port"),
        (URL | {"link": "https://pay.bank.example/a b"}, "link", "spaces"),
        (URL | {"link": "https://pay.bank.example/\n"}, "link", "spaces"),
        (URL | {"link": "https://pаy.bank.example/"}, "link", "ASCII"),  # a Cyrillic а
        (URL | {"link": "https://pay.bank.example\\@evil.example/"}, "link", "spaces"),
        (URL | {"link": "https://[::1/"}, "link", "not a web address"),
        (URL | {"link": "https://[::1]/"}, "link", "public internet"),
        (URL | {"link": "https://127.0.0.1/"}, "link", "public internet"),
        (URL | {"link": "https://2130706433/"}, "link", "public internet"),
        (URL | {"link": "https://0x7f.1/"}, "link", "public internet"),
        (URL | {"link": "https://localhost/"}, "link", "public internet"),
        (URL | {"link": "https://pay.localhost/"}, "link", "public internet"),
        (URL | {"link": "https://pay.bank.example./"}, "link", "public internet"),
        (URL | {"link": "https://pay.bank.example%2f.evil.example/"}, "link", "public internet"),
        (URL | {"link": "https://xn--pypal-4ve.com/"}, "link", "list it in allowed_hosts"),
        (URL | {"link": "//pay.bank.example/"}, "link", "https"),
        (URL | {"link": "https:pay.bank.example"}, "link", "https"),
        (
            URL | {"allowed_hosts": ["bank.example", "x.example"], "link": "https://evilbank.example/"},
            "link",
            "not allowed",
        ),
        ({"vendor": "instamed", "link": "https://instamed.com.evil.example/"}, "link", "not allowed"),
        (URL | {"link": "https://pay.bank.example/" + "x" * 2000}, "link", "at most 2000"),
        (URL | {"title": "x" * 81}, "title", "at most 80"),
        (URL | {"title": "<b>Pay</b>"}, "title", "plain text"),
        (URL | {"title_es": "Pague\u202eahora"}, "title_es", "invisible"),
        (URL | {"title": "Pay\u2028now"}, "title", "invisible"),
        (URL | {"title": "Pay\u3164now"}, "title", "invisible"),
        (URL | {"title": "P\u0336\u0335\u0334\u0333ay"}, "title", "marks on one letter"),
        (URL | {"title": "Pay at www.evil.example"}, "title", "must not contain an address"),
        (URL | {"title_es": "javascript:alert(1)"}, "title_es", "must not contain an address"),
        (URL | {"warning": {"en": "Pay at http://pay.bank.example/ now"}}, "warning.en", "https"),
        (URL | {"warning": {"en": "x", "es": "data:text/html,boo"}}, "warning.es", "https"),
        (
            URL | {"allowed_hosts": ["bank.example"], "warning": {"en": "See https://evil.example."}},
            "warning.en",
            "not allowed",
        ),
        (URL | {"warning": {"level": "red", "en": "x"}}, "warning.level", "info, warning, alert"),
        (URL | {"warning": {"level": "info", "es": "x"}}, "warning.en", "missing"),
        (URL | {"warning": {"en": "one\ntwo"}}, "warning.en", "line break"),
        (URL | {"warning": {"en": "x", "es": "y" * 501}}, "warning.es", "at most 500"),
    ],
)
def test_what_is_wrong_with_a_merchant_is_named(merchant: dict[str, Any], key: str, problem: str) -> None:
    faults = read(merchant)
    assert isinstance(faults, list)
    assert [fault.key for fault in faults] == [key]
    assert problem in faults[0].problem


def test_all_faults_are_listed_at_once() -> None:
    faults = read(
        {
            "vendor": "url",
            "title": "<",
            "title_es": "\x07",
            "link": "http://u@h.example:1/",
            "warning": {"level": "x", "en": ""},
        }
    )
    assert isinstance(faults, list)
    assert [fault.key for fault in faults] == [
        "title",
        "title_es",
        "link",
        "link",
        "link",
        "warning.level",
        "warning.en",
    ]


@pytest.mark.parametrize(
    "link", ["https://instamed.com/x", "https://pay.instamed.com/x?id=1", "https://PAY.INSTAMED.COM/"]
)
def test_instameds_own_pages_are_allowed(link: str) -> None:
    assert isinstance(read({"vendor": "instamed", "link": link}), Widget)


@given(st.text(max_size=90), st.text(max_size=520), st.text(max_size=40))
def test_no_markup_and_no_control_character_ever_gets_into_a_widget(title: str, warning: str, path: str) -> None:
    made = read({"vendor": "url", "title": title, "link": f"https://bank.example/{path}", "warning": {"en": warning}})
    if isinstance(made, list):
        assert all(isinstance(fault, WidgetFault) for fault in made)
        return
    text = widget_json(made)
    assert not any(char in text for char in "<>\n\r\x00\u202e")
    assert made.link.startswith("https://bank.example/")
    assert widget_from_json(text) == made


def test_the_same_widget_has_the_same_hash_and_any_change_another_one() -> None:
    assert widget_hash(OURS) == widget_hash(Widget("instamed", "Pay your bill", "Pague su factura"))
    assert len({widget_hash(OURS), widget_hash(OTHER), widget_hash(None)}) == 3


def test_a_warning_alone_needs_no_vendor() -> None:
    warning = {"level": "alert", "en": "Pay at https://pay.bank.example/x.", "es": "Pague en la ventanilla."}
    widget = read({"allowed_hosts": ["bank.example"], "warning": warning})
    assert widget == Widget("", "", "", "", BillingWarning(Level.ALERT, warning["en"], warning["es"]))
    assert isinstance(widget, Widget) and not widget.has_tile


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example/#pay.bank.example",
        "https://evil.example/?to=https://pay.bank.example/",
        "https://pay.bank.example.evil.example/",
        "https://pay-bank.example/",
        "https://evil.example/pay.bank.example",
        "https://pay.bank.example:@evil.example/",
        "https://evil.example;pay.bank.example/",
        "https://pay.bank.example%00.evil.example/",
        "https://pay.bank.example%23@evil.example/",
        "HTTPS://EVIL.EXAMPLE/",
        "https:\\\\pay.bank.example/",
        "https:/pay.bank.example/",
        " https://pay.bank.example/",
        "https://pay.bank.example/\u202e",
    ],
)
def test_a_link_that_only_looks_like_an_allowed_one_is_refused(link: str) -> None:
    faults = read(URL | {"link": link, "allowed_hosts": ["pay.bank.example"]})
    assert isinstance(faults, list) and {fault.key for fault in faults} == {"link"}


def test_a_host_with_letters_of_another_alphabet_is_allowed_when_somebody_says_it_is_meant() -> None:
    link = "https://pagos.xn--espaa-rta.example/"
    assert isinstance(read(URL | {"link": link, "allowed_hosts": ["xn--espaa-rta.example"]}), Widget)


BANK = Widget("url", "Pay at the bank", "Pague en el banco", "https://pay.bank.example/")
NORTH, SOUTH = "Organization/2", "Organization/3"


@pytest.mark.parametrize(
    ("organizations", "seen"),
    [
        ([OWN], [OURS]),
        ([], [OURS]),
        ([NORTH], [BANK]),
        ([NORTH, NORTH], [BANK]),
        ([SOUTH], [OURS]),  # no page of its own
        ([OWN, NORTH], [OURS, BANK]),
        ([SOUTH, NORTH], [OURS, BANK]),
    ],
)
def test_an_account_sees_the_merchants_of_its_dependents_organizations(
    organizations: list[str], seen: list[Widget]
) -> None:
    pages = {OWN: OURS, NORTH: BANK, SOUTH: None}
    assert [widget for _, widget in pages_for(organizations, pages)] == seen


def test_a_practice_without_a_merchant_of_its_own_shows_only_those_of_its_organizations() -> None:
    assert pages_for([OWN, NORTH], {OWN: None, NORTH: BANK}) == [(NORTH, BANK)]
    assert pages_for([OWN], {OWN: None, NORTH: BANK}) == []


def test_the_preview_shows_each_page_in_the_parents_language() -> None:
    warning = BillingWarning(Level.ALERT, "Our bank has moved.")
    pages = {OWN: OURS, NORTH: Widget("", "", "", "", warning), SOUTH: BANK}
    merchant = Merchant(practice="main-street", pages=pages, vendors=VENDORS, names={NORTH: "North"})
    own, north, south = preview(merchant, "es")
    assert own == {
        "organization": None,
        "name": None,
        "home": {"title": "Pague su factura", "vendor": "InstaMed", "link": None, "host": None},
        "billing": None,
    }
    assert (north["name"], north["home"]) == ("North", None)
    assert north["billing"] == {"level": "alert", "look": "red", "text": "Our bank has moved."}
    assert south["home"]["host"] == "pay.bank.example"


def test_what_was_published_once_is_shown_again_only_if_todays_settings_allow_it() -> None:
    merchant = Merchant(
        practice="main-street", pages={OWN: OURS}, vendors=VENDORS, allowed={OWN: ("new.example",), NORTH: ()}
    )
    (fault,) = merchant.objections(OWN, BANK)
    assert fault.key == "link" and "not allowed" in fault.problem
    assert merchant.objections(NORTH, BANK) == [] and merchant.objections(OWN, None) == []
    assert merchant.objections(OWN, Widget("instamed", "Pay", "Pague", "https://pay.instamed.com/")) == []
    (fault,) = merchant.objections(OWN, Widget("paypal", "Pay", "Pague"))
    assert fault.key == "vendor"
