"""Break-glass: a viewer who has to act now says why, may for half an hour, and others see it."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from adapter.bootstrap import App
from adapter.errors import FatalError
from adapter.jobs.sign_in import SHORTEST_REASON, break_glass, mend_glass
from adapter.web.caller import caller
from adapter.web.guard import form
from adapter.web.pages import Pages


def make_router(app: App, pages: Pages) -> APIRouter:
    """The routes."""
    router = APIRouter()

    @router.get("/p/{practice}/break-glass")
    def ask(request: Request, practice: str) -> Response:
        return pages.show(request, "break_glass.html", problem="", shortest=SHORTEST_REASON)

    @router.post("/p/{practice}/break-glass")
    def break_it(request: Request, practice: str) -> Response:
        session = caller(request).session
        problem = "Only people who are signed in may do this."
        try:
            if session is not None:
                break_glass(app.engine, session, practice, form(request).get("reason", ""), now=app.clock())
                return RedirectResponse("/", 303)
        except FatalError as error:
            problem = str(error)
        return pages.show(request, "break_glass.html", 422, problem=problem, shortest=SHORTEST_REASON)

    @router.post("/p/{practice}/mend-glass")
    def mend(request: Request, practice: str) -> Response:
        session = caller(request).session
        if session is not None:
            mend_glass(app.engine, session)
        return RedirectResponse("/", 303)

    return router
