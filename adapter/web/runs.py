"""Runs: the latest syncs, what each read and changed, and how far one is that is under way."""

from fastapi import APIRouter, HTTPException, Request, Response

from adapter.bootstrap import App
from adapter.store import runs as store
from adapter.store.engine import read
from adapter.web.asking import Progress
from adapter.web.pages import Pages

MOST = 50


def make_router(app: App, pages: Pages, progress: Progress) -> APIRouter:
    """The routes; ``progress`` knows how far this service's own runs are."""
    router = APIRouter()

    @router.get("/p/{practice}/runs")
    def listing(request: Request, practice: str) -> Response:
        with read(app.engine) as connection:
            found = store.listing(connection, [practice], limit=MOST)
        template = "runs_table.html" if "hx-request" in request.headers else "runs.html"
        return pages.show(request, template, runs=found, progress=progress(practice))

    @router.get("/p/{practice}/runs/{run}")
    def one(request: Request, practice: str, run: int) -> Response:
        with read(app.engine) as connection:
            row = store.get(connection, run)
        if row is None or row["practice"] != practice:
            raise HTTPException(404, "There is no such run.")
        return pages.show(request, "run.html", run=store.shape(row))

    return router
