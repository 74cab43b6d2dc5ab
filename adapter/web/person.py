"""One person: why they did or did not get the Welcome email, what fixes it, and the buttons that act on it."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Request, Response
from fastapi.responses import RedirectResponse

from adapter.bootstrap import App
from adapter.errors import FatalError, RetriableError
from adapter.jobs.chart import chart_view
from adapter.jobs.family import PersonView, person_of_account, person_of_contact, sync_family
from adapter.jobs.register import register
from adapter.jobs.revoke import LONGEST
from adapter.jobs.suspend import lift, suspend
from adapter.schedule_files import JobName
from adapter.web.asking import Ask
from adapter.web.caller import caller
from adapter.web.guard import form
from adapter.web.pages import Pages

Id = Annotated[str, Path(pattern=r"^[A-Za-z0-9.-]{1,64}$")]
NOT_THERE = "The practice knows nobody like that any more."


def make_router(app: App, pages: Pages, ask: Ask) -> APIRouter:
    """The routes; ``ask`` has the service deliver soon."""
    router = APIRouter()

    def now(practice: str) -> datetime:
        return app.clock().astimezone(app.practices[practice].zone)

    def account_view(practice: str, account: str) -> PersonView:
        found = person_of_account(app.engine, app.practices[practice], account, clock=app.clock)
        if found is None:
            raise HTTPException(404, NOT_THERE)
        return found

    def contact_view(practice: str, contact: str) -> PersonView:
        found = person_of_contact(app.engine, app.practices[practice], f"RelatedPerson/{contact}", clock=app.clock)
        if found is None:
            raise HTTPException(404, NOT_THERE)
        return found

    def show(request: Request, view: PersonView, here: str, told: dict[str, Any] | None = None) -> Response:
        template = "person_body.html" if "hx-request" in request.headers else "person.html"
        more: dict[str, Any] = {"reports": None, "problem": ""} | (told or {})
        return pages.show(request, template, view=view, here=here, **more)

    def synced(request: Request, practice: str, view: PersonView) -> dict[str, Any]:
        try:
            reports = sync_family(
                app.engine,
                app.practices[practice],
                view.charts,
                actor=caller(request).actor,
                clock=app.clock,
                progress=_unseen,
            )
        except RetriableError as error:
            return {"problem": str(error)}
        ask(practice, JobName.DELIVER)
        return {"reports": reports}

    @router.get("/p/{practice}/accounts/{account}")
    def account_page(request: Request, practice: str, account: Id) -> Response:
        return show(request, account_view(practice, account), f"accounts/{account}")

    @router.get("/p/{practice}/contacts/{contact}")
    def contact_page(request: Request, practice: str, contact: Id) -> Response:
        return show(request, contact_view(practice, contact), f"contacts/{contact}")

    @router.post("/p/{practice}/accounts/{account}/sync")
    def sync_account(request: Request, practice: str, account: Id) -> Response:
        told = synced(request, practice, account_view(practice, account))
        return show(request, account_view(practice, account), f"accounts/{account}", told)

    @router.post("/p/{practice}/contacts/{contact}/sync")
    def sync_contact(request: Request, practice: str, contact: Id) -> Response:
        told = synced(request, practice, contact_view(practice, contact))
        return show(request, contact_view(practice, contact), f"contacts/{contact}", told)

    @router.get("/p/{practice}/accounts/{account}/register")
    def confirm(request: Request, practice: str, account: Id) -> Response:
        view = account_view(practice, account)
        return pages.show(
            request, "register.html", view=view, here=f"accounts/{account}", problem=view.register_problem
        )

    @router.post("/p/{practice}/accounts/{account}/register")
    def send_again(request: Request, practice: str, account: Id) -> Response:
        view = account_view(practice, account)
        try:
            register(app.engine, practice, view.email, actor=caller(request).actor, now=now(practice))
        except FatalError as error:
            return pages.show(request, "register.html", 409, view=view, here=f"accounts/{account}", problem=str(error))
        ask(practice, JobName.DELIVER)
        return RedirectResponse(f"/p/{practice}/accounts/{account}?done=registered", 303)

    def hand_page(
        request: Request, practice: str, account: str, view: PersonView, problem: str = "", status: int = 200
    ) -> Response:
        here = f"accounts/{account}"
        return pages.show(request, "suspend.html", status, view=view, here=here, problem=problem, longest=LONGEST)

    def by_hand(request: Request, practice: str, account: str, do: Callable[..., Any], done: str) -> Response:
        view = account_view(practice, account)
        said = {"reason": form(request).get("reason", ""), "actor": caller(request).actor, "now": app.clock()}
        try:
            do(app.engine, practice, view.email, **said)
        except FatalError as error:
            return hand_page(request, practice, account, view, str(error), 409)
        ask(practice, JobName.DELIVER)
        return RedirectResponse(f"/p/{practice}/accounts/{account}?done={done}", 303)

    @router.get("/p/{practice}/accounts/{account}/suspend")
    def ask_why(request: Request, practice: str, account: Id) -> Response:
        return hand_page(request, practice, account, account_view(practice, account))

    @router.post("/p/{practice}/accounts/{account}/suspend")
    def suspend_account(request: Request, practice: str, account: Id) -> Response:
        return by_hand(request, practice, account, suspend, "suspended")

    @router.post("/p/{practice}/accounts/{account}/lift")
    def lift_suspension(request: Request, practice: str, account: Id) -> Response:
        return by_hand(request, practice, account, lift, "lifted")

    @router.get("/p/{practice}/charts/{chart}")
    def chart_page(request: Request, practice: str, chart: Id) -> Response:
        found = chart_view(app.engine, app.practices[practice], f"Patient/{chart}", clock=app.clock)
        if found is None:
            raise HTTPException(404, NOT_THERE)
        return pages.show(request, "chart.html", view=found)

    return router


def _unseen(what: str, done: int, total: int | None) -> None:
    """One family is read before anybody could watch."""
