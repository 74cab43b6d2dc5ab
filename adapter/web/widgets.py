"""Widgets: what parents see for payments, what publishing would change, and the way back."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from adapter.bootstrap import App
from adapter.core.preview import preview
from adapter.errors import FatalError
from adapter.jobs import pages as home
from adapter.jobs.publish import plan_back, plan_publish, publish, rollback
from adapter.schedule_files import JobName
from adapter.web.asking import Ask
from adapter.web.caller import caller
from adapter.web.guard import form
from adapter.web.pages import Pages

MOST = 20


def make_router(app: App, pages: Pages, ask: Ask) -> APIRouter:
    """The routes."""
    router = APIRouter()

    def show(request: Request, practice: str, status: int = 200, *, problem: str = "") -> Response:
        merchant = app.merchants[practice]
        plan = plan_publish(app.engine, practice=practice, desired=merchant.pages)
        return pages.show(
            request,
            "widgets.html",
            status,
            problem=problem,
            found=home.status(app.engine, [merchant]),
            previews={language: preview(merchant, language) for language in ("en", "es")},
            pages_of={one: merchant.name_of(one) for one in sorted(merchant.pages)},
            plan=home.changes(merchant, plan),
            history=home.history(app.engine, merchant, limit=MOST),
        )

    @router.get("/p/{practice}/widgets")
    def look(request: Request, practice: str) -> Response:
        return show(request, practice)

    @router.post("/p/{practice}/widgets/publish")
    def make(request: Request, practice: str) -> Response:
        try:
            made = publish(
                app.engine,
                practice=practice,
                desired=app.merchants[practice].pages,
                now=app.clock(),
                actor=caller(request).actor,
                expected=form(request).get("hash", ""),
            )
        except FatalError as error:
            return show(request, practice, 409, problem=str(error))
        return _done(practice, bool(made))

    @router.get("/p/{practice}/widgets/{revision}/rollback")
    def confirm(request: Request, practice: str, revision: int) -> Response:
        merchant = app.merchants[practice]
        try:
            plan = plan_back(app.engine, merchant=merchant, revision=revision)
        except FatalError as error:
            return show(request, practice, 409, problem=str(error))
        return pages.show(request, "rollback.html", plan=home.changes(merchant, plan), revision=revision)

    @router.post("/p/{practice}/widgets/{revision}/rollback")
    def back(request: Request, practice: str, revision: int) -> Response:
        try:
            made = rollback(
                app.engine,
                merchant=app.merchants[practice],
                revision=revision,
                now=app.clock(),
                actor=caller(request).actor,
                expected=form(request).get("hash", ""),
            )
        except FatalError as error:
            return show(request, practice, 409, problem=str(error))
        return _done(practice, bool(made))

    def _done(practice: str, changed: bool) -> Response:
        ask(practice, JobName.DELIVER)
        return RedirectResponse(f"/p/{practice}/widgets?done={'published' if changed else 'nothing'}", 303)

    return router
