"""Plans: what the brakes hold, family by family, and the first Welcome emails; released by the hash that was seen."""

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from adapter.bootstrap import App
from adapter.errors import FatalError
from adapter.jobs.held import held_plans
from adapter.jobs.release import Released, release
from adapter.jobs.today import held_welcome
from adapter.schedule_files import JobName
from adapter.web.asking import Ask
from adapter.web.caller import caller
from adapter.web.guard import form
from adapter.web.pages import Pages


def make_router(app: App, pages: Pages, ask: Ask) -> APIRouter:
    """The routes."""
    router = APIRouter()

    def show(
        request: Request, practice: str, status: int = 200, *, problem: str = "", done: Released | None = None
    ) -> Response:
        plans = held_plans(app.engine, [practice])
        mail, run = held_welcome(app.engine, practice)
        told: dict[str, Any] = {
            "problem": problem,
            "released": done,
            "plans": plans,
            "held_mail": mail,
            "held_run": run,
        }
        return pages.show(request, "plans.html", status, **told)

    @router.get("/p/{practice}/plans")
    def listing(request: Request, practice: str) -> Response:
        return show(request, practice)

    @router.post("/p/{practice}/plans/{run}/release")
    def let_go(request: Request, practice: str, run: int) -> Response:
        mine = {practice: app.practices[practice]}
        expected = form(request).get("hash") or None
        try:
            done = release(app.engine, mine, run, actor=caller(request).actor, now=app.clock(), expected=expected)
        except FatalError as error:
            return show(request, practice, 409, problem=str(error))
        ask(practice, JobName.DELIVER)
        if done.stale or done.needs_second or done.changes:
            return show(request, practice, done=done)
        return RedirectResponse(f"/p/{practice}/plans?done={'released' if done.welcome else 'nothing'}", 303)

    return router
