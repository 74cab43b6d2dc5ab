"""``adapter widgets`` from outside: publish, wait, live; and what happens when somebody changes it behind our back."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from adapter.jobs.work import run_job
from adapter.portal import HomePage
from adapter.schedule_files import JobName
from tests.acceptance.adapter_cli import ROOT, Adapter

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


def test_a_preview_shows_what_parents_will_see_and_changes_nothing(site: Adapter) -> None:
    site.configure(more=BANK)
    shown = site.run("widgets", "preview")
    assert shown.code == 0
    for words in ("[ Pay the bank ]", "opens https://pay.example.org/x", "ALERT  Our bank has moved.", "Billing"):
        assert words in shown.out
    (spanish,) = site.json("widgets", "preview", "--language", "es")
    assert spanish["pages"][0]["billing"] == {"level": "alert", "look": "red", "text": "Our bank has moved."}
    (row,) = site.json("widgets")
    assert (row["state"], row["revision"]) == ("unpublished", None)
    assert "publish it with: adapter widgets publish" in " ".join(site.run("widgets").out.split())


def test_a_billing_warning_can_be_published_alone(site: Adapter) -> None:
    site.configure(more='[practice.merchant.warning]\nlevel = "warning"\nen = "Pay at the desk, please."\n')
    (row,) = site.json("widgets", "publish")
    assert (row["vendor"], row["title"], row["warning"]) == (None, None, "warning")
    assert "a Billing warning alone (warning)" in site.run("widgets").out


def test_publishing_shows_the_difference_line_by_line(site: Adapter) -> None:
    first = site.run("widgets", "publish").out
    assert "The page of the practice is new." in first and "+ InstaMed" in first
    site.configure(more=BANK)
    second = site.run("widgets", "publish", "--yes").out
    for line in ("- InstaMed", "+ Payment page", "- Pay your bill", "+ Pay the bank", "+ Our bank has moved."):
        assert line in second
    assert "nothing new to publish" in site.run("widgets", "publish").out
    assert "is published again" in site.run("widgets", "publish", "--again").out


@pytest.mark.parametrize(("answer", "code", "states"), [("n\n", 1, ["unpublished"]), ("y\n", 0, ["pending"])])
def test_somebody_at_a_terminal_is_asked(site: Adapter, answer: str, code: int, states: list[str]) -> None:
    master, terminal = os.openpty()
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "adapter", "widgets", "publish"]
    try:
        os.write(master, answer.encode())
        done = subprocess.run(
            command, cwd=site.folder, env=environment, stdin=terminal, capture_output=True, text=True, timeout=60
        )
    finally:
        os.close(master)
        os.close(terminal)
    assert (done.returncode, "Publish this?" in done.stderr) == (code, True)
    assert [row["state"] for row in site.json("widgets")] == states


def test_going_back_to_an_earlier_revision(site: Adapter) -> None:
    now = datetime.now(UTC)
    assert site.run("widgets", "rollback").code == 1
    site.json("widgets", "publish", at=now)
    site.configure(more=BANK.replace('allowed_hosts = ["pay.example.org"]\n', ""))
    site.json("widgets", "publish", at=now)
    (row,) = site.json("widgets", "rollback", at=now)
    assert (row["revision"], row["vendor"], row["state"], row["rolled_back"]) == (3, "instamed", "pending", True)
    _watch(site, now + timedelta(minutes=16))
    _watch(site, now + timedelta(minutes=30))
    assert "published by hand; config.toml asks for something else" in site.run("widgets").out
    revisions = site.json("widgets", "history")
    assert [one["reason"] for one in revisions] == ["widget-rollback", "widget-changed", "widget-new"]
    (row,) = site.json("widgets", "rollback", "2", at=now + timedelta(minutes=40))
    assert (row["revision"], row["vendor"], row["rolled_back"]) == (4, "url", False)
    assert "adapter widgets rollback REV" in site.run("widgets", "history").out
    assert site.run("widgets", "rollback", "99").err.startswith("main-street has no revision 99.")


def test_another_vendor_is_a_file_beside_the_configuration(site: Adapter) -> None:
    folder = site.folder / "vendors"
    folder.mkdir()
    title = '[title]\nen = "Pay with Acme"\nes = "Pague con Acme"\n'
    (folder / "acme.toml").write_text(f'name = "Acme"\nhosts = ["acme.example"]\n{title}')
    merchant = '[practice.merchant]\nvendor = "acme"\nlink = "https://{}/main-street"\n'
    site.configure(more=merchant.format("pay.acme.example"))
    (row,) = site.json("widgets", "publish")
    assert (row["vendor_name"], row["title"]) == ("Acme", "Pay with Acme")
    site.configure(more=merchant.format("acme.evil.example"))
    done = site.run("widgets", "publish")
    assert done.code == 2 and "leads to a host that is not allowed" in done.err
    site.configure(more='[practice.merchant]\nvendor = "paypal"\n')
    assert "must be one of instamed, acme, url" in site.run("widgets").err
