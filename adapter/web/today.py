"""Today: the first page of a practice."""

from fastapi import APIRouter, Request, Response

from adapter.bootstrap import App
from adapter.jobs.today import overview
from adapter.web.asking import Progress
from adapter.web.pages import Pages


def make_router(app: App, pages: Pages, progress: Progress) -> APIRouter:
    """The route; ``progress`` knows how far runs are."""
    router = APIRouter()

    @router.get("/p/{practice}/today")
    def today(request: Request, practice: str) -> Response:
        zone = app.practices[practice].zone
        shown = overview(app.engine, app.merchants[practice], app.scheduled, zone=zone, now=app.clock())
        return pages.show(request, "today.html", shown=shown, progress=progress(practice))

    return router
