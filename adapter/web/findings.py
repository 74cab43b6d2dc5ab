"""Findings: what a human should look at, and their answers, several at a time with one reason."""

from collections import Counter
from typing import Any

from fastapi import APIRouter, Request, Response

from adapter.bootstrap import App
from adapter.core.answers import Answer
from adapter.errors import FatalError
from adapter.jobs.finding_answers import LONGEST_REASON, Decided, decide, withdraw
from adapter.schedule_files import JobName
from adapter.store import findings as store
from adapter.store.engine import read
from adapter.web.asking import Ask
from adapter.web.caller import caller
from adapter.web.guard import form, form_list
from adapter.web.pages import Pages

MOST = 200
WITHDRAW = "withdraw"


def make_router(app: App, pages: Pages, ask: Ask) -> APIRouter:
    """The routes."""
    router = APIRouter()

    def show(
        request: Request,
        practice: str,
        status: int = 200,
        *,
        code: str = "",
        answered: bool = False,
        problem: str = "",
        decided: Decided | None = None,
    ) -> Response:
        with read(app.engine) as connection:
            found = store.listing(connection, [practice], decided=answered)
        if answered:
            found = [one for one in found if _answer(one)]
        codes = Counter(one["code"] for one in found)
        chosen = [one | {"answer": _answer(one)} for one in found if code in ("", one["code"])]
        told: dict[str, Any] = {"problem": problem, "decided": decided, "longest": LONGEST_REASON, "most": MOST}
        told |= {"found": chosen[:MOST], "count": len(chosen), "codes": codes, "code": code, "answered": answered}
        return pages.show(request, "findings.html", status, **told)

    @router.get("/p/{practice}/findings")
    def listing(request: Request, practice: str, code: str = "", answered: bool = False) -> Response:
        return show(request, practice, code=code, answered=answered)

    @router.post("/p/{practice}/findings")
    def answer(request: Request, practice: str) -> Response:
        given, ids = form(request), form_list(request, "id")
        where: dict[str, Any] = {"code": given.get("code", ""), "answered": given.get("answer") == WITHDRAW}
        if not ids:
            return show(request, practice, 422, problem="Choose at least one finding.", **where)
        said: dict[str, Any] = {"reason": given.get("reason", ""), "actor": caller(request).actor, "clock": app.clock}
        asked = (app.engine, app.practices[practice], ids)
        try:
            if given.get("answer") == WITHDRAW:
                done = withdraw(*asked, **said)
            else:
                done = decide(*asked, Answer(given.get("answer", "")), **said)
        except FatalError as error:
            return show(request, practice, 409, problem=str(error), **where)
        except ValueError:
            return show(request, practice, 422, problem="Choose an answer.", **where)
        ask(practice, JobName.DELIVER)
        return show(request, practice, decided=done, **where)

    return router


def _answer(finding: dict[str, Any]) -> dict[str, Any] | None:
    """The answer that is in force."""
    latest = finding["decisions"][0] if finding["decisions"] else None
    return latest if latest is not None and latest["in_force"] else None
