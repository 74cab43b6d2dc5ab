"""Find: one box, answered while somebody types. What they type never stands in an address."""

from fastapi import APIRouter, Request, Response

from adapter.bootstrap import App
from adapter.jobs.find import Finder
from adapter.web.guard import form
from adapter.web.pages import Pages

MOST_LETTERS = 100


def make_router(app: App, pages: Pages) -> APIRouter:
    """The routes."""
    router = APIRouter()
    finder: list[Finder] = []

    @router.get("/p/{practice}/find")
    def ask(request: Request, practice: str) -> Response:
        return pages.show(request, "find.html", text="", found=None)

    @router.post("/p/{practice}/find")
    def answer(request: Request, practice: str) -> Response:
        if not finder:
            finder.append(Finder(app.engine))
        text = form(request).get("text", "")[:MOST_LETTERS]
        found = finder[0].find(practice, text)
        template = "find_results.html" if "hx-request" in request.headers else "find.html"
        return pages.show(request, template, text=text, found=found)

    return router
