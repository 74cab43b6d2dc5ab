"""The demo's way in: an address that signs one visitor in, once. No other service has this route."""

import hmac
import threading

from fastapi import APIRouter, HTTPException, Response
from fastapi.responses import RedirectResponse

from adapter.bootstrap import App
from adapter.core.staff import StaffRole
from adapter.jobs.people import add
from adapter.jobs.sign_in import sign_in_as
from adapter.web.cookies import set_session

SUBJECT = "demo"


def make_router(app: App, word: str) -> APIRouter:
    """The route; ``word`` is what the terminal shows."""
    router = APIRouter()
    left = threading.Semaphore(1)

    @router.get("/demo/{given}")
    def enter(given: str) -> Response:
        if not hmac.compare_digest(given.encode(), word.encode()) or not left.acquire(blocking=False):
            raise HTTPException(404, "This address has been used. Start the demo again for another one.")
        roles = {practice.id: StaffRole.ADMIN for practice in app.settings.practice}
        add(app.engine, app.key, "demo", roles, subject=SUBJECT, actor="person:demo", now=app.clock())
        answer = RedirectResponse("/", 303)
        set_session(answer, sign_in_as(app.engine, SUBJECT, now=app.clock()) or "", app.settings)
        return answer

    return router
