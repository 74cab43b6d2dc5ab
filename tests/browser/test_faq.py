"""The FAQ in a browser: the mother without a Welcome email, the changed address, the payment page, the held mails."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from adapter.sandbox.demo import follow_the_remedy
from tests.browser.site import ADMIN, Site, site
from tests.browser.tour import find


def test_a_mother_without_a_welcome_email_gets_it_in_four_steps(running: Site, page: Page) -> None:
    page.goto(find(page, "imani"))
    expect(
        page.get_by_text("did not get the Welcome email because the entry in the person's own chart")
    ).to_be_visible()
    expect(page.get_by_text("change the Role/Reason from Self to Other Relative").first).to_be_visible()
    follow_the_remedy(running.demo.ehr)
    page.get_by_role("button", name="Sync this family now").click()
    expect(page.get_by_text("charts were read anew")).to_be_visible()
    expect(
        page.get_by_text(re.compile("^The Welcome email to Imani Osei was sent to imani.osei@mail.example"))
    ).to_be_visible(timeout=10_000)
    assert [mail.recipients for mail in running.demo.mailbox.messages][-1] == ("imani.osei@mail.example",)
    expect(page.get_by_role("table").first).to_contain_text("themselves")


def test_the_welcome_email_is_sent_again_after_the_address_was_shown(running: Site, page: Page) -> None:
    before = len(running.demo.mailbox.messages)
    page.goto(find(page, "grace oka"))
    page.get_by_role("link", name="Register: send the email again").click()
    expect(page.get_by_text("grace.okafor@mail.example", exact=True)).to_be_visible()
    assert len(running.demo.mailbox.messages) == before
    page.get_by_role("button", name="Send it to this address").click()
    expect(page.get_by_text("queued and leaves within a minute")).to_be_visible()
    expect(page.locator("#person table").nth(1).locator("tbody tr")).to_have_count(2)
    expect(page.get_by_text("was sent to grace.okafor@mail.example")).to_be_visible(timeout=10_000)
    assert len(running.demo.mailbox.messages) == before + 1


def test_the_payment_widget_is_published_as_it_was_shown(page: Page) -> None:
    page.goto(f"{ADMIN}/widgets")
    expect(page.get_by_text("Pague su factura").first).to_be_visible()
    page.get_by_role("button", name="Publish exactly this").click()
    expect(page.get_by_text("Portals usually show a change within 15 minutes or longer.").first).to_be_visible()
    table = page.get_by_role("table").first
    for _ in range(20):
        page.reload()
        if "pending" in table.inner_text():
            break
    expect(table).to_contain_text("pending")
    expect(table).to_contain_text("wait until")


def test_findings_are_answered_several_at_a_time_with_a_reason(page: Page) -> None:
    page.goto(f"{ADMIN}/findings?code=authority-conflict")
    boxes = page.get_by_role("checkbox")
    count = boxes.count()
    assert count >= 2
    for number in range(2):
        boxes.nth(number).check()
    page.get_by_label("Reason").fill("The custody papers are on their way.")
    page.get_by_role("button", name="Answer", exact=True).click()
    expect(page.get_by_text("2 findings are answered.")).to_be_visible()
    expect(page.get_by_role("checkbox")).to_have_count(count - 2)
    page.get_by_role("link", name="Answered").click()
    expect(page.get_by_text("The custody papers are on their way.").first).to_be_visible()


def test_the_audit_trail_names_who_did_it(page: Page) -> None:
    page.goto(f"{ADMIN}/audit")
    page.get_by_label("Who did it").fill("desk:demo")
    page.get_by_role("button", name="Search").click()
    expect(page.locator("tbody tr").first).to_contain_text("demo")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download as CSV").click()
    assert Path(waiting.value.path()).read_text().startswith("practice,seq,at,actor")


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site(tmp_path_factory.mktemp("held") / "demo", families=18, released=False) as found:
        yield found


def test_the_first_welcome_emails_are_released_on_the_page_of_plans(held: Site, chromium: Browser) -> None:
    page = held.enter(chromium)
    page.get_by_role("link", name="Look and release").click()
    assert not held.demo.mailbox.messages
    page.get_by_role("button", name="Release the Welcome emails").click()
    expect(page.get_by_text("The held Welcome emails are queued")).to_be_visible()
    expect(page.get_by_text("Nothing is held.")).to_be_visible()


def test_everything_essential_works_without_javascript(running: Site, chromium: Browser, page: Page) -> None:
    state = page.context.storage_state()
    context = chromium.new_context(base_url=running.address, java_script_enabled=False, storage_state=state)
    plain = context.new_page()
    plain.goto(f"{ADMIN}/today")
    plain.get_by_role("searchbox").fill("lindgren")
    plain.get_by_role("button", name="Find").click()
    plain.locator("#results a").first.click()
    plain.get_by_role("button", name="Sync this family now").click()
    expect(plain.get_by_text("read anew")).to_be_visible()
    plain.get_by_role("link", name="Outbox").click()
    plain.get_by_role("link", name="Everything").click()
    expect(plain.get_by_role("table")).to_be_visible()
    plain.get_by_role("button", name="Sign out").click()
    expect(plain.get_by_label("Password")).to_be_visible()
