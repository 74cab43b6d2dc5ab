"""Audit: who did what to whom and why; searching it, and a copy for others."""

import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.background import BackgroundTask
from starlette.responses import FileResponse

from adapter.bootstrap import App
from adapter.core.email import email_key
from adapter.jobs.audit_export import Format, export
from adapter.store.audit_trail import Wanted, entries
from adapter.store.engine import read
from adapter.web.guard import form
from adapter.web.pages import Pages

MOST = 100
FIELDS = ("email", "patient", "actor", "run", "since")


def make_router(app: App, pages: Pages) -> APIRouter:
    """The routes. A search is a form that is sent, since what it names must not stand in an address."""
    router = APIRouter()

    def show(request: Request, practice: str, given: dict[str, str]) -> Response:
        with read(app.engine) as connection:
            found = list(entries(connection, _wanted(app, practice, given), newest=True, limit=MOST))
        return pages.show(request, "audit.html", found=found, given=given, most=MOST)

    @router.get("/p/{practice}/audit")
    def latest(request: Request, practice: str) -> Response:
        return show(request, practice, dict.fromkeys(FIELDS, ""))

    @router.post("/p/{practice}/audit")
    def search(request: Request, practice: str) -> Response:
        return show(request, practice, _given(request))

    @router.post("/p/{practice}/audit/export")
    def copy(request: Request, practice: str) -> Response:
        folder = tempfile.TemporaryDirectory(prefix="adapter-audit-")
        path = Path(folder.name) / "audit.csv"
        export(app.engine, _wanted(app, practice, _given(request)), path, Format.CSV, progress=_unseen)
        name = f"audit-{practice}-{app.clock():%Y-%m-%d}.csv"
        return FileResponse(path, media_type="text/csv", filename=name, background=BackgroundTask(folder.cleanup))

    return router


def _given(request: Request) -> dict[str, str]:
    sent = form(request)
    return {name: sent.get(name, "").strip()[:200] for name in FIELDS}


def _wanted(app: App, practice: str, given: dict[str, str]) -> Wanted:
    since: dict[str, Any] = {}
    try:
        day = datetime.fromisoformat(given["since"])
        zone = app.practices[practice].zone
        since = {practice: day if day.tzinfo else day.replace(tzinfo=zone)}
    except ValueError:
        pass
    return Wanted(
        practices=[practice],
        since=since,
        email_key=email_key(given["email"]) if given["email"] else None,
        patient=given["patient"] or None,
        actor=given["actor"] or None,
        run=int(given["run"]) if given["run"].isdecimal() else None,
    )


def _unseen(what: str, done: int, total: int | None) -> None:
    """The browser shows how far a download is."""
