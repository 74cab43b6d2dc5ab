"""What an administrator does on the desk: suspend and lift, write the payment page, follow a changed address."""

from playwright.sync_api import Page, expect

from tests.browser.site import ADMIN, Site
from tests.browser.tour import find

BANK = "https://pay.first-bank.example/main-street"


def test_an_account_is_suspended_with_a_reason_and_lifted_again(running: Site, page: Page) -> None:
    address = find(page, "grace oka")
    page.goto(address)
    page.get_by_role("link", name="Suspend…").click()
    page.get_by_label("Why?").fill("court order of 4 May")
    page.get_by_role("button", name="Suspend this account").click()
    expect(page.get_by_text("The account is suspended.")).to_be_visible()
    expect(page.locator(".verdict")).to_contain_text("suspended the account grace.okafor@mail.example on")
    expect(page.locator(".verdict")).to_contain_text("court order of 4 May")
    page.get_by_role("button", name="Sync this family now").click()
    expect(page.get_by_text("read anew")).to_be_visible()
    expect(page.get_by_role("table").first).not_to_contain_text("may open it")
    page.goto(f"{ADMIN}/today")
    page.get_by_role("link", name="Grace Okafor").click()
    page.get_by_role("link", name="Lift the suspension…").click()
    page.get_by_label("Why?").fill("order lifted")
    page.get_by_role("button", name="Lift the suspension").click()
    page.get_by_role("button", name="Sync this family now").click()
    expect(page.get_by_role("table").first).to_contain_text("may open it")


def test_a_bank_and_a_billing_warning_are_written_seen_and_published(running: Site, page: Page) -> None:
    page.goto(f"{ADMIN}/widgets")
    page.get_by_role("link", name="Write what parents see…").click()
    page.get_by_label("Vendor").select_option("url")
    page.get_by_label("Title", exact=True).fill("Pay at First Bank")
    page.get_by_label("Title in Spanish").fill("Pague en First Bank")
    page.get_by_label("Link").fill("https://elsewhere.example/pay")
    expect(page.get_by_text("leads to a host that is not allowed")).to_be_visible()
    page.get_by_label("Link").fill(BANK)
    page.get_by_label("Billing warning").select_option("alert")
    page.get_by_label("Its text", exact=True).fill("Our bank has moved.")
    page.get_by_label("Its text in Spanish").fill("Nuestro banco ha cambiado.")
    expect(page.locator("#preview figure[lang=es]")).to_contain_text("Nuestro banco ha cambiado.")
    expect(page.locator("#preview figure[lang=en]")).to_contain_text("pay.first-bank.example")
    page.get_by_role("button", name="Publish exactly this").click()
    expect(page.get_by_text("Portals usually show a change within 15 minutes or longer.").first).to_be_visible()
    table = page.locator("section[aria-labelledby=now] table")
    expect(table).to_contain_text("Pay at First Bank")
    for _ in range(30):
        page.reload()
        if "pending" in table.inner_text():
            break
    expect(table).to_contain_text("pending")
    expect(table).to_contain_text("wait until")


def test_the_payment_page_can_be_written_without_javascript(running: Site, page: Page) -> None:
    browser = page.context.browser
    assert browser is not None
    context = browser.new_context(
        base_url=running.address, java_script_enabled=False, storage_state=page.context.storage_state()
    )
    plain = context.new_page()
    plain.goto(f"{ADMIN}/widgets/edit")
    plain.get_by_label("Title", exact=True).fill("Pay the practice")
    plain.get_by_role("button", name="Preview").click()
    expect(plain.locator("#preview figure[lang=en]")).to_contain_text("Pay the practice")
    plain.get_by_label("Title", exact=True).fill("Pay us")
    plain.get_by_role("button", name="Publish exactly this").click()
    expect(plain.get_by_role("alert")).to_contain_text("has changed since it was shown")
    plain.get_by_role("button", name="Publish exactly this").click()
    expect(plain.get_by_role("table").last).to_contain_text("Pay us")
    context.close()
