"""Outbox: what goes out, what stopped, and what to do about it."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from adapter.bootstrap import App
from adapter.core.state import EffectState
from adapter.jobs import outbox as job
from adapter.schedule_files import JobName
from adapter.web.asking import Ask
from adapter.web.caller import caller
from adapter.web.guard import form_list
from adapter.web.pages import Pages

MOST = 100
STATES = {
    "waits": (EffectState.QUEUED, EffectState.SENDING, EffectState.HELD),
    "stopped": (EffectState.FAILED, EffectState.UNKNOWN),
    "all": (),
}


def make_router(app: App, pages: Pages, ask: Ask) -> APIRouter:
    """The routes."""
    router = APIRouter()

    @router.get("/p/{practice}/outbox")
    def listing(request: Request, practice: str, show: str = "") -> Response:
        counts = job.counts(app.engine, practice)
        chosen = show if show in STATES else _most_urgent(counts)
        found = job.look(app.engine, practice, states=STATES[chosen], limit=MOST)
        return pages.show(request, "outbox.html", found=found, counts=counts, chosen=chosen, most=MOST)

    @router.post("/p/{practice}/outbox/retry")
    def retry(request: Request, practice: str) -> Response:
        done = job.retry(app.engine, practice, form_list(request, "id"), actor=caller(request).actor, now=app.clock())
        ask(practice, JobName.DELIVER)
        return RedirectResponse(f"/p/{practice}/outbox?done={'retried' if done else 'nothing'}", 303)

    @router.post("/p/{practice}/outbox/cancel")
    def cancel(request: Request, practice: str) -> Response:
        done = job.cancel(app.engine, practice, form_list(request, "id"), actor=caller(request).actor, now=app.clock())
        return RedirectResponse(f"/p/{practice}/outbox?done={'cancelled' if done else 'nothing'}", 303)

    return router


def _most_urgent(counts: dict[str, int]) -> str:
    if any(counts.get(state) for state in STATES["stopped"]):
        return "stopped"
    return "waits" if any(counts.get(state) for state in STATES["waits"]) else "all"
