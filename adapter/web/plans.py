"""Plans: what the brakes hold, family by family, and the first Welcome emails; released by the hash that was seen."""

from typing import Any

import msgspec
from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from adapter.bootstrap import App
from adapter.errors import FatalError
from adapter.jobs.held import held_plans
from adapter.jobs.merge_view import listing as listing_of_merges
from adapter.jobs.merges import look_at_merge, merge
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
            "merges": [one for one in listing_of_merges(app.engine, [practice]) if one["state"] != "done"],
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

    def show_merge(request: Request, practice: str, chart: str, problem: str = "") -> Response:
        try:
            shown = look_at_merge(app.engine, app.practices[practice], chart, now=app.clock())
        except FatalError as error:
            return show(request, practice, 404, problem=problem or str(error))
        status = 409 if problem else 200
        seen = msgspec.json.encode(shown.seen).decode()
        return pages.show(request, "merge.html", status, merge=shown, chart=chart, seen=seen, problem=problem)

    @router.get("/p/{practice}/merges/{chart}")
    def one_merge(request: Request, practice: str, chart: str) -> Response:
        return show_merge(request, practice, chart)

    @router.post("/p/{practice}/merges/{chart}")
    def let_merge_go(request: Request, practice: str, chart: str) -> Response:
        given = form(request)
        said: dict[str, Any] = {"reason": given.get("reason", ""), "expected": given.get("hash", "") or "-"}
        said |= {"unmerge": given.get("unmerge") == "yes", "actor": caller(request).actor, "now": app.clock()}
        try:
            seen = msgspec.json.decode(given.get("seen", "") or "{}", type=dict[str, str])
            here = app.practices[practice]
            done = merge(app.engine, here, f"Patient/{chart}", None, apply=True, seen=seen, **said)
        except (FatalError, msgspec.DecodeError) as error:
            return show_merge(request, practice, chart, str(error) if isinstance(error, FatalError) else "?")
        ask(practice, JobName.DELIVER)
        if done.needs_second:
            return show(request, practice, done=Released(practice, done.done_by or 0, 0, needs_second=True))
        return show(request, practice, done=Released(practice, done.done_by or 0, 0, done.changes, done.done_by))

    return router
