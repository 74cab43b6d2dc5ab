"""A merge on the desk: shown on the page Plans, looked at, let go with a reason."""

from playwright.sync_api import Page

from adapter.jobs.run import Request
from adapter.jobs.sync import sync
from adapter.sandbox.demo_files import PRACTICE
from tests.acceptance.adapter_cli import GRACE
from tests.browser.site import ADMIN, Site

LINK = [{"other": {"reference": "Patient/okafor-ben"}, "type": "replaced-by"}]


def test_an_administrator_looks_at_a_merge_and_lets_it_go(running: Site, page: Page) -> None:
    demo = running.demo
    demo.ehr.put(demo.ehr.get("Patient/okafor-ada") | {"link": LINK})
    sync(demo.app.engine, demo.app.practices[PRACTICE], Request(), clock=demo.clock, progress=lambda *_: None)
    page.goto(f"{ADMIN}/plans")
    page.get_by_role("link", name="Look at what would move").click()
    assert GRACE in page.inner_text("main")
    page.get_by_label("Why, in your words").fill("Seen with Dr. Lee.")
    page.get_by_role("button", name="Do exactly this").click()
    assert "Done:" in page.inner_text("main")
