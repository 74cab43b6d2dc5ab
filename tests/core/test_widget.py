"""The payment widget: what it may contain, and what to do about the one parents see."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.core.policy import Policy
from adapter.core.state import WidgetState
from adapter.core.vendors import VENDORS
from adapter.core.widget import (
    Drift,
    Late,
    MarkLive,
    Publish,
    Revision,
    Shown,
    Widget,
    WidgetAction,
    WidgetFault,
    plan_widget,
    read_widget,
    widget_from_json,
    widget_hash,
    widget_json,
)

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
OURS = Widget("instamed", "Pay your bill", "Pague su factura")
OTHER = Widget("url", "Pay online", "Pay online", "https://pay.bank.example/x")
QUEUED, PENDING, LIVE, DRIFTED = WidgetState.QUEUED, WidgetState.PENDING, WidgetState.LIVE, WidgetState.DRIFTED


def test_instamed_is_the_preferred_vendor_and_needs_nothing_but_its_name() -> None:
    assert VENDORS["instamed"].preferred
    assert read_widget({"vendor": "instamed"}) == OURS


def test_a_bank_paid_through_a_url_becomes_a_custom_widget_with_a_billing_warning() -> None:
    widget = read_widget(
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
    widget = read_widget({"vendor": "url", "title": "First Bank", "link": "https://bank.example/"})
    assert isinstance(widget, Widget)
    assert widget.title_es == "First Bank"


URL = {"vendor": "url", "link": "https://pay.bank.example/"}


@pytest.mark.parametrize(
    ("merchant", "key", "problem"),
    [
        ({"vendor": "paypal"}, "vendor", "must be one of instamed, url"),
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
        (URL | {"warning": {"level": "red", "en": "x"}}, "warning.level", "info, warning, alert"),
        (URL | {"warning": {"level": "info", "es": "x"}}, "warning.en", "missing"),
        (URL | {"warning": {"en": "one\ntwo"}}, "warning.en", "line break"),
        (URL | {"warning": {"en": "x", "es": "y" * 501}}, "warning.es", "at most 500"),
    ],
)
def test_what_is_wrong_with_a_merchant_is_named(merchant: dict[str, Any], key: str, problem: str) -> None:
    faults = read_widget(merchant)
    assert isinstance(faults, list)
    assert [fault.key for fault in faults] == [key]
    assert problem in faults[0].problem


def test_all_faults_are_listed_at_once() -> None:
    faults = read_widget(
        {
            "vendor": "url",
            "title": "<",
            "title_es": "\x07",
            "link": "http://u@h:1/",
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
    assert isinstance(read_widget({"vendor": "instamed", "link": link}), Widget)


@given(st.text(max_size=90), st.text(max_size=520), st.text(max_size=40))
def test_no_markup_and_no_control_character_ever_gets_into_a_widget(title: str, warning: str, path: str) -> None:
    made = read_widget(
        {"vendor": "url", "title": title, "link": f"https://bank.example/{path}", "warning": {"en": warning}}
    )
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


def revision(state: WidgetState, minutes: int = 0, widget: Widget | None = OURS) -> Revision:
    """Revision 2, made and (unless still queued) accepted this many minutes ago."""
    at = NOW - timedelta(minutes=minutes)
    return Revision(revision=2, widget=widget, state=state, created_at=at, accepted_at=None if state is QUEUED else at)


@pytest.mark.parametrize(
    ("desired", "latest", "shown", "actions"),
    [
        # Nothing was ever published.
        (None, None, None, ()),
        (OURS, None, None, (Publish(OURS, "widget-new"),)),
        (OURS, None, Shown(OTHER), (Publish(OURS, "widget-new"),)),
        # The configuration has changed.
        (OTHER, revision(LIVE), Shown(OURS, 2), (Publish(OTHER, "widget-changed"),)),
        (OTHER, revision(QUEUED), None, (Publish(OTHER, "widget-changed"),)),
        (None, revision(LIVE), Shown(OURS, 2), (Publish(None, "widget-removed"),)),
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
    assert actions == (Drift(2), Publish(OURS, "widget-drift"))


def test_when_a_widget_is_late_is_the_practices_policy() -> None:
    assert plan_widget(OURS, revision(PENDING, 60), None, NOW, Policy(widget_late_minutes=61)) == ()
