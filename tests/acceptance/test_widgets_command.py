"""``adapter widgets`` from outside: publish, wait, live; and what happens when somebody changes it behind our back."""

from datetime import UTC, datetime, timedelta

import pytest

from adapter.jobs.work import run_job
from adapter.portal import HomePage
from adapter.schedule_files import JobName
from tests.acceptance.adapter_cli import Adapter

INSTAMED = '[practice.merchant]\nvendor = "instamed"\n'
BANK = (
    '[practice.merchant]\nvendor = "url"\ntitle = "Pay the bank"\nlink = "https://pay.example.org/x"\n'
    'allowed_hosts = ["pay.example.org"]\n[practice.merchant.warning]\nlevel = "alert"\nen = "Our bank has moved."\n'
)


@pytest.fixture
def site(adapter: Adapter) -> Adapter:
    adapter.configure(more=INSTAMED)
    return adapter


def _watch(site: Adapter, at: datetime) -> None:
    run_job(site.app(at), "main-street", JobName.WIDGETS)


def test_a_published_widget_is_pending_and_live_once_the_portal_shows_it(site: Adapter) -> None:
    now = datetime.now(UTC)
    (pending,) = site.json("widgets", "publish", at=now)
    assert (pending["practice"], pending["state"], pending["vendor"]) == ("main-street", "pending", "instamed")
    assert "15 minutes or longer" in pending["note"]
    _watch(site, now + timedelta(minutes=5))
    assert site.json("widgets")[0]["state"] == "pending"
    _watch(site, now + timedelta(minutes=16))
    (live,) = site.json("widgets")
    assert live["state"] == "live" and live["live_at"]
    (again,) = site.json("widgets", "publish", at=now + timedelta(minutes=17))
    assert (again["revision"], again["state"]) == (live["revision"], "live")


def test_a_bank_paid_through_an_address_gets_a_widget_and_a_billing_warning(site: Adapter) -> None:
    site.configure(more=BANK)
    (widget,) = site.json("widgets", "publish")
    assert (widget["title"], widget["link"]) == ("Pay the bank", "https://pay.example.org/x")
    home = site.app(datetime.now(UTC) + timedelta(hours=1)).portals["main-street"].get_home()
    assert home and home.widget and home.widget.warning and home.widget.warning.en == "Our bank has moved."


def test_a_widget_that_does_not_show_in_time_becomes_a_finding(site: Adapter) -> None:
    site.configure(more="[practice.portal]\nshow_after_minutes = 600\n" + INSTAMED)
    now = datetime.now(UTC)
    site.json("widgets", "publish", at=now)
    _watch(site, now + timedelta(minutes=30))
    assert site.json("findings") == []
    _watch(site, now + timedelta(minutes=90))
    (finding,) = site.json("findings")
    assert (finding["code"], finding["patient"]) == ("widget-late", None)
    _watch(site, now + timedelta(minutes=601))
    assert site.json("findings") == [] and site.json("widgets")[0]["state"] == "live"


def test_a_widget_changed_behind_our_back_becomes_a_finding(site: Adapter) -> None:
    now = datetime.now(UTC)
    site.json("widgets", "publish", at=now)
    _watch(site, now + timedelta(minutes=16))
    portal = site.app(now + timedelta(minutes=17)).portals["main-street"]
    portal.put_home(HomePage(practice="main-street", revision=1, widget=None))
    _watch(site, now + timedelta(minutes=40))
    (finding,) = site.json("findings")
    assert finding["code"] == "widget-drift"
    assert site.json("widgets")[0]["state"] == "drifted"


@pytest.mark.parametrize(
    ("lines", "key"),
    [
        ('link = "http://pay.example.org"', "merchant.link"),
        ('link = "https://pay.example.org"\nallowed_hosts = ["other.example"]', "merchant.link"),
        ('link = "javascript:alert(1)"', "merchant.link"),
        ('link = "https://pay.example.org"\ntitle = "<b>Pay</b>"', "merchant.title"),
        ("", "merchant.link"),
    ],
    ids=["http", "host", "script", "markup", "no link"],
)
def test_a_merchant_that_may_not_be_published_is_refused_with_its_key(site: Adapter, lines: str, key: str) -> None:
    site.configure(more=f'[practice.merchant]\nvendor = "url"\n{lines}\n')
    done = site.run("widgets", "publish")
    assert done.code == 2 and key in done.err and "Traceback" not in done.err
