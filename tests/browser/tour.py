"""Where the pages are, and how one gets to a person's: what the tests and the pictures share."""

from playwright.sync_api import Page

from tests.browser.site import ADMIN

PAGES = {
    "today": "today",
    "findings": "findings",
    "plans": "plans",
    "runs": "runs",
    "run": "runs/1",
    "outbox": "outbox?show=all",
    "widgets": "widgets",
    "widget-edit": "widgets/edit",
    "audit": "audit",
    "settings": "settings",
    "break-glass": "break-glass",
}
"""Below the practice's own address."""


def find(page: Page, letters: str, *, children: bool = False) -> str:
    """Types letters into Find and waits for the answer; the address of the first person, or child, that was found."""
    page.goto(f"{ADMIN}/find")
    page.get_by_role("searchbox").press_sequentially(letters, delay=20)
    part = "charts" if children else ("accounts", "contacts")
    links = page.locator(", ".join(f"#results a[href*='/{one}/']" for one in ([part] if children else part)))
    links.first.wait_for()
    return links.first.get_attribute("href") or ""
