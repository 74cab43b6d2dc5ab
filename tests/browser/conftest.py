"""One practice, one browser, for all tests of the desk in a browser."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.site import Site, browser, site


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as running:
        yield running


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site(tmp_path_factory.mktemp("site") / "demo") as found:
        yield found


@pytest.fixture(scope="module")
def page(running: Site, chromium: Browser) -> Page:
    """A signed-in administrator's page; whatever the console complains of fails the test that reads ``page.faults``."""
    return running.enter(chromium)
