"""Scripts in every field that an EHR can fill in: none of them runs, on any page."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser, Dialog

from adapter.jobs.run import Request
from adapter.jobs.sync import sync
from adapter.sandbox.demo_files import PRACTICE
from tests.browser.site import ADMIN, Site, site
from tests.browser.tour import PAGES, find

SCRIPTS = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'><svg onload=alert(1)>",
    "{{ 7*7 }}<iframe srcdoc='<script>alert(1)</script>'>",
    "javascript:alert(1)",
    "</title><script>alert(1)</script>",
    "<div hx-get='/x' hx-trigger='load' hx-on:click='alert(1)' hx-vals='js:{a:alert(1)}'>",
)


@pytest.fixture(scope="module")
def infected(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site(tmp_path_factory.mktemp("xss") / "demo", families=18) as found:
        _infect(found)
        yield found


def _infect(running: Site) -> None:
    """Puts scripts into every text of every family's records, as the EHR's users could, and syncs."""
    demo = running.demo
    for number, resource in enumerate(record for family in demo.families for record in family.resources):
        address = f"{demo.ehr.base_url}/{resource['resourceType']}/{resource['id']}"
        current = requests.get(address, timeout=10).json()
        assert requests.put(address, json=_with(current, number), timeout=10).status_code == 200
    app = demo.app
    sync(app.engine, app.practices[PRACTICE], Request(full=True), clock=demo.clock, progress=lambda *_: None)


def _with(record: dict[str, Any], number: int) -> dict[str, Any]:
    script = SCRIPTS[number % len(SCRIPTS)]
    for name in record.get("name", []):
        name["family"] = f"{script} Zzyzx"
        name["given"] = [f"Ada {script}"]
        name.pop("text", None)
    for identifier in record.get("identifier", []):
        identifier["value"] = script
    for concept in record.get("relationship", []):
        concept["text"] = script
    if record["resourceType"] == "RelatedPerson":
        bad = {"system": "email", "value": f"{script}@mail.example", "rank": 9}
        record["telecom"] = [*record.get("telecom", []), bad]
        record["communication"] = [{"language": {"coding": [{"code": script}]}, "preferred": True}]
    return record


def test_no_script_from_the_ehr_ever_runs(infected: Site, chromium: Browser) -> None:
    page = infected.enter(chromium)
    ran: list[str] = []
    blocked: list[str] = []

    def caught(dialog: Dialog) -> None:
        ran.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", caught)
    page.on("console", lambda message: blocked.append(message.text) if "Content Security" in message.text else None)
    found = find(page, "ada")
    assert page.locator("#results").inner_text().count("alert(1)") > 3  # it is there, as text
    addresses = [f"{ADMIN}/{path}" for path in PAGES.values()]
    addresses += {link.get_attribute("href") or "" for link in page.locator("#results a").all()}
    for address in [found, *addresses]:
        page.goto(address)
        assert page.locator("main script, main img, main iframe, main [onload], main [hx-vals]").count() == 0, address
    for link in page.locator("a").all():
        assert not (link.get_attribute("href") or "").startswith("javascript:")
    assert (ran, blocked) == ([], [])


def test_the_download_of_the_trail_holds_no_formula(infected: Site, tmp_path: Path) -> None:
    from adapter.jobs.audit_export import Format, export
    from adapter.store.audit_trail import Wanted

    target = tmp_path / "audit.csv"
    export(infected.demo.app.engine, Wanted(practices=[PRACTICE]), target, Format.CSV, progress=lambda *_: None)
    assert not any(
        cell.startswith(("=", "+", "@")) for line in target.read_text().splitlines() for cell in line.split(",")
    )
