"""What an administrator does on the desk: suspend and lift, write the payment page, follow a changed address."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, Page, expect

from adapter.jobs.run import Request
from adapter.jobs.sync import sync
from adapter.jobs.work import deliver_all, run_job
from adapter.sandbox.demo_files import PRACTICE
from adapter.schedule_files import JobName
from adapter.store import tables as t
from adapter.store.engine import read
from tests.browser.site import ADMIN, Site, site
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


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A practice whose clock can be moved on."""
    with site(tmp_path_factory.mktemp("behind") / "demo", behind=True) as found:
        yield found


@pytest.fixture(scope="module")
def slow(behind: Site, chromium: Browser) -> Page:
    """A page of it."""
    return behind.enter(chromium)


def test_a_published_page_is_pending_and_live_a_quarter_of_an_hour_later(behind: Site, slow: Page) -> None:
    page = slow
    page.goto(f"{ADMIN}/widgets/edit")
    page.get_by_label("Vendor").select_option("url")
    page.get_by_label("Link").fill(BANK)
    page.get_by_label("Billing warning").select_option("warning")
    page.get_by_label("Its text", exact=True).fill("Our bank has moved.")
    expect(page.locator("#preview figure[lang=en]")).to_contain_text("Our bank has moved.")
    page.get_by_role("button", name="Publish exactly this").click()
    expect(page.get_by_text("Portals usually show a change").first).to_be_visible()
    deliver_all(behind.demo.app)
    now = "section[aria-labelledby=now] table"
    page.reload()
    expect(page.locator(now)).to_contain_text("pending")
    for _ in range(2):
        behind.demo.clock.forward(timedelta(minutes=9))  # somebody looks now and then, or the session would end
        page.reload()
    run_job(behind.demo.app, PRACTICE, JobName.WIDGETS)
    page.reload()
    expect(page.locator(now)).to_contain_text("live")
    expect(page.locator(now)).not_to_contain_text("pending")


def test_after_an_address_was_changed_the_welcome_email_goes_there_and_can_be_sent_again(
    running: Site, page: Page
) -> None:
    account, contact = with_one_chart(running)
    running.demo.ehr.change_email(contact, "new.address@mail.example")
    page.goto(f"{ADMIN}/accounts/{account}")
    page.get_by_role("button", name="Sync this family now").click()
    expect(page.locator(".verdict")).to_contain_text("was sent to new.address@mail.example", timeout=10_000)
    before = len(running.demo.mailbox.messages)
    page.get_by_role("link", name="Register: send the email again").click()
    expect(page.get_by_text("new.address@mail.example", exact=True)).to_be_visible()
    page.get_by_role("button", name="Send it to this address").click()
    expect(page.get_by_text("queued and leaves within a minute")).to_be_visible()
    for _ in range(50):
        if len(running.demo.mailbox.messages) > before:
            break
        page.wait_for_timeout(200)
    assert running.demo.mailbox.messages[-1].recipients == ("new.address@mail.example",)


def test_what_a_brake_holds_is_released_as_it_was_shown(behind: Site, slow: Page) -> None:
    app, demo = behind.demo.app, behind.demo
    with read(app.engine) as connection:
        open_ones = sa.select(t.grant.c.contact).where(t.grant.c.state == "active").order_by(t.grant.c.contact)
        for contact in connection.scalars(open_ones).all()[:12]:
            demo.ehr.change_email(contact, None)
    sync(app.engine, app.practices[PRACTICE], Request(full=True), clock=demo.clock, progress=lambda *_: None)
    page = slow
    page.goto(f"{ADMIN}/plans")
    held = page.locator(".families li").count()
    assert held
    page.get_by_role("button", name="Release exactly this plan").click()
    expect(page.get_by_text("Nothing is held.")).to_be_visible()
    closed = sa.select(sa.func.count()).where(t.grant.c.reason == "email-missing", t.grant.c.state == "suspended")
    with read(app.engine) as connection:
        assert connection.scalar(closed)


def with_one_chart(running: Site) -> tuple[str, str]:
    """An account that was invited and opens one chart, and the Family Contact that opens it."""
    grant, account = t.grant, t.account
    query = (
        sa.select(account.c.id, sa.func.min(grant.c.contact))
        .join(grant, grant.c.account_id == account.c.id)
        .where(account.c.status == "invited", sa.not_(grant.c.is_self))
        .group_by(account.c.id)
        .having(sa.func.count() == 1)
        .order_by(account.c.email_key)
    )
    with read(running.demo.app.engine) as connection:
        one = connection.execute(query).first()
    assert one is not None
    return one[0], one[1]
