"""A practice that has run for a while, its desk, and a browser in front of it."""

import secrets
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from adapter.jobs.board import Board
from adapter.jobs.release import release
from adapter.jobs.run import Request
from adapter.jobs.sync import sync
from adapter.jobs.work import deliver_all, run_job
from adapter.sandbox.demo import Demo, running_demo
from adapter.sandbox.demo_files import PRACTICE
from adapter.schedule_files import JobName
from adapter.web import WebServer, make_app
from adapter.web.asking import Service

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")
ADMIN = f"/p/{PRACTICE}"


@dataclass
class Site:
    """The demo's practice with its desk; jobs that pages ask for are done at once, in a thread."""

    demo: Demo
    address: str
    word: str

    def enter(self, browser: Browser, **options: object) -> Page:
        """A page of somebody who is signed in as the demo's administrator."""
        context: BrowserContext = browser.new_context(base_url=self.address, **options)  # type: ignore[arg-type]
        page = context.new_page()
        page.goto(f"/demo/{self.word}")
        return page


@contextmanager
def site(folder: Path, *, families: int = 20, released: bool = True, behind: bool = False) -> Iterator[Site]:
    """Runs everything until the block ends: the first sync is done, and unless ``released`` says no, mail has left.

    With ``behind`` its clock stays half an hour behind, and can be moved on.
    """
    word = secrets.token_urlsafe(16)
    with running_demo(folder, families=families) as demo:
        app = demo.app
        report = sync(app.engine, app.practices[PRACTICE], Request(full=True), clock=demo.clock, progress=_unseen)
        if released:
            release(app.engine, app.practices, report["run"], actor="person:test", now=demo.clock())
            deliver_all(app)
        if not behind:
            demo.clock.catch_up()
        service = Service(lambda practice, job: _soon(demo, practice, job), Board().now, word)
        with WebServer(make_app(app, service), app.settings.web) as server:
            yield Site(demo, server.address, word)


@contextmanager
def browser() -> Iterator[Browser]:
    """Chromium as the system has it."""
    path = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if path is None:
        pytest.skip("Chromium is not installed: apt-get install chromium")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=list(QUIET))
        try:
            yield running
        finally:
            running.close()


def _soon(demo: Demo, practice: str, job: JobName) -> None:
    threading.Thread(target=run_job, args=(demo.app, practice, job), daemon=True).start()


def _unseen(what: str, done: int, total: int | None) -> None:
    """Nobody watches."""
