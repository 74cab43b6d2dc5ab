"""Home: the practices somebody has a role at, and how each one is."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from adapter.bootstrap import App
from adapter.store import health
from adapter.store.engine import read
from adapter.web.caller import caller
from adapter.web.pages import Pages


def make_router(app: App, pages: Pages) -> APIRouter:
    """The route."""
    router = APIRouter()

    @router.get("/")
    def practices(request: Request) -> Response:
        mine = list(caller(request).practices())
        if len(mine) == 1:
            return RedirectResponse(f"/p/{mine[0]}/today", 303)
        with read(app.engine) as connection:
            last = health.last_complete(connection, mine)
        return pages.show(request, "practices.html", mine=mine, last=last)

    return router
