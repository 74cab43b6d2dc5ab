"""Every page in a browser: nothing to object to by axe-core, nothing blocked by the policy, nothing too wide."""

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.browser.site import ADMIN, Site
from tests.browser.tour import PAGES, find

AXE = Axe()
RULES = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
}
ADDRESSES = {name: f"{ADMIN}/{path}" for name, path in PAGES.items()} | {"home": "/", "not there": f"{ADMIN}/nothing"}


COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast", "target-size", "link-in-text-block"]}}


def check(page: Page, rules: dict[str, Any]) -> None:
    """Fails with what axe-core objects to, and where."""
    found = AXE.run(page, options=rules).response["violations"]
    assert [(one["id"], [node["target"] for node in one["nodes"]][:3]) for one in found] == []


def shown(page: Page) -> None:
    """Fails when something has to be scrolled sideways."""
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_keeps_anybody_out(running: Site, chromium: Browser, page: Page, scheme: str) -> None:
    state = page.context.storage_state()
    context = chromium.new_context(
        base_url=running.address,
        storage_state=state,
        color_scheme=scheme,  # type: ignore[arg-type]
        viewport={"width": 390, "height": 844} if scheme == "dark" else {"width": 1280, "height": 800},
    )
    here = context.new_page()
    complaints: list[str] = []
    here.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    addresses = ADDRESSES | {"person": find(here, "osei"), "chart": find(here, "kofi", children=True)}
    rules = RULES if scheme == "light" else COLOURS  # the rest of it is the same page
    check(here, rules)
    for address in addresses.values():
        here.goto(address)
        check(here, rules)
        shown(here)
    assert [text for text in complaints if "404" not in text] == []
    signing_in = chromium.new_context(base_url=running.address).new_page()
    signing_in.goto("/sign-in")
    check(signing_in, RULES)


def test_a_family_is_found_by_keyboard_alone(page: Page) -> None:
    page.goto(f"{ADMIN}/find")
    page.keyboard.type("okafor")
    page.locator("#results a").first.wait_for()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(page.locator("#results a").first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Okafor")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()


def test_the_pages_are_in_spanish_when_asked(page: Page) -> None:
    page.goto(f"{ADMIN}/today")
    page.get_by_role("button", name="Español").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Hoy")
    assert page.get_attribute("html", "lang") == "es"
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Today")
